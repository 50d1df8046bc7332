"""Number lists for decisions, without files: a dict of sets."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from screening import Lists


@dataclass(frozen=True)
class SetList:
    """A list by the book: exact entries and prefixes in a set, the longest match wins."""

    entries: frozenset[str]
    generation: int = 1

    def match(self, number: str) -> str | None:
        if number in self.entries:
            return number
        if number.startswith("+"):
            for length in range(len(number), 1, -1):
                if (prefix := f"{number[:length]}*") in self.entries:
                    return prefix
        return None

    def random(self, rng: random.Random) -> str | None:
        numbers = sorted(e for e in self.entries if e != "anonymous" and not e.endswith("*"))
        return rng.choice(numbers) if numbers else None


def number_lists(**entries: Iterable[str]) -> Lists:
    return {name: SetList(frozenset(found)) for name, found in entries.items()}
