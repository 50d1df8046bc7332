"""Building, opening and memory. Each function runs in a process of its own and returns plain data.

No numpy here: a process that is measured holds nothing but the interpreter and what it measures.
"""

from __future__ import annotations

import mmap
import multiprocessing
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

from bench.process_memory import anonymous_bytes, mapping, peak_bytes
from bench.progress import say
from lookup_core import Snapshot


def _mapped_keys(path: Path) -> memoryview:
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)).cast("Q")


def _build_once(keys: Path, snapshot: Path) -> dict[str, int]:
    numbers = _mapped_keys(keys)
    began, began_cpu = time.perf_counter_ns(), time.process_time_ns()
    Snapshot.build(snapshot, numbers)
    return {
        "wall_ns": time.perf_counter_ns() - began,
        "cpu_ns": time.process_time_ns() - began_cpu,
        "peak": peak_bytes(),
        "input": mapping(keys)["Rss"],
    }


def build(keys: Path, snapshot: Path, times: int) -> list[dict[str, int]]:
    """Builds from a mapped file of uint64.

    Returns for each time wall and processor nanoseconds, peak resident bytes of the process, and
    how many of them are the input's.
    """
    found = []
    for turn in range(times):
        say(f"building from {keys.stat().st_size // 8:,} numbers, {turn + 1} of {times}")
        found.append(_build_once(keys, snapshot))
    return found


def _open_and_touch(snapshot: Path, keys: Path) -> tuple[Snapshot, int]:
    """The snapshot with all its pages resident, and the anonymous bytes that opening it took."""
    before = anonymous_bytes()
    opened = Snapshot.open(snapshot)
    own = anonymous_bytes() - before
    numbers = _mapped_keys(keys)
    step = 1 << 20
    for start in range(0, len(numbers), step):
        opened.contains_many(numbers[start : start + step])
    return opened, own


def _hold(snapshot: Path, keys: Path, other: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    opened, _ = _open_and_touch(snapshot, keys)
    other.send("mapped")
    other.poll(None)  # until the first process says so, or ends
    opened.close()


def memory(snapshot: Path, keys: Path) -> dict[str, dict[str, int] | int]:
    """What the mapping takes in this process, alone and beside a second one that maps the file.

    Returns `own`, the anonymous bytes that opening took, `nbytes` of the snapshot, and the smaps
    sums `alone` and `shared`.
    """
    say("measuring memory")
    opened, own = _open_and_touch(snapshot, keys)
    alone = mapping(snapshot)
    here, there = multiprocessing.Pipe()
    second = multiprocessing.get_context("spawn").Process(
        target=_hold, args=(snapshot, keys, there)
    )
    second.start()
    there.close()
    here.recv()
    shared = mapping(snapshot)
    here.send("measured")
    second.join()
    size = opened.nbytes
    opened.close()
    return {"own": own, "alone": alone, "shared": shared, "nbytes": size}


def opening(snapshot: Path, times: int) -> list[int]:
    """Wall nanoseconds of each of many opens of a file that is in the page cache."""
    spent = []
    for _ in range(times):
        began = time.perf_counter_ns()
        opened = Snapshot.open(snapshot)
        spent.append(time.perf_counter_ns() - began)
        opened.close()
    return spent


def smallest(directory: Path) -> dict[str, int]:
    """File and resident bytes of a list of three numbers."""
    path = directory / "three"
    Snapshot.build(path, ["+48600100200", "+12015550123", "+442071838750"])
    opened = Snapshot.open(path)
    assert "+48600100200" in opened
    return {"file": path.stat().st_size, "resident": mapping(path)["Rss"]}
