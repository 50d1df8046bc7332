"""Looks the same queries up in every contender, in turns, and measures each turn.

Figures are nanoseconds of processor time a query (`time.process_time_ns`, every thread counted), so
that other programs on the machine disturb them less than wall time. One round that is not counted
goes first.
"""

from __future__ import annotations

import gc
import json
import subprocess
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

from bench.number_sets import NumberSet
from bench.progress import say
from lookup_core import Snapshot

# The texts of one chunk are made just before they are looked up, as a call's number is: none has
# its hash computed yet, and all are in the processor's cache. Every contender gets them so.
CHUNK = 4096

# Index of a slice of queries to (nanoseconds, hits).
Turn = Callable[[int], tuple[int, int]]


@dataclass(frozen=True)
class Contender:
    """hits: how many the oracle counts in each slice.

    first_slice: 0 or 1. A round has two slices, so that what is looked up as text has not warmed
    the memory of what is looked up as a buffer.
    """

    turn: Turn
    slice_length: int
    hits: Sequence[int]
    first_slice: int


def find_texts(numbers: Container[str], texts: list[str]) -> list[bool]:
    return [text in numbers for text in texts]


def find_ints(numbers: Container[int], texts: list[str]) -> list[bool]:
    return [int(text[1:]) in numbers for text in texts]


def texts_one_by_one(
    loop: Callable[[Any, list[str]], list[bool]],
    numbers: object,
    source: NumberSet,
    hits: Sequence[int] | None = None,
) -> Contender:
    """Looks the texts of even slices up from Python with `loop`: `find_texts` or `find_ints`.

    hits: where they are not half of each slice.
    """
    # The interpreter adapts a loop's code to what it meets, so each contender has its own copy.
    own_loop = FunctionType(loop.__code__.replace(), globals())

    def turn(index: int) -> tuple[int, int]:
        keys = source.query_slice(index)
        spent = found = 0
        for start in range(0, len(keys), CHUNK):
            texts = [f"+{key}" for key in keys[start : start + CHUNK].tolist()]
            began = time.process_time_ns()
            answers = own_loop(numbers, texts)
            spent += time.process_time_ns() - began
            found += answers.count(True)
        return spent, found

    return Contender(turn, source.slice_length, hits or source.half_hits, first_slice=0)


def one_buffer(
    snapshot: Snapshot, source: NumberSet, hits: Sequence[int] | None = None
) -> Contender:
    """Looks a whole odd slice up in one call."""

    def turn(index: int) -> tuple[int, int]:
        keys = source.query_slice(index)
        began = time.process_time_ns()
        answers = snapshot.contains_many(keys)
        spent = time.process_time_ns() - began
        return spent, answers.count(1)

    return Contender(turn, source.slice_length, hits or source.half_hits, first_slice=1)


@contextmanager
def absl_set(program: Path, source: NumberSet) -> Iterator[tuple[Contender, dict[str, Any]]]:
    """The C++ set in its own process: the contender, and what the program says of itself."""
    command = [str(program), str(source.keys), str(source.queries)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin
        assert process.stdout
        asked, answers = process.stdin, process.stdout
        said = answers.readline()
        if not said:
            raise ChildProcessError(f"{program.name} ended with status {process.wait()}")

        def turn(index: int) -> tuple[int, int]:
            print(source.slice_length * index, source.slice_length, file=asked)
            spent, hits = answers.readline().split()
            return int(spent), int(hits)

        yield (
            Contender(turn, source.slice_length, source.half_hits, first_slice=1),
            json.loads(said),
        )


def run(label: str, contenders: dict[str, Contender], rounds: int) -> dict[str, list[float]]:
    """Nanoseconds a query of each contender in each counted round.

    Raises ValueError where a contender counts other hits than the oracle.
    """
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    gc.disable()
    for index in range(rounds + 1):
        say(f"{label}: round {index} of {rounds}")
        for name, contender in contenders.items():
            queries = 2 * index + contender.first_slice
            spent, found = contender.turn(queries)
            expected = contender.hits[queries]
            if found != expected:
                raise ValueError(f"{name}, {label}: expected {expected} hits, found {found}")
            if index:
                samples[name].append(spent / contender.slice_length)
    gc.enable()
    return samples
