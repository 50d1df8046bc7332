"""Measures the Redis store against what people would put into Redis instead: `make bench-lists`.

The peer is one hash a list, number -> JSON of date and description, read with HSCAN: what a first
version of such a store looks like. A change is measured beside a bare record of a Redis stream.
"""

from __future__ import annotations

import datetime
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import click
from redis import Redis

from bench import machine
from bench.progress import say
from bench.table import HEADING, Row, Target
from loader.redis_store import RedisStore
from loader.store import Entry
from lookup_core import Catalog, PublishedList
from tests.support.many_entries import add_many
from tests.support.nodes import NodeProcess, three_nodes
from tests.support.redis_servers import RedisServer, one_server
from tests.support.service import CALLSIEVE

TEN_MILLION = 10_000_000
BYTES = Target("value", "<=", 120)
FULL_COPY = Target("value", "<=", 60)
CONVERGED = Target("value", "<=", 100)

DAY = datetime.date(2026, 1, 1)
DESCRIPTIONS = ("", "asked us to stop, by phone")
# The peer's memory and time grow with its entries alone, so that a part is enough.
MOST_OF_PEER = 1_000_000
BATCH = 10_000
TIMEOUT_SECONDS = 30.0


def numbers(count: int) -> Iterator[str]:
    """`count` different numbers of one country, in no order."""
    rng = random.Random(20261124)
    step = 6_700_417  # prime to the 9 * 10**8 numbers, so that it comes to each once
    start = rng.randrange(9 * 10**8)
    for at in range(count):
        yield f"+48{10**8 + (start + at * step) % (9 * 10**8)}"


def used_memory(server: RedisServer) -> int:
    return int(server.command("INFO", "memory")["used_memory"])


def load(store: RedisStore, count: int, description: str) -> float:
    """Fills the list Default; seconds."""
    started = time.perf_counter()

    def entries() -> Iterator[Entry]:
        for at, number in enumerate(numbers(count)):
            if at % BATCH == 0:
                say(f"loading {at:,} of {count:,}")
            yield Entry(number, DAY, description)

    add_many(store, "Default", entries())
    say("")
    return time.perf_counter() - started


def load_peer(server: RedisServer, count: int, description: str) -> tuple[int, float]:
    """Bytes of the peer's hash, and seconds that reading its numbers takes."""
    before = used_memory(server)
    with Redis(port=server.port) as client:
        value = json.dumps({"date": DAY.isoformat(), "description": description})
        some: dict[str, str] = {}
        for number in numbers(count):
            some[number] = value
            if len(some) == BATCH:
                client.hset("peer", mapping=some)
                some = {}
        if some:
            client.hset("peer", mapping=some)
        size = used_memory(server) - before
        started = time.perf_counter()
        found = sum(1 for _ in client.hscan_iter("peer", count=1000))
        spent = time.perf_counter() - started
        assert found == count
        client.delete("peer")
    return size, spent


def full_copy(url: str, directory: Path) -> float:
    """Seconds from nothing to a published catalog, the start of the program included."""
    node = NodeProcess(url, directory, "first")
    started = time.perf_counter()
    command = [*CALLSIEVE, "reload", "--store", url]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | node.environment)
    return time.perf_counter() - started


def converge(url: str, directory: Path, changes: int) -> list[float]:
    """Seconds from a change's return to its publication on the last of three nodes, each."""
    store = RedisStore(url)
    samples = []
    with three_nodes([url] * 3, directory) as nodes:
        catalogs = [catalog_of(node) for node in nodes]
        for at in range(changes):
            number = f"+49{10**9 + at}"
            store.add("Default", Entry(number, DAY), None)
            started = time.perf_counter()
            for catalog in catalogs:
                wait_for(catalog, number)
            samples.append(time.perf_counter() - started)
            say(f"change {at + 1} of {changes}")
    say("")
    return samples


def catalog_of(node: NodeProcess) -> Catalog:
    """The node's catalog once it has the list."""
    deadline = time.monotonic() + 600
    while node.state() != "following":
        assert time.monotonic() < deadline, "a node does not follow"
        time.sleep(0.05)
    return Catalog(node.state_directory / "snapshots")


def wait_for(catalog: Catalog, number: str) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        found = catalog.current().lists["Default"]
        if isinstance(found, PublishedList) and number in found.snapshot:
            return
        assert time.monotonic() < deadline, f"{number} did not come"
        time.sleep(0.0002)


