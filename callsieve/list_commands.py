"""`callsieve list`: whole lists. Every change is published before the command returns."""

import sys
from itertools import chain
from typing import Any

import click

from callsieve import list_output as output
from callsieve.command_help import epilog
from callsieve.new_stores import checked_region
from callsieve.stores import (
    json_option,
    opened,
    reason_option,
    store_option,
    utc_now,
    warn,
    without_rejects,
)
from callsieve.wiring import check_rules
from loader.change_log import this_process
from loader.csv_rows import COLUMNS
from loader.held_back import list_held_back
from loader.publishing import (
    RULES_DOCUMENT,
    too_old,
)
from loader.store import (
    DEFAULT_LIST,
    BadValueError,
    Reject,
    Store,
)
from lookup_core import PublishedList, UnavailableList

NOTHING_TO_DO = 1


@click.group(
    "list",
    short_help="Create, show and remove number lists.",
    epilog=epilog("callsieve list create Opt-outs --store csv:/var/lib/callsieve"),
)
def list_group() -> None:
    """Create, show and remove number lists. The list Default always exists."""


@list_group.command(
    "create",
    epilog=epilog(
        "callsieve list create Opt-outs\ncallsieve list create 'German callers' --region DE",
        exit1="the list is there already",
    ),
)
@click.argument("name")
@click.option(
    "--region",
    metavar="CODE",
    help="Country whose national numbers are read without a country code in this list, by every"
    " command and in its file.  [default: default_region of the rules]",
)
@reason_option
@store_option
def list_create(name: str, region: str | None, reason: str, url: str) -> None:
    """Create the number list NAME, empty."""
    with opened(url, create=True) as place:
        own = None if region is None else checked_region(region)
        origin = this_process("callsieve list create", reason)
        created = place.store.create_list(name, origin, own)
        what = "created" if created else "already there"
        if created or name not in place.catalog.current().lists:
            report = place.publish(name, place.region)
            what += f" ({output.state(report)})"
        click.echo(f"{name}: {what}")
        if not created and own != place.store.region_of(name):
            warn(f"{name}: its region is {place.store.region_of(name) or 'the default one'}")
        if not created:
            sys.exit(NOTHING_TO_DO)


@list_group.command("ls", epilog=epilog("callsieve list ls"))
@store_option
@json_option
def list_ls(url: str, as_json: bool) -> None:
    """Show the lists as they are published: entries, rejects (rows not read) and generation."""
    with opened(url) as place:
        published = place.catalog.current().lists
        rows = []
        for name in place.store.list_names():
            found = published.get(name)
            row: dict[str, Any] = {
                "list": name,
                "entries": None,
                "rejects": None,
                "generation": None,
                "region": place.store.region_of(name),
            }
            if isinstance(found, PublishedList):
                row |= {key: found.info.get(key) for key in ("entries", "rejects")}
                problems = [too_old(found, utc_now())]
                problems.append(list_held_back(place.store, place.catalog, name))
                for problem in filter(None, problems):
                    warn(f"{name}: {problem}")
            elif isinstance(found, UnavailableList):
                warn(f"{name}: the snapshot cannot be used: {found.reason}; run callsieve reload")
            else:
                warn(f"{name}: not published yet; run callsieve reload")
            rows.append(row | {"generation": found.generation if found else None})
        for problem in place.store.problems():
            warn(problem)
        if as_json:
            output.print_json(rows)
            return
        shown = [["-" if v is None else str(v) for v in row.values()] for row in rows]
        columns = ["list", "entries", "rejects", "generation", "region"]
        output.print_table(columns, shown, numeric=(1, 2, 3))


@list_group.command("show", epilog=epilog("callsieve list show Default"))
@click.argument("name", default=DEFAULT_LIST)
@store_option
@json_option
def list_show(name: str, url: str, as_json: bool) -> None:
    """Show every entry of the list NAME (default: Default), and the rows that cannot be read."""
    with opened(url) as place:
        rejects: list[Reject] = []
        entries = without_rejects(place.store.entries(name, place.region), rejects)
        now = utc_now()
        if as_json:
            output.print_json_list(
                name, (output.entry_json(entry, now) for entry in entries), rejects
            )
            return
        first = next(entries, None)
        if first is None:
            click.echo(f"{name}: no entries")
        else:
            rows = (output.entry_cells(entry, now) for entry in chain([first], entries))
            output.print_table(list(COLUMNS), rows)
        output.print_rejects(rejects, len(rejects), err=True)


@list_group.command("remove", epilog=epilog("callsieve list remove 'Old campaign'"))
@click.argument("name")
@reason_option
@store_option
def list_remove(name: str, reason: str, url: str) -> None:
    """Remove the list NAME with all its entries. Refused for Default and while a rule uses it."""
    with opened(url) as place:
        store = place.store
        if name != DEFAULT_LIST:
            in_force = place.catalog.current().documents.get(RULES_DOCUMENT)
            _check_unused(name, place.rules_name, store.rules_text(), store)
            _check_unused(name, "the rules in force", in_force.text if in_force else "", store)
        store.remove_list(name, this_process("callsieve list remove", reason))
        place.withdraw(name)
        click.echo(f"{name}: removed")


def _check_unused(name: str, what: str, rules: str, store: Store) -> None:
    """Raises BadValueError when the rules would not hold without the list."""
    try:
        check_rules(rules, [other for other in store.list_names() if other != name])
    except ValueError as error:
        raise BadValueError(
            f"{name}: not removed; without it {what} would say:\n{error}"
        ) from error


COMMANDS: tuple[click.Command, ...] = (list_group,)
