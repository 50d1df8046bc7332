"""What the list commands print: tables and reports for people, JSON for programs."""

import datetime
import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import click

from loader.publishing import ListReport, StoreReport
from loader.store import NAMED_REJECTS, Entry, Reject, escaped, quoted
from loader.undo import UndoReport

# Widths come from the first rows: a list of millions is printed while it is read.
MEASURED_ROWS = 1000
WIDEST_PADDING = 60


def print_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[int] = ()
) -> None:
    """Aligned columns; those at the positions in `numeric` to the right."""
    rows = iter(rows)
    measured = [header, *islice(rows, MEASURED_ROWS)]
    widths = [
        min(max(_width(row[at]) for row in measured), WIDEST_PADDING) for at in range(len(header))
    ]
    for row in chain(measured, rows):
        cells = []
        for at, cell in enumerate(row):
            padding = " " * (widths[at] - _width(cell))
            cells.append(padding + cell if at in numeric else cell + padding)
        click.echo("  ".join(cells).rstrip())


def _width(text: str) -> int:
    """Columns that a terminal needs for the text."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def entry_cells(entry: Entry, now: datetime.datetime) -> list[str]:
    expires = ""
    if entry.expires is not None:
        expires = local_time(entry.expires) + (" (expired)" if entry.expired(now) else "")
    date = entry.date.isoformat() if entry.date else ""
    return [entry.number, date, escaped(entry.description), expires]


def entry_json(entry: Entry, now: datetime.datetime) -> dict[str, Any]:
    """expires: ISO 8601 in UTC, or null."""
    return {
        "number": entry.number,
        "date": entry.date.isoformat() if entry.date else None,
        "description": entry.description,
        "expires": entry.expires.isoformat() if entry.expires else None,
        "expired": entry.expired(now),
    }


def local_time(moment: datetime.datetime) -> str:
    zone = datetime.UTC if moment.year == datetime.MAXYEAR else None  # no later time can be told
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def print_json_list(name: str, entries: Iterator[dict[str, Any]], rejects: list[Reject]) -> None:
    """One JSON object, written while the list is read. `rejects` is full when entries has ended."""
    click.echo(f'{{"list": {_json(name)}, "entries": [', nl=False)
    separator = "\n"
    for entry in entries:
        click.echo(separator + _json(entry), nl=False)
        separator = ",\n"
    click.echo(f'\n], "rejects": {_json([reject_json(reject) for reject in rejects])}}}')


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=1))


def reject_json(reject: Reject) -> dict[str, Any]:
    return {
        "line": reject.line,
        "text": escaped(reject.text, 1000),
        "reason": reject.reason,
    }


def print_rejects(rejects: Sequence[Reject], total: int, err: bool = False) -> None:
    """The first rejects, one line each, and how many more there are."""
    for reject in rejects[:NAMED_REJECTS]:
        reason = escaped(reject.reason, 300)
        click.echo(f"  line {reject.line}: {quoted(reject.text)}: {reason}", err=err)
    if total > NAMED_REJECTS:
        click.echo(f"  and {total - NAMED_REJECTS} more", err=err)


def state(report: ListReport) -> str:
    """`generation 7, 12 entries, 1 row not read`"""
    parts = [f"generation {report.generation}", counted(report.entries, "entry", "entries")]
    if report.expired:
        parts.append(f"{report.expired} expired")
    if report.rejects:
        parts.append(counted(report.rejects, "row", "rows") + " not read")
    if report.unchanged:
        parts.append("unchanged")
    return ", ".join(parts)


def counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def report_json(report: ListReport) -> dict[str, Any]:
    return {
        "list": report.name,
        "generation": report.generation,
        "unchanged": report.unchanged,
        "entries": report.entries,
        "rejects": report.rejects,
        "expired": report.expired,
        "next_expiry": report.next_expiry.isoformat() if report.next_expiry else None,
    }


def print_reload(report: StoreReport[Any]) -> None:
    for one in report.lists:
        click.echo(f"{one.name}: {state(one)}")
        print_rejects(one.named_rejects, one.rejects)
    for name in report.withdrawn:
        click.echo(f"{escaped(name, 100)}: withdrawn, the store no longer has it")
    if report.rules:
        unchanged = ", unchanged" if report.rules.unchanged else ""
        click.echo(f"rules: generation {report.rules.generation}{unchanged}")


def reload_json(report: StoreReport[Any]) -> dict[str, Any]:
    return {
        "lists": [report_json(one) for one in report.lists],
        "withdrawn": list(report.withdrawn),
        "rules": {"generation": report.rules.generation, "unchanged": report.rules.unchanged}
        if report.rules
        else None,
        "problems": list(report.problems),
    }


def print_undo(result: UndoReport, report: ListReport) -> None:
    click.echo(
        f"{report.name}: {result.removed} removed, {result.restored} put back,"
        f" {result.left} changed since and left ({state(report)})"
    )
    for number in result.named_left:
        click.echo(f"  left: {number}")
    if result.left > len(result.named_left):
        click.echo(f"  and {result.left - len(result.named_left)} more")
    if result.batch:
        click.echo(f"batch: {result.batch.id}")


def undo_json(result: UndoReport, report: ListReport) -> dict[str, Any]:
    undone = result.record.change.batch
    return {
        "list": report.name,
        "undone": undone.id if undone else None,
        "batch": result.batch.id if result.batch else None,
        "removed": result.removed,
        "restored": result.restored,
        "left": result.left,
        "named_left": result.named_left,
        "generation": report.generation,
        "entries": report.entries,
    }