def bare_stream(server: RedisServer, changes: int) -> list[float]:
    """Seconds from a record's return to the writer until a reader has it."""
    arrived = threading.Event()
    times: list[float] = []

    def read() -> None:
        with Redis(port=server.port) as client:
            last = b"0-0"
            for _ in range(changes):
                [(_, [(last, _)])] = client.xread({"bare": last}, count=1, block=10_000)
                times.append(time.perf_counter())
                arrived.set()

    reader = threading.Thread(target=read)
    reader.start()
    samples = []
    with Redis(port=server.port) as client:
        for at in range(changes):
            client.xadd("bare", {"number": f"+49{10**9 + at}"})
            returned = time.perf_counter()
            arrived.wait(TIMEOUT_SECONDS)
            arrived.clear()
            samples.append(max(times[at] - returned, 0))
        client.delete("bare")
    reader.join()
    return samples


def measure(count: int, changes: int, directory: Path, show: Callable[[str], None]) -> list[Row]:
    """The rows, each shown as soon as it is there."""
    rows: list[Row] = []

    def add(*more: Row) -> None:
        rows.extend(more)
        for row in more:
            show(row.line())

    target_applies = count >= TEN_MILLION
    for at, description in enumerate(DESCRIPTIONS):
        if at:
            count = min(count, MOST_OF_PEER)
        size = f"{count / 1e6:g} M"
        peer_count = min(count, MOST_OF_PEER)
        with one_server(directory / f"redis{at}") as server:
            url = server.url()
            peer_bytes, peer_read = load_peer(server, peer_count, description)
            store = RedisStore(url, create=True)
            store.list_names()
            before = used_memory(server)
            seconds = load(store, count, description)
            a_entry = (used_memory(server) - before) / count
            told = f"{len(description)} characters" if description else "no description"
            add(
                Row(size, f"Redis, an entry, {told}", a_entry, "B", "hash of JSON",
                    peer_bytes / peer_count, BYTES),
                Row(size, f"load, {told}", count / seconds / 1e3, "k/s"),
            )  # fmt: skip
            if at:
                continue
            spent = full_copy(url, directory)
            add(
                Row(size, "first full copy on a node", spent, "s", "HSCAN, same entries",
                    peer_read / peer_count * count, FULL_COPY if target_applies else None)
            )  # fmt: skip
            samples = converge(url, directory, changes)
            bare = bare_stream(server, changes)
            add(
                Row(size, "change on three nodes, p50", median(samples) * 1e3, "ms",
                    "bare stream record", median(bare) * 1e3),
                Row(size, "change on three nodes, p99", quantiles(samples, n=100)[98] * 1e3, "ms",
                    "bare stream record", quantiles(bare, n=100)[98] * 1e3, CONVERGED),
            )  # fmt: skip
    return rows


@click.command(epilog='Example: make bench-lists BENCH_ARGS="--entries 1000000"')
@click.option(
    "--entries",
    type=click.IntRange(10_000, 50_000_000),
    default=TEN_MILLION,
    show_default=True,
    help="Of the list. Filling it takes most of the time; below 10 million, the full copy has no"
    " target.",
)
@click.option(
    "--changes",
    type=click.IntRange(100, 10_000),
    default=300,
    show_default=True,
    help="How many are timed until three nodes have them.",
)
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=tempfile.gettempdir(),
    show_default=True,
    help="Where a temporary directory is made.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def main(entries: int, changes: int, directory: Path, as_json: bool) -> None:
    """Measures the Redis store: bytes an entry, a node's first full copy, convergence.

    Exit codes: 0 every target was reached, 1 one was missed, 2 wrong usage.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    show: Callable[[str], None] = (lambda _line: None) if as_json else click.echo
    with ExitStack() as stack:
        work = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="callsieve-bench-", dir=directory)
            )
        )
        os.environ["CALLSIEVE_NODE_DIRECTORY"] = str(work / "none")
        described: dict[str, Any] = machine.host() | {"Redis": redis_version(work)}
        for name, value in described.items():
            show(f"{name + ':':<12} {value}")
        show(f"\n{HEADING}")
        rows = measure(entries, changes, work, show)
    missed = sum(row.met is False for row in rows)
    if as_json:
        click.echo(json.dumps({"run": described, "rows": [r.as_dict() for r in rows]}, indent=1))
    sys.exit(1 if missed else 0)


def redis_version(directory: Path) -> str:
    with one_server(directory / "version") as server:
        return str(server.command("INFO", "server")["redis_version"])


if __name__ == "__main__":
    main()
