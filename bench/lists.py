"""Measures the lists: `make bench-lists`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import click

from bench import imports, own_process
from bench.progress import say
from bench.table import HEADING, Row, Target

PLAIN_RATE = Target("value", ">=", 1)
MIXED_RATE = Target("value", ">=", 0.3)
SAME_MEMORY = Target("ratio", "<=", 1.1)
NOT_COPIED = Target("value", "<=", 4096)
RATES = {
    "plain E.164": PLAIN_RATE,
    "mixed formats": MIXED_RATE,
    "with date and note": None,
}
PEER_ROWS = 50_000


def import_rates(directory: Path, rows: int, rounds: int) -> tuple[list[Row], dict[str, Any]]:
    """Imports of every spelling, into an empty list and into one that has the numbers."""
    table: list[Row] = []
    samples: dict[str, Any] = {}
    file = directory / "rows.csv"
    size = f"{rows / 1e6:g} M"
    for spelling, target in RATES.items():
        say(f"{spelling}: writing {rows:,} rows")
        imports.write_rows(file, spelling, rows, rows)
        alone = [
            own_process.call(imports.phonenumbers_alone, file, PEER_ROWS) for _ in range(rounds)
        ]
        theirs = median(found["rows"] / found["cpu_ns"] * 1e3 for found in alone)
        for again in (False, True):
            say(f"{spelling}: importing")
            found = [
                own_process.call(imports.import_rows, directory, file, again) for _ in range(rounds)
            ]
            figure = f"{spelling}{', again' if again else ''}"
            samples[figure] = {"ours": found, "alone": alone}
            for what, keys, bound in (
                ("", ("import_cpu_ns", "publish_cpu_ns"), target),
                (", wall time", ("import_ns", "publish_ns"), None),
            ):
                rate = median(one["rows"] / sum(one[key] for key in keys) * 1e3 for one in found)
                table.append(
                    Row(size, figure + what, rate, "M/s", "phonenumbers alone", theirs, bound)
                )
        say("")
    return table, samples


def import_memory(directory: Path, rows: int) -> tuple[list[Row], dict[str, Any]]:
    """The peak of two imports into the same list, one of a file eight times as large."""
    file = directory / "rows.csv"
    peaks = {}
    for times in (1, 8):
        say(f"memory: {times * rows:,} rows")
        imports.write_rows(file, "plain E.164", times * rows, rows // 4)
        peaks[times] = own_process.call(imports.import_rows, directory, file, True)
    say("")
    size = f"{rows / 1e6:g} M"
    entries = peaks[8]["entries"]
    return [
        Row(
            size,
            "peak memory, 8 times the rows",
            peaks[8]["peak"] / 2**20,
            "MiB",
            f"{size} rows, same list",
            peaks[1]["peak"] / 2**20,
            SAME_MEMORY,
        ),
        Row(size, "peak memory, bytes an entry", peaks[8]["peak"] / entries, "B"),
    ], {"peaks": peaks}


def registry_rate(directory: Path, rows: int, rounds: int) -> tuple[list[Row], dict[str, Any]]:
    """Attaching and publishing a registry's file."""
    file = directory / "registry.txt"
    say(f"registry: writing {rows:,} rows")
    imports.write_registry(file, rows)
    say("registry: attaching")
    found = [own_process.call(imports.attach_rows, directory, file) for _ in range(rounds)]
    alone = [
        own_process.call(imports.csv_into_a_set, file, min(rows, 2_000_000)) for _ in range(rounds)
    ]
    theirs = median(one["rows"] / one["cpu_ns"] * 1e3 for one in alone)
    say("")
    size = f"{rows / 1e6:g} M"
    return [
        Row(
            size,
            "attach a registry",
            median(one["rows"] / one["cpu_ns"] * 1e3 for one in found),
            "M/s",
            "csv.reader into a set",
            theirs,
        ),
        Row(
            size,
            "attach a registry, wall time",
            median(one["rows"] / one["wall_ns"] * 1e3 for one in found),
            "M/s",
        ),
        Row(size, "bytes kept of the file", found[0]["store_bytes"], "B", target=NOT_COPIED),
        Row(size, "attach, peak memory", found[0]["peak"] / rows, "B/n"),
    ], {"ours": found, "alone": alone}


@click.command(epilog='Example: make bench-lists BENCH_ARGS="--rows 4000000 --rounds 5"')
@click.option(
    "--rows",
    type=click.IntRange(10_000, 100_000_000),
    default=2_000_000,
    show_default=True,
    help="Rows of an imported file.",
)
@click.option(
    "--registry-rows",
    type=click.IntRange(10_000, 1_000_000_000),
    default=10_000_000,
    show_default=True,
    help="Rows of a registry's file.",
)
@click.option(
    "--rounds", type=click.IntRange(1, 99), default=3, show_default=True, help="Of each import."
)
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=tempfile.gettempdir(),
    show_default=True,
    help="Where a temporary directory is made; on a disk.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document with all samples.")
def main(rows: int, registry_rows: int, rounds: int, directory: Path, as_json: bool) -> None:
    """Measures imports beside phonenumbers alone on the same rows.

    Rates are millions of rows a second of processor time on one core, from the file to the
    published list, and of wall time with the disk.
    Exit codes: 0 every target was reached, 1 one was missed, 2 wrong usage.
    """
    table: list[Row] = []
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="callsieve-bench-", dir=directory) as work:
        if not as_json:
            click.echo(HEADING)
        for name, measure in (
            ("imports", lambda: import_rates(Path(work), rows, rounds)),
            ("memory", lambda: import_memory(Path(work), rows)),
            ("registry", lambda: registry_rate(Path(work), registry_rows, rounds)),
        ):
            found, samples = measure()
            table += found
            measured[name] = samples
            for row in found if not as_json else ():
                click.echo(row.line())
    missed = sum(row.met is False for row in table)
    if as_json:
        click.echo(
            json.dumps({"rows": [row.as_dict() for row in table], "measured": measured}, indent=1)
        )
    else:
        click.echo(f"\n{sum(row.met is True for row in table)} targets reached, {missed} missed")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
