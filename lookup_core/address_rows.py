"""The SIP addresses of a list and when they end, as the section `addresses` of a snapshot file.

They are text that no 64-bit key can hold, and few beside a list's numbers: so they stand in the
file as they are, sorted, and are looked for by halving. An end is in microseconds since 1970.
"""

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from lookup_core.errors import CorruptSnapshotError

MAX_ADDRESSES = 100_000
"""Of one list. Opening a file reads them all."""

MAX_BYTES = 400  # of one address
NEVER = 2**63 - 1  # the end of one that has none
_SCHEME = "sip:"
_EVERY_USER = b"sip:*@"
_HEAD = struct.Struct("<Qq")  # rows, the first end
_ROW = struct.Struct("<qQ")  # end, where the text ends behind the last row


def is_address(entry: str) -> bool:
    """Whether an entry is an address, and so looked for among them and not among the numbers."""
    return entry.startswith(_SCHEME)


def address_rows(addresses: Mapping[str, int | None]) -> bytes:
    """The section for addresses and their ends, None for no end. Raises ValueError, TypeError."""
    if len(addresses) > MAX_ADDRESSES:
        raise ValueError(f"addresses: expected at most {MAX_ADDRESSES:,}, found {len(addresses):,}")
    rows = sorted(
        (_checked(text), NEVER if end is None else end) for text, end in addresses.items()
    )
    first = min((end for _, end in rows), default=NEVER)
    parts = [_HEAD.pack(len(rows), first)]
    at = 0
    for text, end in rows:
        at += len(text)
        parts.append(_ROW.pack(end, at))
    parts += (text for text, _ in rows)
    return b"".join(parts)


def changed_addresses(
    before: Mapping[str, int | None], add: Mapping[str, int | None], remove: Iterable[str]
) -> dict[str, int | None]:
    """`before` after these have been removed and added. Raises ValueError, TypeError."""
    removed = {_checked(text) for text in remove}
    return {text: end for text, end in before.items() if text.encode() not in removed} | dict(add)


def _checked(text: str) -> bytes:
    if not isinstance(text, str):
        raise TypeError(f"addresses: expected str, found {type(text).__name__}")
    name, at, host = text.removeprefix(_SCHEME).partition("@")
    is_text = text.isascii() and text.isprintable() and " " not in text
    if not (is_text and is_address(text) and name and at and host and len(text) <= MAX_BYTES):
        raise ValueError(f"addresses: expected 'sip:', a user, '@' and a host, found {text[:80]!r}")
    return text.encode()


class AddressRows:
    """The addresses in a section's bytes. first_end: the earliest end, NEVER for none."""

    def __init__(self, path: Path, content: bytes) -> None:
        """content: a copy of the section, of which the checksum was right.

        Raises CorruptSnapshotError.
        """
        self._path = path
        self._content = content
        if len(content) < _HEAD.size:
            raise self._problem("length", f"at least {_HEAD.size}", len(content))
        self._count, self.first_end = _HEAD.unpack_from(content)
        if self._count > MAX_ADDRESSES:
            raise self._problem("row_count", f"at most {MAX_ADDRESSES}", self._count)
        self._texts = _HEAD.size + self._count * _ROW.size
        if len(content) < self._texts:
            raise self._problem("length", f"at least {self._texts}", len(content))
        at = 0
        rows = _ROW.iter_unpack(content[_HEAD.size : self._texts])
        for row, (_, behind) in enumerate(rows):
            if not at < behind <= at + MAX_BYTES:
                raise self._problem(f"row[{row}]", f"{at + 1} to {at + MAX_BYTES}", behind)
            at = behind
        if len(content) != self._texts + at:
            raise self._problem("length", self._texts + at, len(content))

    def end_of(self, address: str) -> int | None:
        """When this very address ends, NEVER for never; None when it is not in the list."""
        return self._found(address.encode(errors="replace"))

    def match(self, address: str, now: int) -> str | None:
        """The entry that an address matches at `now`: itself, else `sip:*@` its host."""
        text = address.encode(errors="replace")
        for entry in (text, _EVERY_USER + text.rpartition(b"@")[2]):
            end = self._found(entry)
            if end is not None and end >= now:
                return entry.decode()
        return None

    def items(self) -> dict[str, int | None]:
        """Every address and its end, None for no end. Raises CorruptSnapshotError."""
        found: dict[str, int | None] = {}
        before = b""
        for row in range(self._count):
            text = self._text(row)
            if text <= before or not text.isascii():
                raise self._problem(f"row[{row}]", "addresses in order", text[:80])
            before = text
            end, _ = self._row(row)
            found[text.decode()] = None if end == NEVER else end
        return found

    def _found(self, text: bytes) -> int | None:
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._text(middle) < text:
                low = middle + 1
            else:
                high = middle
        if low < self._count and self._text(low) == text:
            return self._row(low)[0]
        return None

    def _row(self, row: int) -> tuple[int, int]:
        end, behind = _ROW.unpack_from(self._content, _HEAD.size + row * _ROW.size)
        return end, behind

    def _text(self, row: int) -> bytes:
        start = self._row(row - 1)[1] if row else 0
        return self._content[self._texts + start : self._texts + self._row(row)[1]]

    def _problem(self, field: str, expected: object, found: object) -> CorruptSnapshotError:
        return CorruptSnapshotError(self._path, f"addresses.{field}", expected, found)
