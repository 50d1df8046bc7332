from array import array
from collections.abc import Sequence
from typing import Self, final

from loader.plain_numbers import RegionReader

@final
class PlainReader:
    delimiter: bytes
    width: int
    def __new__(
        cls,
        delimiter: bytes,
        columns: Sequence[int],
        width: int,
        region: RegionReader,
        days: dict[bytes, bytes] | None = None,
        quote: str = '"',
        stored: bool = False,
        full_only: bool = False,
        valid_only: bool = False,
    ) -> Self: ...
    def collect(self, buffer: bytes, at: int, keys: array[int]) -> tuple[int, int]: ...
    def find(self, buffer: bytes, at: int, number: int) -> tuple[int, int, int | None]: ...
