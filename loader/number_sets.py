"""Sets of numbers of one length, as list entries: numbers, and prefixes where they are exact.

A prefix covers all numbers that begin so, whatever their length. It stands for numbers of one
length only where no number in use that begins so has another.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Protocol

from loader.numbers_in_use import counts_by_length, possible_lengths

MAX_ENTRIES = 10_000  # that one text becomes
DIGITS = "0123456789"


class RangeError(ValueError):
    """What was written stands for many numbers, but not for an exact set of them."""


class NumberSet(Protocol):
    """Numbers of one length, as digits behind the +."""

    @property
    def length(self) -> int: ...

    def has_all(self, start: str) -> bool:
        """Whether all numbers of this length that begin so are in it."""

    def has_some(self, start: str) -> bool:
        """Whether any is; asked only for starts that are one digit longer than one that has."""


class Between:
    """The numbers from one to another, both in it."""

    def __init__(self, first: str, last: str) -> None:
        self._first = first
        self._last = last
        self.length = len(first)

    def has_all(self, start: str) -> bool:
        lowest, highest = start.ljust(self.length, "0"), start.ljust(self.length, "9")
        return self._first <= lowest and highest <= self._last

    def has_some(self, start: str) -> bool:
        return self._first[: len(start)] <= start <= self._last[: len(start)]


class Masked:
    """The numbers that have in each place one of the digits given for it."""

    def __init__(self, places: Sequence[str]) -> None:
        self._places = places
        self.length = len(places)
        held = itertools.dropwhile(lambda place: place == DIGITS, reversed(places))
        self._held = len(list(held))  # behind these places there may be anything

    def has_all(self, start: str) -> bool:
        return len(start) >= self._held

    def has_some(self, start: str) -> bool:
        return start[-1] in self._places[len(start) - 1]


def fewest_entries(numbers: NumberSet) -> tuple[str, ...]:
    """Canonical numbers and the fewest prefixes, in order, that cover of the numbers in use exactly
    these. Raises RangeError for more than MAX_ENTRIES.
    """
    found: list[str] = []
    waiting = [digit for digit in reversed(DIGITS[1:]) if numbers.has_some(digit)]
    while waiting:
        start = waiting.pop()
        if len(start) == numbers.length:
            found.append(f"+{start}")
        elif numbers.has_all(start) and _lengths(start) == {numbers.length}:
            found.append(f"+{start}*")
        else:
            longer = [start + digit for digit in reversed(DIGITS)]
            waiting.extend(start for start in longer if numbers.has_some(start))
        check_count(found)
    return tuple(found)


def check_count(entries: Sequence[str]) -> None:
    """Raises RangeError for more than MAX_ENTRIES."""
    if len(entries) > MAX_ENTRIES:
        raise RangeError(
            f"more than {MAX_ENTRIES:,} numbers and prefixes: write smaller ranges, or a prefix "
            "like +48600*"
        )


def _lengths(start: str) -> frozenset[int]:
    """Where no number in use begins so, those that the plan allows."""
    return frozenset(counts_by_length(start)) or possible_lengths(start)
