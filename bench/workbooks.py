"""Measures the import of workbooks: a part of `make bench-lists`."""

from __future__ import annotations

import datetime
import json
import random
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import click
import openpyxl
import phonenumbers
import python_calamine
from phonenumbers import PhoneNumberFormat

from bench import own_process
from bench.imports import REGION, spelt
from bench.progress import say
from bench.table import HEADING, Row, Target
from loader.csv_import import ImportOptions, ImportReport, import_file
from loader.csv_layout import Wanted, read_layout
from loader.csv_store import CsvStore
from loader.import_source import import_source

FIVE_TIMES = Target("ratio", ">=", 5)
AS_FAST = Target("ratio", ">=", 1)
PEER_ROWS = 20_000


def write_workbook(file: Path, rows: int) -> None:
    """Number in several spellings, a real date, a note, below a header."""
    rng = random.Random(1)
    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet("Numbers")
    sheet.append(["Telefon", "Data", "Opis"])
    for row in range(rows):
        day = datetime.date(2026, rng.randint(1, 12), rng.randint(1, 28))
        sheet.append([spelt(rng, "mixed formats", row, rows), day, "asked by e-mail"])
    workbook.save(file)


def import_workbook(directory: Path, file: Path) -> dict[str, Any]:
    """As `callsieve import` does it, into a new list, with what a child process takes."""
    shutil.rmtree(directory / "store", ignore_errors=True)
    store = CsvStore(directory / "store", create=True)
    began, began_cpu = time.perf_counter_ns(), _processor_ns()
    with import_source(file, None) as source:
        layout = read_layout(source.file, Wanted(iso_dates=source.iso_dates), REGION)
        report = ImportReport(layout)
        options = ImportOptions(made_of=source.made_of)
        import_file(store, "Default", source.file, report, REGION, options)
    if report.rejected:
        raise ValueError(f"expected every row accepted, found {report.named_rejects[:3]}")
    return {
        "rows": report.accepted,
        "wall_ns": time.perf_counter_ns() - began,
        "cpu_ns": _processor_ns() - began_cpu,
    }


def by_openpyxl(file: Path, rows: int) -> dict[str, Any]:
    """The least that a program with openpyxl and phonenumbers would do, on the first rows."""
    began = time.process_time_ns()
    workbook = openpyxl.load_workbook(file, read_only=True)
    found = {}
    for number, day, note in workbook.active.iter_rows(2, rows + 1, values_only=True):
        found[_e164(str(number))] = (day, note)
    return {"rows": rows, "cpu_ns": time.process_time_ns() - began, "entries": len(found)}


def by_calamine(file: Path, rows: int) -> dict[str, Any]:
    """The same with calamine, which reads the whole sheet first: all rows are counted for that."""
    began = time.process_time_ns()
    sheet = python_calamine.CalamineWorkbook.from_path(file).get_sheet_by_index(0)
    table = sheet.to_python()[1:]
    read_ns = (time.process_time_ns() - began) / len(table)
    began = time.process_time_ns()
    found = {_e164(str(number)): (day, note) for number, day, note in table[:rows]}
    return {
        "rows": rows,
        "cpu_ns": time.process_time_ns() - began + read_ns * rows,
        "entries": len(found),
    }


def _e164(text: str) -> str:
    number = phonenumbers.parse(text, REGION)
    if not phonenumbers.is_possible_number(number):
        raise ValueError(text)
    return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))


def _processor_ns() -> int:
    """Of this process and of those that it has waited for."""
    used = time.process_time_ns()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used + int((children.ru_utime + children.ru_stime) * 1e9)


@click.command(epilog="Example: python -m bench.workbooks --rows 200000")
@click.option(
    "--rows",
    type=click.IntRange(1_000, 1_000_000),
    default=200_000,
    show_default=True,
    help="Rows of the workbook.",
)
@click.option("--rounds", type=click.IntRange(1, 99), default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document with all samples.")
def main(rows: int, rounds: int, as_json: bool) -> None:
    """Measures imports of an .xlsx workbook, in turn with loops over the same rows.

    Rates are rows a second of processor time, in thousands. Exit codes: 0 every target was
    reached, 1 one was missed, 2 wrong usage.
    """
    samples: dict[str, list[dict[str, Any]]] = {"ours": [], "openpyxl": [], "calamine": []}
    with tempfile.TemporaryDirectory(prefix="callsieve-bench-") as work:
        file = Path(work) / "rows.xlsx"
        say(f"workbook: writing {rows:,} rows")
        write_workbook(file, rows)
        for _ in range(rounds):
            say("workbook: importing")
            samples["ours"].append(own_process.call(import_workbook, Path(work), file))
            few = min(rows, PEER_ROWS)
            samples["openpyxl"].append(own_process.call(by_openpyxl, file, few))
            samples["calamine"].append(own_process.call(by_calamine, file, few))
        say("")
    rates = {
        name: median(one["rows"] / one["cpu_ns"] * 1e6 for one in found)
        for name, found in samples.items()
    }
    size = f"{rows / 1e6:g} M"
    table = [
        Row(
            size,
            f".xlsx, beside {peer}",
            rates["ours"],
            "k/s",
            f"{peer} and phonenumbers",
            rates[peer],
            target,
        )
        for peer, target in (("openpyxl", FIVE_TIMES), ("calamine", AS_FAST))
    ]
    wall = median(one["rows"] / one["wall_ns"] * 1e6 for one in samples["ours"])
    table.append(Row(size, ".xlsx, wall time", wall, "k/s"))
    if as_json:
        click.echo(
            json.dumps({"rows": [row.as_dict() for row in table], "measured": samples}, indent=1)
        )
    else:
        click.echo(HEADING)
        for row in table:
            click.echo(row.line())
    sys.exit(1 if any(row.met is False for row in table) else 0)


if __name__ == "__main__":
    main()
