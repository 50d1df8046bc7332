"""The commands around the change log: show and verify it, one number's history, taking back."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from typing import Any

import click

from callsieve import list_output as output
from callsieve.command_help import epilog
from callsieve.stores import fail, json_option, opened, reason_option, store_option
from loader.change_log import (
    FIRST_PREVIOUS,
    Batch,
    BrokenLogError,
    Record,
    entry_fields,
    read_records,
    this_process,
)
from loader.evidence import events, in_registries, unlogged
from loader.numbers import read_entry
from loader.store import Entry, escaped, version_of
from loader.undo import undo as undo_batch

NOTHING_TO_DO = 1
BROKEN = 1
SOME_LEFT = 3
MOST_SHOWN = 10**9


@click.group(
    "log", short_help="Show or verify the change log.", epilog=epilog("callsieve log show")
)
def log_group() -> None:
    """The change log: every change of a list or of the rules, who made it, when, why and from
    where.

    Edits of the lists' files by hand are not in it; those of the rules are, once they are in force.
    """


@log_group.command(
    "verify",
    epilog=epilog(
        "callsieve log verify", exit0="the log is whole", exit1="the log or a batch is not whole"
    ),
)
@store_option
@json_option
def verify(url: str, as_json: bool) -> None:
    """Prove that no record was altered, left out or put in, and no row of a batch or text of the
    rules either.

    Names the first record that is not right. Keep the hash that it prints somewhere else: it proves
    all records up to it.
    """
    with opened(url) as place:
        store = place.store
        last = FIRST_PREVIOUS
        count = 0
        problem = None
        try:
            for record in read_records(store.log_lines()):
                if record.change.batch:
                    store.check_batch(record.change.batch)
                if changed := record.change.rules:
                    store.kept_rules(changed.before)
                    store.kept_rules(changed.after)
                last = record.sha256
                count = record.serial
        except BrokenLogError as error:
            problem = str(error)
        if as_json:
            output.print_json({"records": count, "last": last, "problem": problem})
        elif problem is None:
            click.echo(f"{count} records, whole; last hash {last}")
        if problem is not None:
            fail(problem, BROKEN)


@log_group.command(
    "show",
    epilog=epilog(
        "callsieve log show --last 20\ncallsieve log show --list Opt-outs --json",
        exit1="the log is not whole; the records before that place were shown",
    ),
)
@click.option("--list", "name", metavar="LIST", help="Only changes of this list.")
@click.option("--last", type=click.IntRange(1, MOST_SHOWN), help="Only so many, the newest.")
@store_option
@json_option
def show(name: str | None, last: int | None, url: str, as_json: bool) -> None:
    """Show the change log, oldest first."""
    with opened(url) as place:
        problem = ""
        records: Iterator[Record] = (
            record
            for record in read_records(place.store.log_lines())
            if name is None or record.change.list == name
        )
        shown: deque[Record] = deque(maxlen=last)
        try:
            for record in records:
                if last is None and not as_json:
                    click.echo(record_line(record))
                else:
                    shown.append(record)
        except BrokenLogError as error:
            problem = str(error)
        if as_json:
            output.print_json([record_json(record) for record in shown])
        else:
            for record in shown:
                click.echo(record_line(record))
        if problem:
            fail(problem, BROKEN)


@click.command(
    "evidence",
    epilog=epilog(
        "callsieve evidence +48600100200",
        exit1="nothing is known of the number",
        exit5="the store cannot be read, or the log is not whole",
    ),
)
@click.argument("number")
@store_option
@json_option
def evidence(number: str, url: str, as_json: bool) -> None:
    """Print all that ever happened to NUMBER in the lists, and to prefixes that it is under.

    From the change log. An edit of a file by hand is not in the log: where a list has something
    else now than the log says, that is said at the end.
    """
    with opened(url) as place:
        region = place.region
        canonical = read_entry(number, region)
        history = list(events(place.store, canonical))
        by_hand = list(unlogged(place.store, canonical, region, history))
        registries = list(in_registries(place.store, canonical, region))
        if as_json:
            answer = {
                "number": canonical,
                "events": [
                    {
                        **record_json(event.record),
                        "number": event.entry,
                        "before": _entry_json(event.before),
                        "after": _entry_json(event.after),
                    }
                    for event in history
                ],
                "not_in_the_log": [
                    {
                        "list": one.list,
                        "logged": _entry_json(one.logged),
                        "found": _entry_json(one.found),
                    }
                    for one in by_hand
                ],
                "registries": [
                    {
                        "list": name,
                        "file": attached.file,
                        "sha256": attached.sha256,
                        "as_of": attached.current_as_of.isoformat(),
                    }
                    for name, attached in registries
                ],
            }
            output.print_json(answer)
        else:
            for event in history:
                change = f"{_told(event.before)} -> {_told(event.after)}"
                click.echo(f"{_head(event.record)} {event.entry}: {change}{_why(event.record)}")
            for one in by_hand:
                click.echo(
                    f"{one.list}: the log ends with {_told(one.logged)}, and the list has"
                    f" {_told(one.found)}: edited by hand, or before there was a log"
                )
            for name, attached in registries:
                click.echo(
                    f"{name}: it is in the registry's file {escaped(attached.file)}"
                    f" as of {attached.current_as_of}"
                )
            if not history and not by_hand and not registries:
                click.echo(f"{canonical}: nothing happened to it")
            click.echo("Edits of the files by hand are not in the log.")
        sys.exit(0 if history or by_hand or registries else NOTHING_TO_DO)


@click.command(
    "undo",
    epilog=epilog(
        "callsieve undo 20261124-081500-3f2a90c17be4",
        exit1="nothing was left to take back",
        exit3="some numbers were changed since and stay as they are",
    ),
)
@click.argument("batch")
@reason_option
@store_option
@json_option
def undo(batch: str, reason: str, url: str, as_json: bool) -> None:
    """Take BATCH back: an import, another undo, or the removal of a list.

    Every number gets what it had before. Numbers that were changed since are left as they are, and
    reported. `callsieve log show` names the batches.
    """
    with opened(url) as place:
        region = place.region
        origin = this_process("callsieve undo", reason)
        result = undo_batch(place.store, batch, region, origin)
        name = result.record.change.list
        report = place.publish_batch(name, region, result.batch)
        if as_json:
            output.print_json(output.undo_json(result, report))
        else:
            output.print_undo(result, report)
        if result.left:
            sys.exit(SOME_LEFT)
        sys.exit(0 if result.batch else NOTHING_TO_DO)


def _head(record: Record) -> str:
    """`12 2026-11-24 09:15:00 jan@pbx1 callsieve add Default add`"""
    origin = record.origin
    parts = [
        str(record.serial),
        output.local_time(record.time),
        origin.who,
        origin.command,
        record.change.list,
        record.change.what,
    ]
    return " ".join(escaped(part, 100) for part in parts if part)


def record_line(record: Record) -> str:
    change = record.change
    if change.number is not None:
        detail = f" {change.number}: {_told(change.before)} -> {_told(change.after)}"
    elif change.batch is not None:
        detail = f" {_batch_line(change.batch)}"
    elif change.rules is not None:
        versions = version_of(change.rules.before), version_of(change.rules.after)
        detail = f": version {versions[0]} -> {versions[1]}"
    else:
        detail = ""
    return f"{_head(record)}{detail}{_why(record)}"


def _batch_line(batch: Batch) -> str:
    counts = [
        f"{count} {what}"
        for what in ("added", "updated", "removed", "rejected")
        if (count := getattr(batch, what))
    ]
    source = f" from {escaped(batch.source, 100)}" if batch.source else ""
    undone = f" of {batch.undoes}" if batch.undoes else ""
    return f"{batch.id}{undone}: {', '.join(counts)}{source}"


def _why(record: Record) -> str:
    return f" ({escaped(record.origin.reason)})" if record.origin.reason else ""


def _told(entry: Entry | None) -> str:
    """`nothing`, or what the list has for a number besides the number."""
    if entry is None:
        return "nothing"
    parts = [entry.date.isoformat() if entry.date else "no date"]
    if entry.description:
        parts.append(escaped(entry.description))
    if entry.expires:
        parts.append(f"until {output.local_time(entry.expires)}")
    return f"[{', '.join(parts)}]"


def _entry_json(entry: Entry | None) -> dict[str, Any] | None:
    return None if entry is None else entry_fields(entry)


def record_json(record: Record) -> dict[str, Any]:
    fields = record.fields()
    del fields["redo"]
    return {**fields, "sha256": record.sha256}


COMMANDS: tuple[click.Command, ...] = (log_group, undo, evidence)
