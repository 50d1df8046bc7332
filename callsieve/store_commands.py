"""`callsieve store copy`: everything of one store into another."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from callsieve.command_help import epilog
from callsieve.list_output import print_rejects
from callsieve.new_stores import new_region, region_option
from callsieve.stores import opened, place_of, reporting, warn, without_rejects
from callsieve.wiring import check_rules
from loader.change_log import BatchDetails, this_process
from loader.new_rules import are_new_rules
from loader.store import (
    BadValueError,
    Entry,
    Reject,
    Store,
    escaped,
    open_store,
    rules_version,
    would_make,
)

NOTHING_TO_DO = 1
SOME_REJECTED = 3


@click.group("store", epilog=epilog("callsieve store copy csv:/var/lib/callsieve redis://pbx1"))
def store_group() -> None:
    """Make a store, or move what is in one to another."""


@store_group.command(
    "create",
    epilog=epilog(
        "callsieve store create redis://127.0.0.1:6379 --region PL",
        exit1="there is a store already",
    ),
)
@click.argument("url")
@region_option
def create(url: str, region: str | None) -> None:
    """Make a new store at URL: the list Default, empty, and rules with comments.

    It needs to be said in which country's way national numbers are read, or that there is none.

    A directory is also made by the commands that write into it. Redis is not: where a store was,
    an empty Redis is a loss, and nothing but this command takes it for a beginning.
    """
    with reporting():
        if not would_make(url):
            open_store(url).list_names()  # says what is wrong with it, if anything is
            click.echo(f"{escaped(url)}: there is a store already")
            sys.exit(NOTHING_TO_DO)
        place = place_of(open_store(url, create=True, region=new_region(url, region)))
        if place.is_shared:  # a node publishes what it follows
            place.store.list_names()
        else:
            place.publish_all()
        click.echo(f"{escaped(url)}: created")


@store_group.command(
    "copy",
    epilog=epilog(
        "callsieve store copy csv:/var/lib/callsieve redis://127.0.0.1:6379",
        exit3="rows that cannot be read were left behind",
    ),
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy(source: str, target: str) -> None:
    """Copy all lists and the rules of the store FROM into the store TO, which must have none.

    FROM is left as it is. TO may be new; one with entries or other rules is refused. A list appears
    in TO whole or not at all, and the rules come last; after a failure, remove what is there and
    copy again.
    """
    with opened(source) as old:
        new = place_of(open_store(target, create=True))
        rules = old.store.rules_text()
        names = old.store.list_names()
        region = check_rules(rules, names).default_region
        _expect_empty(new.store, target)
        origin = this_process("callsieve store copy", f"from {source}")
        rejected = 0
        for name in names:
            new.store.create_list(name, origin, old.store.region_of(name))
            rejects: list[Reject] = []
            rows = old.store.entries(name, region)
            count = 0
            with new.store.edit(name, region) as edit:
                for entry in _shown(name, without_rejects(rows, rejects)):
                    if entry.date is None:  # put() would give it today's
                        edit.write(entry, edit.current(entry.number))
                    else:
                        edit.put(entry)
                    count += 1
                edit.commit(BatchDetails(origin=origin))
            click.echo(f"{name}: {count} copied, {len(rejects)} not read")
            print_rejects(rejects, len(rejects))
            rejected += len(rejects)
        new.store.put_rules(rules, rules_version(new.store.rules_text()), origin)
        report = new.publish_all()
        for problem in report.problems:
            warn(problem)
        click.echo("rules: copied")
        sys.exit(SOME_REJECTED if rejected or report.problems else 0)


def _expect_empty(store: Store, url: str) -> None:
    """Raises BadValueError when there is anything in the store that a new one has not."""
    found = next((n for n in store.list_names() if any(True for _ in store.entries(n, None))), None)
    if found is not None:
        raise BadValueError(f"{url}: expected a store without entries, found some in {found}")
    if not are_new_rules(store.rules_text()):
        raise BadValueError(f"{url}: expected a store with the rules of a new one, found others")


def _shown(name: str, entries: Iterator[Entry]) -> Iterator[Entry]:
    """The same, counted on a terminal as they go by."""
    if not sys.stderr.isatty():
        yield from entries
        return
    for at, entry in enumerate(entries, 1):
        if at % 10_000 == 0:
            click.echo(f"\r{name}: {at}", nl=False, err=True)
        yield entry
    click.echo("\r\033[K", nl=False, err=True)
