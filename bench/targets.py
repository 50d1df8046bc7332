"""What was measured, as rows with the targets that lookup_core has to reach."""

from __future__ import annotations

from statistics import median
from typing import Any

from bench.table import Row, Target

ONE_COUNTRY_BYTES = Target("value", "<=", 2.7)
MIX_BYTES = Target("value", "<=", 5.5)
THREE_NUMBERS_BYTES = Target("value", "<=", 8 * 1024 - 1)
SHARED = Target("ratio", "<=", 0.55)
BUILD_RATE = Target("value", ">=", 5)
BUILD_PEAK = Target("value", "<=", 8)
OPEN = Target("value", "<=", 1000)
TEXT_TO_FROZENSET = Target("ratio", "<=", 0.4)
TEXT_TO_BITMAP = Target("ratio", "<=", 0.3)
TEXT_TO_10_MILLION = Target("ratio", "<=", 2.5)
BUFFER_TO_FROZENSET = Target("ratio", "<=", 1 / 8)
BUFFER_TO_ABSL = Target("ratio", "<=", 1)
DELTA = Target("ratio", "<=", 1.5)

FIGURES = {"text": "text in snapshot", "buffer": "contains_many"}


def not_measured(size: str, step: str) -> Row:
    """A step that failed has missed whatever it was to show."""
    return Row(size, f"{step}: failed", None)


def smallest_rows(found: dict[str, int]) -> list[Row]:
    return [
        Row("3", "file", found["file"], "B", target=THREE_NUMBERS_BYTES),
        Row("3", "memory", found["resident"], "B", target=THREE_NUMBERS_BYTES),
    ]


def cpu_rate(count: int, builds: list[dict[str, int]]) -> float:
    """Millions of numbers a second of processor time."""
    return median(count / build["cpu_ns"] * 1e3 for build in builds)


def build_rows(size: str, count: int, order: str, builds: list[dict[str, int]]) -> list[Row]:
    """order: of the input."""
    rate = median(count / build["wall_ns"] * 1e3 for build in builds)
    return [
        Row(size, f"build, {order}, wall time", rate, "M/s", target=BUILD_RATE),
        Row(size, f"build, {order}, processor time", cpu_rate(count, builds), "M/s"),
    ]


def peak_rows(size: str, builds: list[dict[str, int]]) -> list[Row]:
    peak = max(build["peak"] for build in builds)
    without = max(build["peak"] - build["input"] for build in builds)
    return [
        Row(size, "build, peak memory with input", peak / 2**30, "GiB", target=BUILD_PEAK),
        Row(size, "build, peak memory without input", without / 2**30, "GiB"),
    ]


def open_rows(size: str, spent: list[int]) -> list[Row]:
    return [Row(size, "open", median(spent) / 1e3, "us", target=OPEN)]


def memory_rows(
    size: str, count: int, file_bytes: int, memory: dict[str, Any], target: Target
) -> list[Row]:
    """target: on the bytes a number."""
    resident = memory["own"] + memory["alone"]["Rss"]
    return [
        Row(size, "file, bytes a number", file_bytes / count, "B", target=target),
        Row(size, "memory, bytes a number", resident / count, "B", target=target),
        Row(
            size,
            "memory of one of two processes",
            memory["shared"]["Pss"] / 2**20,
            "MiB",
            "the only process",
            memory["alone"]["Pss"] / 2**20,
            SHARED,
        ),
    ]


def lookup_rows(size: str, samples: dict[str, list[float]], text_targets: bool) -> list[Row]:
    """Lookups beside the peers that were there.

    text_targets: whether single lookups have a target beside the peers at this size.
    """
    ns = {name: median(found) for name, found in samples.items()}
    rows = []
    for ours, theirs, title, target in (
        ("text", "text, frozenset", "frozenset[str]", TEXT_TO_FROZENSET),
        ("text", "text, BitMap64", "int(t[1:]) in BitMap64", TEXT_TO_BITMAP),
        ("text", "text, snapshot of 10 million", "snapshot of 10 M", TEXT_TO_10_MILLION),
        ("buffer", "text, frozenset", "frozenset[str] loop", BUFFER_TO_FROZENSET),
        ("buffer", "buffer, absl", "absl::flat_hash_set", BUFFER_TO_ABSL),
    ):
        if theirs in ns:
            peers_only = target in (TEXT_TO_FROZENSET, TEXT_TO_BITMAP)
            rows.append(
                Row(
                    size,
                    FIGURES[ours],
                    ns[f"{ours}, snapshot"],
                    "ns",
                    title,
                    ns[theirs],
                    target if text_targets or not peers_only else None,
                )
            )
    return rows


def placement_rows(size: str, raced: dict[str, Any]) -> list[Row]:
    """The copy in shared memory beside the file in the directory."""
    ns = {name: median(found) for name, found in raced["samples"].items()}
    huge = {
        place: (sums["FilePmdMapped"] + sums["ShmemPmdMapped"]) / sums["Rss"] * 100
        for place, sums in raced["mapped"].items()
    }
    rows = [
        Row(
            size,
            f"{figure}, in tmpfs",
            ns[f"{kind}, snapshot in shared memory"],
            "ns",
            "in the directory",
            ns[f"{kind}, snapshot"],
        )
        for kind, figure in FIGURES.items()
    ]
    rows.append(
        Row(
            size,
            "huge pages, in tmpfs",
            huge["shared memory"],
            "%",
            "in the directory",
            huge["file"],
        )
    )
    return rows


def peer_rows(
    size: str, count: int, peers: dict[str, Any], file_bytes: int, rate: float
) -> list[Row]:
    """Size and filling beside the peers; `rate` is ours, as of `cpu_rate`."""
    rows = []
    for peer, said in peers.items():
        theirs = said["bytes"] / count
        rows.append(Row(size, "bytes a number", file_bytes / count, "B", peer, theirs))
        filled = count / said["insert_ns"] * 1e3
        rows.append(Row(size, "build, processor time", rate, "M/s", peer, filled))
    return rows


def variant_rows(
    size: str, samples: dict[str, list[float]], plain: str, target: Target | None
) -> list[Row]:
    """Each variant beside the `plain` one."""
    rows = []
    for name, found in samples.items():
        kind, _, variant = name.partition(", ")
        if variant != plain:
            theirs = median(samples[f"{kind}, {plain}"])
            figure = f"{FIGURES[kind]}, {variant}"
            rows.append(Row(size, figure, median(found), "ns", plain, theirs, target))
    return rows
