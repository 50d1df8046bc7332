"""Measures lookup_core against the sets that people would use instead: `make bench-lookup`."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from bench import contests, footprint, machine, number_sets, own_process, targets
from bench.number_sets import NumberSet
from bench.progress import say
from bench.table import HEADING, Row

MIX = "mix"
TEN_MILLION = 10_000_000
# Above this, one build instead of three, and none of a shuffled input.
LARGEST_REPEATED_BUILD = 50_000_000
OPENS = 301
PREFIXES = [10, 10_000]
DELTAS = [1_000, 10_000]


@dataclass
class Run:
    """Settings of one run, and what it has found so far."""

    directory: Path
    shared_memory: Path
    absl_program: Path
    rounds: int
    slice_length: int
    show: Callable[[str], None]
    rows: list[Row] = field(default_factory=list)
    measured: dict[str, dict[str, Any]] = field(default_factory=dict)
    # The set of 10 million and its snapshot, once they exist.
    at_10_million: tuple[NumberSet, Path] | None = None

    def measure(self, size: str, name: str, function: Callable[..., Any], *args: object) -> Any:
        """What the function finds in a process of its own; None, and a row for it, if it fails."""
        try:
            found = own_process.call(function, *args)
        except ChildProcessError as error:
            say("")
            click.echo(f"{size}, {name}: {error}", err=True)
            self.add([targets.not_measured(size, name)])
            return None
        say("")
        self.measured.setdefault(size, {})[name] = found
        return found

    def add(self, rows: list[Row]) -> None:
        self.rows += rows
        for row in rows:
            self.show(row.line())


def measure_set(run: Run, size: str) -> None:
    """All figures of one number set; `size` is millions of the United States' shape, or "mix"."""
    shape, title = ("mix", "mix") if size == MIX else ("us", f"{size} M")
    count = TEN_MILLION if size == MIX else round(float(size) * 1_000_000)
    repeated = count <= LARGEST_REPEATED_BUILD
    builds = 3 if repeated else 1
    numbers = own_process.call(
        number_sets.make,
        run.directory / size,
        shape,
        count,
        2 * (run.rounds + 1),
        run.slice_length,
        repeated,
    )
    snapshot = numbers.directory / "snapshot"
    if repeated:
        shuffled = numbers.shuffled
        if found := run.measure(title, "shuffled", footprint.build, shuffled, snapshot, builds):
            run.add(targets.build_rows(title, count, "shuffled", found))
    built = run.measure(title, "build", footprint.build, numbers.keys, snapshot, builds)
    if built:
        run.add(targets.build_rows(title, count, "ascending", built))
        run.add(targets.peak_rows(title, built))
        measure_snapshot(run, title, numbers, snapshot, targets.cpu_rate(count, built))
        if shape == "us" and count == TEN_MILLION:
            measure_overlays(run, title, numbers, snapshot)
            run.at_10_million = numbers, snapshot
            return
    shutil.rmtree(numbers.directory)


def measure_snapshot(
    run: Run, title: str, numbers: NumberSet, snapshot: Path, build_rate: float
) -> None:
    """Open, memory, and lookups from the directory and from shared memory, beside the peers."""
    size = snapshot.stat().st_size
    if spent := run.measure(title, "open", footprint.opening, snapshot, OPENS):
        run.add(targets.open_rows(title, spent))
    if memory := run.measure(title, "memory", footprint.memory, snapshot, numbers.keys):
        most = targets.MIX_BYTES if title == MIX else targets.ONE_COUNTRY_BYTES
        run.add(targets.memory_rows(title, numbers.count, size, memory, most))
    copy = Path(shutil.copy(snapshot, run.shared_memory))
    raced = run.measure(
        title,
        "lookups",
        contests.against_peers,
        title,
        numbers,
        snapshot,
        copy,
        run.at_10_million if numbers.count > TEN_MILLION else None,
        run.absl_program,
        run.rounds,
    )
    copy.unlink()
    if raced:
        run.add(targets.lookup_rows(title, raced["samples"], numbers.count == TEN_MILLION))
        run.add(targets.placement_rows(title, raced))
        run.add(targets.peer_rows(title, numbers.count, raced["peers"], size, build_rate))


