"""`callsieve add`, `remove` and `find`. Every change is published before they return."""

import datetime
import sys
from collections.abc import Sequence

import click

from callsieve import list_output as output
from callsieve.adding import AddedMany, add_entries, add_entry
from callsieve.command_help import epilog
from callsieve.stores import Place, json_option, opened, reason_option, store_option, utc_now, warn
from loader.change_log import this_process
from loader.csv_rows import COLUMNS
from loader.held_back import list_held_back
from loader.numbers import (
    EntryReading,
    is_worth_telling,
    read_entries,
    read_entry,
    read_number,
)
from loader.publishing import ListReport, is_published
from loader.store import BadValueError, Entry, is_prefix, parse_date, parse_expiry, quoted
from lookup_core import PublishedList

NOTHING_TO_DO = 1
NOT_IN_USE = "it is in no range that is in use, by the numbering plan"

campaign_option = click.option(
    "--campaign",
    metavar="NAME",
    help="In place of LIST: the first list of this campaign in the rules.",
)


@click.command(
    "add",
    epilog=epilog(
        "callsieve add Default +48600100200 --description 'asked us to stop'\n"
        "callsieve add Default '+48700*' --expires 2026-12-31\n"
        "callsieve add Default 600100200-600100299\n"
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
@click.option(
    "--only-valid", is_flag=True, help="Refuse a number that is in no range that is in use."
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
    only_valid: bool,
    reason: str,
    url: str,
    as_json: bool,
) -> None:
    """Add NUMBER to LIST, or to the list of a campaign: a number in any spelling, an extension, a
    prefix such as '+48700*', the word anonymous for withheld callers, and for callers whose
    identity is no number sip:alice@example.com, 'sip:*@example.com' or, for all, no-number.

    A number that is there already gets the new description, date and expiry; without --expires
    it then stays for ever, and that is said.

    Held back without --yes-really: prefixes that cover more than a million numbers, emergency and
    public short numbers, and our own numbers (lists that a route presents from, `called` of the
    forwardings). So is an end for a number that is on the list for ever.
    """
    with opened(url, create=True) as place:
        name, number = _list_and_number(place, words, campaign)
        region = place.region_of(name)
        found = read_entries(number, region)
        if only_valid and found.tier == "possible":
            raise BadValueError(f"{quoted(number)}: {NOT_IN_USE}; without --only-valid it is taken")
        first, *others = (
            Entry(
                canonical,
                parse_date(date) if date is not None else None,
                description,
                _future(expires) if expires is not None else None,
            )
            for canonical in found.numbers
        )
        origin = this_process("callsieve add", reason)
        if not as_json:
            _tell_reading(number, region, found)
        if found.tier == "possible":
            warn(f"{quoted(number)}: {NOT_IN_USE}")
        if others:
            entries = [first, *others]
            several = add_entries(place, name, region, entries, origin, number, insist=yes_really)
            _tell_several(name, number, entries, several, as_json)
            sys.exit(0 if several.report else NOTHING_TO_DO)
        added = add_entry(place, name, region, first, origin, insist=yes_really)
        _tell(place, name, added.outcome.value, first, added.report, as_json)
        if added.ended and not as_json:
            now = "it stays for ever" if first.expires is None else "now it ends as said"
            click.echo(f"{name}: it was to end {output.local_time(added.ended)}; {now}")
        sys.exit(0 if added.report else NOTHING_TO_DO)


def _tell_reading(text: str, region: str | None, found: EntryReading) -> None:
    if found.repaired:
        click.echo(f"{quoted(text)}: {found.repaired}")
    reading = read_number(text, region)
    if is_worth_telling(reading):
        click.echo(f"{quoted(text)}: {reading.how}")


def _tell_several(
    name: str, text: str, entries: Sequence[Entry], added: AddedMany, as_json: bool
) -> None:
    counts = {outcome.value: count for outcome, count in added.counts.items() if count}
    if as_json:
        numbers = [entry.number for entry in entries]
        output.print_json({"list": name, "numbers": numbers, "outcomes": counts})
        return
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    state = f" ({output.state(added.report)})" if added.report else ""
    click.echo(f"{name}: {quoted(text)} is {len(entries)} entries: {told}{state}")


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
    """Remove NUMBER (or a prefix, a SIP address or a word, as for add) from LIST."""
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
        for name in place.store.list_names():
            if problem := list_held_back(place.store, place.catalog, name):
                warn(f"{name}: {problem}; what is in force of it is not searched")
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


COMMANDS: tuple[click.Command, ...] = (add, remove, find)
