"""What `callsieve import` prints: how a file is read, its first rows, and what became of all."""

from collections.abc import Sequence
from typing import Any

import click

from callsieve.list_output import (
    counted,
    local_time,
    print_rejects,
    print_table,
    reject_json,
    state,
)
from callsieve.stores import warn
from loader.csv_import import Group, ImportReport
from loader.csv_layout import Layout
from loader.csv_rows import Row
from loader.import_rows import RowReading
from loader.import_source import ImportSource
from loader.publishing import ListReport
from loader.store import AddOutcome, escaped, quoted

DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SHOWN_NUMBERS = 3  # of a row that is a range

Sample = Sequence[tuple[Row, RowReading | str]]


def layout_line(source: ImportSource, layout: Layout) -> str:
    """`UTF-8, semicolon-separated; number = column 1 'Telefon', date = column 2 'Data'`"""
    columns = [
        f"{name} = column {at + 1}" + (f" {quoted(layout.header[at], 40)}" if layout.header else "")
        for name, at in layout.columns.items()
    ]
    how = [source.how] if source.iso_dates else [_encoding(layout)]
    if source.how and not source.iso_dates:
        how.insert(0, source.how)
    if layout.width > 1 and not source.how:
        how.append(f"{DELIMITER_NAMES.get(layout.delimiter, layout.delimiter)}-separated")
    if layout.quote != '"':
        how.append("cells in apostrophes" if layout.quote else "no quotes around cells")
    if layout.titles:
        how.append(f"{counted(layout.titles, 'line', 'lines')} before the table left out")
    header = "" if layout.header else " (no header)"
    return f"{', '.join(how)}; {', '.join(columns)}{header}"


def _encoding(layout: Layout) -> str:
    encoding = layout.encoding
    if not encoding.or_else:
        return encoding.name
    return f"{encoding.name} (or {encoding.or_else}: say --encoding if letters are wrong)"


def print_layout(source: ImportSource, layout: Layout, sample: Sample) -> None:
    """How the file is read, and its first rows as they will be."""
    click.echo(f"{escaped(source.name, 100)}: {layout_line(source, layout)}")
    if source.unread:
        warn(
            f"{counted(source.unread, 'cell is', 'cells are')} read as blank: errors, or formulas"
            " without a value (open and save the workbook to have them calculated)"
        )
    rows = []
    for row, reading in sample:
        if isinstance(reading, str):
            rows.append([f"  line {row.line}", escaped(row.raw.strip(), 40), "rejected", "", ""])
            continue
        entry = reading.entries[0]
        rows.append(
            [
                f"  line {row.line}",
                escaped(reading.text, 40),
                f"-> {_numbers(reading)}",
                entry.date.isoformat() if entry.date else "",
                escaped(entry.description, 40)
                + (f" until {local_time(entry.expires)}" if entry.expires else ""),
            ]
        )
    if rows:
        print_table(["first rows", "as written", "as read", "date", "description"], rows)


def _numbers(reading: RowReading) -> str:
    numbers = [entry.number for entry in reading.entries]
    more = f" and {len(numbers) - SHOWN_NUMBERS} more" if len(numbers) > SHOWN_NUMBERS else ""
    return ", ".join(numbers[:SHOWN_NUMBERS]) + more


def print_import(name: str, result: ImportReport, report: ListReport | None) -> None:
    """report: None when nothing was published."""
    counts = [f"{count} {outcome}" for outcome, count in result.counts.items()]
    counts.append(f"{result.rejected} rejected")
    if result.removed:
        counts.append(f"{result.removed} removed")
    after = f" ({state(report)})" if report else ""
    click.echo(f"{name}: {', '.join(counts)}{after}")
    _print_group(result.possible, "possible, but in no range that is in use (--only-valid)")
    _print_group(result.repaired, "repaired")
    _print_group(result.short, "short numbers")
    _print_group(result.ranges, "of several entries each")
    if result.notes_cleaned:
        click.echo(f"notes cleaned: {result.notes_cleaned}")
    if result.comments:
        click.echo(f"comment lines left out: {result.comments}")
    print_rejects(result.named_rejects, result.rejected)
    if result.rejects_file:
        click.echo(f"rejected rows: {escaped(str(result.rejects_file))}")
    if result.batch:
        click.echo(f"batch: {result.batch.id} (callsieve undo {result.batch.id} takes it back)")


def _print_group(group: Group, what: str) -> None:
    if group.rows:
        click.echo(f"{counted(group.rows, 'row', 'rows')} {what}:")
        for one in group.examples:
            more = f" and {one.numbers - 1} more" if one.numbers > 1 else ""
            why = f": {escaped(one.what, 200)}" if one.what else ""
            click.echo(f"  line {one.line}: {quoted(one.text)} -> {one.number}{more}{why}")
        if group.rows > len(group.examples):
            click.echo(f"  and {group.rows - len(group.examples)} more")


def import_json(
    name: str,
    source: ImportSource,
    sample: Sample,
    result: ImportReport,
    report: ListReport | None,
    dry_run: bool,
) -> dict[str, Any]:
    layout = result.layout
    return {
        "list": name,
        "dry_run": dry_run,
        "source": source.how or None,
        "unread_cells": source.unread,
        "encoding": layout.encoding.name,
        "encoding_or_else": layout.encoding.or_else or None,
        "delimiter": layout.delimiter,
        "quote": layout.quote,
        "columns": {
            field: {"position": at + 1, "name": layout.header[at] if layout.header else None}
            for field, at in layout.columns.items()
        },
        "titles": layout.titles,
        "sample": [_sample_json(row, reading) for row, reading in sample],
        "added": result.counts[AddOutcome.ADDED],
        "updated": result.counts[AddOutcome.UPDATED],
        "already_there": result.counts[AddOutcome.PRESENT],
        "removed": result.removed,
        "rejected": result.rejected,
        "possible": _group_json(result.possible),
        "repaired": _group_json(result.repaired),
        "short": _group_json(result.short),
        "ranges": _group_json(result.ranges),
        "notes_cleaned": result.notes_cleaned,
        "comments": result.comments,
        "batch": result.batch.id if result.batch else None,
        "rejects": [reject_json(reject) for reject in result.named_rejects],
        "rejects_file": str(result.rejects_file) if result.rejects_file else None,
        "generation": report.generation if report else None,
        "entries": report.entries if report else None,
    }


def _sample_json(row: Row, reading: RowReading | str) -> dict[str, Any]:
    if isinstance(reading, str):
        text = escaped(row.raw.rstrip("\r\n"), 1000)
        return {"line": row.line, "text": text, "rejected": reading}
    entry = reading.entries[0]
    return {
        "line": row.line,
        "text": escaped(reading.text, 1000),
        "numbers": [one.number for one in reading.entries[:SHOWN_NUMBERS]],
        "entries": len(reading.entries),
        "date": entry.date.isoformat() if entry.date else None,
        "description": entry.description,
        "expires": entry.expires.isoformat() if entry.expires else None,
    }


def _group_json(group: Group) -> dict[str, Any]:
    return {
        "rows": group.rows,
        "examples": [
            {"line": one.line, "text": escaped(one.text, 1000), "number": one.number}
            for one in group.examples
        ],
    }
