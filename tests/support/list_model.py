"""What a list must be while it is being changed: the oracle of `make soak`."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Membership(NamedTuple):
    """One number at one moment. While it is being changed, either answer is right."""

    version: int
    is_listed: bool

    @property
    def is_changing(self) -> bool:
        return self.version % 2 == 1


class ListModel:
    """Which numbers are on one list. Threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listed: set[str] = set()
        self._versions: Counter[str] = Counter()  # odd: being changed

    @property
    def listed(self) -> set[str]:
        with self._lock:
            return set(self._listed)

    def snapshot(self, number: str) -> Membership:
        with self._lock:
            return Membership(self._versions[number], number in self._listed)

    @contextmanager
    def changing(self, number: str) -> Iterator[bool]:
        """Yields whether it is to be listed from now on. It stays unsettled if that fails."""
        with self._lock:
            self._versions[number] += 1
            listed = number not in self._listed
        yield listed
        with self._lock:
            (self._listed.add if listed else self._listed.discard)(number)
            self._versions[number] += 1
