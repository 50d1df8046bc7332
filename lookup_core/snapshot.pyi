import random
from array import array
from collections.abc import Iterable, Iterator, Mapping
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
        ends: Iterable[tuple[str | int, int]] = (),
        addresses: Mapping[str, int | None] = ...,
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
        ends: Iterable[tuple[str | int, int]] = (),
        add_addresses: Mapping[str, int | None] = ...,
        remove_addresses: Iterable[str] = (),
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
    def match(self, text: str, now: int | None = None) -> str | None: ...
    def contains_many(self, keys: Buffer, now: int | None = None) -> bytearray: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def keys(self) -> array[int]: ...
    def has_entries_of(self, other: Snapshot) -> bool: ...
    def has_entry(self, entry: str) -> bool: ...
    @property
    def first_end(self) -> int | None: ...
    def ends(self) -> Iterator[tuple[int, int]]: ...
    def ended(self, now: int | None = None) -> list[str]: ...
    @property
    def prefixes(self) -> tuple[str, ...]: ...
    @property
    def addresses(self) -> dict[str, int | None]: ...
    @property
    def nbytes(self) -> int: ...
    def random(self, rng: random.Random, now: int | None = None) -> str | None: ...
    def verify(self) -> None: ...
    def close(self) -> None: ...
