"""The commands that operators keep lists with. Every change is published before they return."""

import datetime
import sys
from itertools import chain
from typing import Any

import click

from callsieve import list_output as output
from callsieve.adding import add_entry
from callsieve.command_help import epilog
from callsieve.new_stores import checked_region
from callsieve.stores import (
    Place,
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
from loader.numbers import read_entry
from loader.publishing import (
    RULES_DOCUMENT,
    ListReport,
    is_published,
    too_old,
)
from loader.store import (
    DEFAULT_LIST,
    BadValueError,
    Entry,
    Reject,
    Store,
    is_prefix,
    parse_date,
    parse_expiry,
    quoted,
)
from lookup_core import PublishedList, UnavailableList

NOTHING_TO_DO = 1

campaign_option = click.option(
    "--campaign",
    metavar="NAME",
    help="In place of LIST: the first list of this campaign in the rules.",
)


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


@click.command(
    "add",
    epilog=epilog(
        "callsieve add Default +48600100200 --description 'asked us to stop'\n"
        "callsieve add Default '+48700*' --expires 2026-12-31\n"
        "callsieve add --campaign 'Spring sale' 600100200",
        exit1="the list has this very entry",
    ),
)
@click.argument("words", metavar="[LIST] NUMBER", nargs=-1, required=True)
@campaign_option
@click.option("--description", default="", metavar="TEXT", help="A note, up to 500 characters.")
@click.option("--date", metavar="YYYY-MM-DD", help="Day of addition.  [default: today]")
@click.option(
    "--expires",
    metavar="TIME",
    help="Until when it counts: YYYY-MM-DD (to its end) or YYYY-MM-DDTHH:MM, local time."
    "  [default: for ever]",
)
@click.option(
    "--yes-really",
    is_flag=True,
    help="Add it even if it would block far more than one caller, or let end what is for ever.",
)
@reason_option
@store_option
@json_option
def add(
    words: tuple[str, ...],
    campaign: str | None,
    description: str,
    date: str | None,
    expires: str | None,
    yes_really: bool,
    reason: str,
    url: str,
    as_json: bool,
) -> None:
    """Add NUMBER to LIST, or to the list of a campaign: a number in any spelling, an extension, a
    prefix such as '+48700*', the word anonymous for withheld callers, or no-number for those whose
    identity is no number, such as sip:alice@example.com.

    A number that is there already gets the new description, date and expiry; without --expires
    it then stays for ever, and that is said.

    Held back without --yes-really: prefixes that cover more than a million numbers, emergency and
    public short numbers, and our own numbers (lists that a route presents from, `called` of the
    forwardings). So is an end for a number that is on the list for ever.
    """
    with opened(url, create=True) as place:
        name, number = _list_and_number(place, words, campaign)
        region = place.region_of(name)
        entry = Entry(
            read_entry(number, region),
            parse_date(date) if date is not None else None,
            description,
            _future(expires) if expires is not None else None,
        )
        origin = this_process("callsieve add", reason)
        added = add_entry(place, name, region, entry, origin, insist=yes_really)
        _tell(place, name, added.outcome.value, entry, added.report, as_json)
        if added.ended and not as_json:
            now = "it stays for ever" if entry.expires is None else "now it ends as said"
            click.echo(f"{name}: it was to end {output.local_time(added.ended)}; {now}")
        sys.exit(0 if added.report else NOTHING_TO_DO)


@click.command(
    "remove",
    epilog=epilog("callsieve remove Default +48600100200", exit1="the number is not in the list"),
)
@click.argument("words", metavar="[LIST] NUMBER", nargs=-1, required=True)
@campaign_option
@reason_option
@store_option
@json_option
def remove(
    words: tuple[str, ...], campaign: str | None, reason: str, url: str, as_json: bool
) -> None:
    """Remove NUMBER (or a prefix, or anonymous) from LIST."""
    with opened(url) as place:
        name, number = _list_and_number(place, words, campaign)
        region = place.region_of(name)
        canonical = read_entry(number, region)
        origin = this_process("callsieve remove", reason)
        removed = place.store.remove(name, canonical, region, origin)
        nothing = not removed and not is_published(place.catalog, name, canonical)
        report = None if nothing else place.publish_changes(name, region, {canonical: None})
        outcome = "not in the list" if nothing else "removed"
        _tell(place, name, outcome, Entry(canonical), report, as_json)
        sys.exit(NOTHING_TO_DO if nothing else 0)


@click.command(
    "find",
    epilog=epilog("callsieve find 600100200", exit1="no list has an entry that counts now"),
)
@click.argument("number")
@store_option
@json_option
def find(number: str, url: str, as_json: bool) -> None:
    """Find every entry that NUMBER falls under, in all lists: itself, prefixes, expired ones."""
    with opened(url) as place:
        region = place.region
        canonical = read_entry(number, region)
        now = utc_now()
        found = list(place.store.find(canonical, region))
        listed = any(not entry.expired(now) for _, entry in found)
        if as_json:
            entries = [{"list": name, **output.entry_json(entry, now)} for name, entry in found]
            answer = {"number": canonical, "listed": listed, "entries": entries}
            output.print_json(answer)
        elif found:
            rows = [[name, *output.entry_cells(entry, now)] for name, entry in found]
            output.print_table(["list", *COLUMNS], rows)
        else:
            click.echo(f"{canonical}: in no list")
        sys.exit(0 if listed else NOTHING_TO_DO)


def _list_and_number(place: Place, words: tuple[str, ...], campaign: str | None) -> tuple[str, str]:
    """What the arguments of `add` and `remove` name. Raises click.UsageError, ValueError."""
    if campaign is None:
        if len(words) != 2:
            raise click.UsageError(f"expected LIST NUMBER, found {_shown(words)}")
        return words[0], words[1]
    if len(words) != 1:
        raise click.UsageError(
            f"expected NUMBER alone beside --campaign, whose list it is, found {_shown(words)}"
        )
    return place.campaign_list(campaign), words[0]


def _shown(words: tuple[str, ...]) -> str:
    return " ".join(map(quoted, words))


def _check_unused(name: str, what: str, rules: str, store: Store) -> None:
    """Raises BadValueError when the rules would not hold without the list."""
    try:
        check_rules(rules, [other for other in store.list_names() if other != name])
    except ValueError as error:
        raise BadValueError(
            f"{name}: not removed; without it {what} would say:\n{error}"
        ) from error


def _future(text: str) -> datetime.datetime:
    moment = parse_expiry(text)
    if moment < utc_now():
        raise BadValueError(f"expires: expected a time to come, found {quoted(text)}")
    return moment


def _tell(
    place: Place,
    name: str,
    outcome: str,
    entry: Entry,
    report: ListReport | None,
    as_json: bool,
) -> None:
    """What became of one number. report: None when nothing was published."""
    published = place.catalog.current().lists.get(name)
    if not isinstance(published, PublishedList):
        published = None
    covering = None
    if published and not is_prefix(entry.number):
        covering = published.match(entry.number)
    if as_json:
        output.print_json(
            {
                "list": name,
                "number": entry.number,
                "outcome": outcome,
                "covered_by": covering,
                "generation": published.generation if published else None,
                "entries": published.info.get("entries") if published else None,
            }
        )
        return
    until = f" until {output.local_time(entry.expires)}" if entry.expires else ""
    if report:
        click.echo(f"{name}: {outcome} {entry.number}{until} ({output.state(report)})")
    else:
        click.echo(f"{name}: {entry.number} is {outcome}{until}")
    if covering and covering != entry.number:
        click.echo(f"{name}: {entry.number} is covered by the entry {covering}")


COMMANDS: tuple[click.Command, ...] = (list_group, add, remove, find)