def measure_overlays(run: Run, title: str, numbers: NumberSet, snapshot: Path) -> None:
    """What prefixes and deltas cost."""
    for name, contest, sizes, plain, target in (
        ("prefixes", contests.with_prefixes, PREFIXES, "no prefixes", None),
        ("deltas", contests.with_deltas, DELTAS, "no delta", targets.DELTA),
    ):
        raced = run.measure(title, name, contest, title, numbers, snapshot, sizes, run.rounds)
        if raced:
            run.add(targets.variant_rows(title, raced, plain, target))


def _sizes(_context: click.Context, _option: click.Parameter, text: str) -> list[str]:
    """The sizes that were asked for, each once, ascending."""
    found: dict[str, float] = {}
    for word in text.split(","):
        try:
            # The mix has 10 million; it comes after the plain 10 million.
            millions = 10.1 if word == MIX else float(word)
        except ValueError:
            millions = 0
        if not 0.1 <= millions <= 1000:
            raise click.BadParameter(
                f"expected millions of numbers from 0.1 to 1000, or {MIX!r}, found {word!r}"
            )
        found[word if word == MIX else f"{millions:g}"] = millions
    return sorted(found, key=found.__getitem__)


def _quick(context: click.Context, _option: click.Parameter, quick: bool) -> None:
    if quick:
        context.default_map = {"sizes": "1,10", "rounds": 3, "queries": 200_000}


@click.command(epilog='Example: make bench-lookup BENCH_ARGS="--sizes 1,10,mix --rounds 5"')
@click.option(
    "--sizes",
    callback=_sizes,
    default="1,10,mix,50,258.5",
    show_default=True,
    help="Millions of numbers of one country; mix: 10 million of 30 countries.",
)
@click.option(
    "--rounds", type=click.IntRange(1, 99), default=7, show_default=True, help="Counted rounds."
)
@click.option(
    "--queries",
    type=click.IntRange(10_000, 10_000_000),
    default=1_000_000,
    show_default=True,
    help="Lookups of one contender in one round.",
)
@click.option(
    "--quick",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_quick,
    help="Other defaults: --sizes 1,10 --rounds 3 --queries 200000.",
)
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=tempfile.gettempdir(),
    show_default=True,
    help="Where a temporary directory is made; on a disk, 5 GB free for 258.5 million.",
)
@click.option(
    "--shared-memory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default="/dev/shm",
    show_default=True,
    help="A tmpfs, for a copy of each snapshot.",
)
@click.option(
    "--absl-program",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The compiled bench/absl_set.cc.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document with all samples.")
def main(
    sizes: list[str],
    rounds: int,
    queries: int,
    directory: Path,
    shared_memory: Path,
    absl_program: Path,
    as_json: bool,
) -> None:
    """Measures lookups, size, build and open against other sets, in interleaved rounds.

    Exit codes: 0 every target was reached, 1 one was missed or not measured, 2 wrong usage.
    """
    # An ordinary exit, so that the temporary directories are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    show: Callable[[str], None] = (lambda _line: None) if as_json else click.echo
    with ExitStack() as stack:
        work, shared = (
            Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="callsieve-bench-", dir=place)
                )
            )
            for place in (directory, shared_memory)
        )
        described = machine.describe(work, shared, absl_program)
        described["rounds"] = f"{rounds} of {queries:,} lookups each, half of them hits"
        for name, value in described.items():
            show(f"{name + ':':<12} {value}")
        show(f"\n{HEADING}")
        run = Run(work, shared, absl_program, rounds, queries // 2 * 2, show)
        if smallest := run.measure("3", "smallest", footprint.smallest, work):
            run.add(targets.smallest_rows(smallest))
        for size in sizes:
            measure_set(run, size)
    missed = sum(row.met is False for row in run.rows)
    reached = sum(row.met is True for row in run.rows)
    show(f"\n{reached} targets reached, {missed} missed")
    if as_json:
        rows = [row.as_dict() for row in run.rows]
        click.echo(json.dumps({"run": described, "rows": rows, "measured": run.measured}, indent=1))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
