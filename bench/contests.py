"""Who is measured against whom. Each function runs in its own process and returns plain data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyroaring

from bench import race
from bench.number_sets import (
    NumberSet,
    changes,
    hits_with_changes,
    hits_with_prefixes,
    us_prefixes,
)
from bench.process_memory import anonymous_bytes, mapping
from bench.progress import say
from lookup_core import Snapshot

# A frozenset of texts takes 88 bytes a number and more while it is made: above this it is left out.
LARGEST_FROZENSET = 60_000_000


def _texts(source: NumberSet) -> Iterable[str]:
    keys = np.memmap(source.keys, np.uint64, "r")
    for start in range(0, len(keys), 1 << 16):
        yield from [f"+{key}" for key in keys[start : start + (1 << 16)].tolist()]


def _made(make: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """What `make` returns, and the anonymous memory and processor time that it took."""
    before, began = anonymous_bytes(), time.process_time_ns()
    made = make()
    spent = time.process_time_ns() - began
    return made, {"bytes": anonymous_bytes() - before, "insert_ns": spent}


def against_peers(
    label: str,
    source: NumberSet,
    snapshot: Path,
    in_shared_memory: Path,
    at_10_million: tuple[NumberSet, Path] | None,
    absl_program: Path,
    rounds: int,
) -> dict[str, Any]:
    """Our lookups and those of the peers that fit.

    in_shared_memory: a copy of the snapshot in a tmpfs. at_10_million: a smaller set and its
    snapshot, for a contender that shows what size costs.
    Returns `samples` as of `race.run`, `peers` with the bytes and nanoseconds that filling them
    took, and `mapped` with the smaps sums of both files.
    """
    say(f"{label}: filling the peers")
    peers = {}
    numbers, peers["BitMap64"] = _made(
        lambda: pyroaring.BitMap64(memoryview(np.memmap(source.keys, np.uint64, "r")))
    )
    contenders = {"text, BitMap64": race.texts_one_by_one(race.find_ints, numbers, source)}
    if source.count <= LARGEST_FROZENSET:
        texts, peers["frozenset"] = _made(lambda: frozenset(_texts(source)))
        contenders["text, frozenset"] = race.texts_one_by_one(race.find_texts, texts, source)
    for place, path in (("", snapshot), (" in shared memory", in_shared_memory)):
        opened = Snapshot.open(path)
        contenders[f"text, snapshot{place}"] = race.texts_one_by_one(
            race.find_texts, opened, source
        )
        contenders[f"buffer, snapshot{place}"] = race.one_buffer(opened, source)
    if at_10_million:
        smaller, path = at_10_million
        contenders["text, snapshot of 10 million"] = race.texts_one_by_one(
            race.find_texts, Snapshot.open(path), smaller
        )
    with race.absl_set(absl_program, source) as (absl, said):
        peers["absl"] = said
        contenders["buffer, absl"] = absl
        samples = race.run(label, contenders, rounds)
    return {
        "samples": samples,
        "peers": peers,
        "mapped": {
            "file": mapping(snapshot),
            "shared memory": mapping(in_shared_memory),
        },
    }


def _race_variants(
    label: str,
    variants: dict[str, tuple[Snapshot, list[int]]],
    source: NumberSet,
    rounds: int,
) -> dict[str, list[float]]:
    contenders = {}
    for name, (opened, hits) in variants.items():
        contenders[f"text, {name}"] = race.texts_one_by_one(race.find_texts, opened, source, hits)
        contenders[f"buffer, {name}"] = race.one_buffer(opened, source, hits)
    return race.run(label, contenders, rounds)


def with_prefixes(
    label: str, source: NumberSet, snapshot: Path, counts: list[int], rounds: int
) -> dict[str, list[float]]:
    """The same numbers with no prefix and with each count of prefixes of the same country."""
    variants = {"no prefixes": (Snapshot.open(snapshot), source.half_hits)}
    for count in counts:
        say(f"{label}: building with {count:,} prefixes")
        prefixes = us_prefixes(count)
        path = snapshot.with_name(f"prefixes-{count}")
        keys = np.memmap(source.keys, np.uint64, "r")
        Snapshot.build(path, keys, [f"+{prefix}*" for prefix in prefixes])
        hits = hits_with_prefixes(source, prefixes)
        variants[f"{count:,} prefixes"] = (Snapshot.open(path), hits)
    return _race_variants(label, variants, source, rounds)


def with_deltas(
    label: str, source: NumberSet, snapshot: Path, sizes: list[int], rounds: int
) -> dict[str, list[float]]:
    """The same base alone and under deltas that add `size` numbers and remove as many."""
    base = Snapshot.open(snapshot)
    variants = {"no delta": (base, source.half_hits)}
    for size in sizes:
        say(f"{label}: building a delta of {size:,}")
        add, remove = changes(source, size)
        path = snapshot.with_name(f"delta-{size}")
        Snapshot.build_delta(path, base, add=add, remove=remove)
        hits = hits_with_changes(source, add, remove)
        variants[f"delta of {size:,}"] = (Snapshot.open(snapshot, delta=path), hits)
    return _race_variants(label, variants, source, rounds)
