import random
from array import array
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import final

from typing_extensions import Buffer

@final
class Snapshot:
    path: Path
    @staticmethod
    def build(
        path: str | PathLike[str],
        numbers: Iterable[str | int],
        prefixes: Iterable[str] = (),
        *,
        seed: int | None = None,
    ) -> None: ...
    @staticmethod
    def build_delta(
        path: str | PathLike[str],
        base: Snapshot,
        add: Iterable[str | int] = (),
        remove: Iterable[str | int] = (),
        add_prefixes: Iterable[str] = (),
        remove_prefixes: Iterable[str] = (),
        *,
        seed: int | None = None,
    ) -> None: ...
    @staticmethod
    def build_delta_since(
        path: str | PathLike[str],
        onto: Snapshot,
        before: Snapshot,
        after: Snapshot,
        *,
        seed: int | None = None,
    ) -> None: ...
    @staticmethod
    def open(
        path: str | PathLike[str], *, delta: str | PathLike[str] | None = None
    ) -> Snapshot: ...
    def __contains__(self, number: str | int) -> bool: ...
    def match(self, text: str) -> str | None: ...
    def contains_many(self, keys: Buffer) -> bytearray: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def keys(self) -> array[int]: ...
    def has_entries_of(self, other: Snapshot) -> bool: ...
    @property
    def prefixes(self) -> tuple[str, ...]: ...
    @property
    def nbytes(self) -> int: ...
    def random(self, rng: random.Random) -> str | None: ...
    def verify(self) -> None: ...
    def close(self) -> None: ...
