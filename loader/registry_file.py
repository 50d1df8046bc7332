"""Files of national registries as they come: numbers, and changes of them.

Which registries there are, and what their rows look like, is in registries.py. A row of a change
file has A (added) or D (deleted) in one more cell, wherever the registry puts it; a full file has
no such cell, and each of the two is refused where the other is wanted.
"""

import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from loader.csv_rows import MAX_LINE, Lines, Row, read_row
from loader.edit_table import entry_key_of
from loader.list_keys import ListKeys
from loader.number_rules import in_region
from loader.numbers import read_entries
from loader.plain_rows import PlainReader
from loader.registries import AREA_CODES, registry_named
from loader.registry_download import Read, open_download
from loader.registry_rows import (
    collect_north_american,
    collect_numbers,
    count_north_american,
    find_north_american,
)
from loader.store import BadValueError, Entry, Reject, escaped, is_prefix, quoted

Take = Callable[[Lines], object]
Seen = Callable[[bytes], object]
_AREA_CODE = re.compile(r"[2-9]\d\d", re.ASCII)
_LOCAL = re.compile(r"\d{7}", re.ASCII)
_CHANGES = {"a": True, "add": True, "d": False, "delete": False}
_MARKED_CELL = re.compile(rb'(?i),[ \t]*"?(?:a|d|add|delete)"?[ \t]*(?=[,\r\n])')
_UNMARKED = "expected one cell with A or D, found none"
_ENOUGH = 1000  # rows without A or D, more than with, to know a full file by
_FIRST_ROWS = 1 << 16  # bytes of them


@dataclass
class ChangeCounts:
    """Rows of a change file."""

    added: int = 0
    removed: int = 0
    rejected: int = 0


class RegistryFile:
    """One file, read row by row; nothing of it is kept.

    region: of national numbers in a list that belongs to no country; a registry of a country is
    read in its own.
    """

    def __init__(self, path: Path, file_format: str, region: str | None) -> None:
        self._path = path
        self._name = escaped(str(path), 300)
        self._registry = registry_named(file_format)
        self._has_area_codes = self._registry.form == AREA_CODES
        self._region = self._registry.region or region

    def check(self, seen: Seen = lambda _: None) -> None:
        """Look at every row, before the file takes the place of another.

        seen: given all bytes of the file. Raises BadValueError when it is no full file, empty, cut
        off or mostly unreadable; StoreError.
        """
        reader = self._plain_reader()
        keys = array("Q")
        good = bad = shortest = 0
        first: Reject | None = None

        def take(lines: Lines) -> None:
            nonlocal good, shortest
            shortest = shortest or _shortest_row(lines.buffer)
            if self._has_area_codes:
                at, count = count_north_american(lines.buffer, lines.at)
            else:
                at, count = collect_numbers(reader, lines.buffer, lines.at, keys)
                del keys[:]
            lines.take(at, count)
            good += count

        for row, what in self._full_rows(take, seen, self._refusing_marks):
            if isinstance(what, Reject):
                bad += 1
                first = first or what
            else:
                good += 1
            is_short = not self._has_area_codes and len(row.raw.rstrip()) < shortest
            if not row.ended and (isinstance(what, Reject) or is_short):
                raise self._cut_off(row)
        self._check_counts(good, bad, first)

    def check_changes(self) -> ChangeCounts:
        """The same for a change file; how many of its rows say what."""
        counts = ChangeCounts()
        unmarked = 0
        first: Reject | None = None
        cut: Row | None = None
        for row, what in self._change_rows():
            if not isinstance(what, Reject):
                counts.added += what[0]
                counts.removed += not what[0]
                continue
            counts.rejected += 1
            first = first or what
            cut = None if row.ended else row
            unmarked += what.reason == _UNMARKED
            if unmarked - counts.added - counts.removed >= _ENOUGH:
                break  # a whole registry would take an hour
        good = counts.added + counts.removed
        if first and unmarked > good:
            raise BadValueError(
                f"{self._name} line {first.line}: expected a change file, rows with A or D, found a"
                f" full one: {quoted(first.text)}; use callsieve list attach for it"
            )
        if cut:
            raise self._cut_off(cut)
        self._check_counts(good, counts.rejected, first)
        return counts

    def collect(self, found: ListKeys) -> None:
        """Put the keys of all rows into `found`. Raises StoreError."""
        reader = self._plain_reader()

        def take(lines: Lines) -> None:
            if self._has_area_codes:
                lines.take(*collect_north_american(lines.buffer, lines.at, found.keys))
            else:
                lines.take(*collect_numbers(reader, lines.buffer, lines.at, found.keys))

        for _, what in self._full_rows(take):
            found.take(what)

    def entries(self) -> Iterator[Entry | Reject]:
        """All rows in order. Raises StoreError."""
        return (what for _, what in self._full_rows(lambda _: None))

    def has(self, number: str) -> bool:
        """Whether a row has this canonical number. Raises StoreError."""
        if is_prefix(number) or not number.startswith("+"):
            return False
        reader = self._plain_reader()
        key = entry_key_of(number)
        is_found = False

        def take(lines: Lines) -> None:
            nonlocal is_found
            if self._has_area_codes:
                at, count, found = find_north_american(lines.buffer, lines.at, key)
            else:
                at, count, found = reader.find(lines.buffer, lines.at, key)
            lines.take(at, count)
            is_found = is_found or found is not None

        for _, what in self._full_rows(take):
            if is_found or (isinstance(what, Entry) and what.number == number):
                return True
        return is_found

    def changes(self) -> Iterator[tuple[bool, str] | Reject]:
        """(whether it is added, number) of each row of a change file. Raises StoreError."""
        return (what for _, what in self._change_rows())

    def _full_rows(
        self, take: Take, seen: Seen = lambda _: None, through: Callable[[Read], Read] = lambda r: r
    ) -> Iterator[tuple[Row, Entry | Reject]]:
        """The rows that `take` leaves, of a full file."""
        columns = self._registry.columns
        for row in self._lines(take, seen, through):
            more = [cell for cell in row.cells[columns:] if cell.strip()]
            if any(_said(cell) is not None for cell in more):
                raise self._change_file(row.raw, f" line {row.line}")
            try:
                if more:
                    cells = "1 cell" if columns == 1 else f"{columns} cells"
                    raise BadValueError(f"expected {cells} in a row, found {len(row.cells)}")
                yield row, Entry(self._number(row))
            except ValueError as error:
                yield row, _reject(row, error)

    def _change_rows(self) -> Iterator[tuple[Row, tuple[bool, str] | Reject]]:
        for row in self._lines(lambda _: None):
            try:
                told = [_said(cell) for cell in row.cells[1:]]
                found = [added for added in told if added is not None]
                if row.problem:
                    raise BadValueError(row.problem)
                if not found:
                    raise BadValueError(_UNMARKED)
                if len(found) > 1:
                    raise BadValueError("expected one cell with A or D, found several")
                yield row, (found[0], self._number(row))
            except ValueError as error:
                yield row, _reject(row, error)

    def _lines(
        self, take: Take, seen: Seen = lambda _: None, through: Callable[[Read], Read] = lambda r: r
    ) -> Iterator[Row]:
        """The rows that `take` leaves, without blank ones and a header."""
        with open_download(self._path, self._registry, seen) as read:
            lines = Lines(through(read))
            for _ in lines.left_by(take):
                row = read_row(lines, ",")
                is_header = row.line == 1 and not any(c.isdigit() for c in row.raw)
                if not row.blank and not is_header:
                    yield row

    def _number(self, row: Row) -> str:
        """Raises ValueError."""
        if row.problem:
            raise BadValueError(row.problem)
        if not self._has_area_codes:
            return _full_number(row.cells[0].strip(), self._region)
        area, local = [*(cell.strip() for cell in row.cells), "", ""][:2]
        if not (_AREA_CODE.fullmatch(area) and _LOCAL.fullmatch(local)):
            raise BadValueError("expected 3 digits of area code from 2 on, a comma, and 7 digits")
        return f"+1{area}{local}"

    def _plain_reader(self) -> PlainReader:
        region = in_region(self._region)[1]
        return PlainReader(b",", (0, -1, -1, -1), self._registry.columns, region)

    def _refusing_marks(self, read: Read) -> Read:
        """The same pieces, until a row has A or D where the fast path does not look."""
        if self._has_area_codes or self._registry.columns == 1:
            return read
        rest = b""

        def checked() -> bytes:
            nonlocal rest
            piece = read()
            text = rest + (piece or b"\n")
            end = text.rfind(b"\n") + 1
            if found := _MARKED_CELL.search(text, 0, end):
                start = text.rfind(b"\n", 0, found.start()) + 1
                line = text[start : text.find(b"\n", start)]
                raise self._change_file(line.decode("utf-8", "replace"))
            rest = text[end:][-MAX_LINE:]
            return piece

        return checked

    def _change_file(self, row: str, where: str = "") -> BadValueError:
        return BadValueError(
            f"{self._name}{where}: expected a full file, found a change file:"
            f" {quoted(row.rstrip())} has A or D in a cell; use callsieve list update for it"
        )

    def _cut_off(self, row: Row) -> BadValueError:
        return BadValueError(
            f"{self._name} line {row.line}: expected a whole row at the end, found"
            f" {quoted(row.raw)}: the file is cut off; download it again (or end this row with a"
            " line end, if it is whole)"
        )

    def _check_counts(self, good: int, bad: int, first: Reject | None) -> None:
        if first is None and not good:
            raise BadValueError(f"{self._name}: expected rows of numbers, found none")
        if first and bad > good:
            raise BadValueError(
                f"{self._name} line {first.line}: expected a file of the format"
                f" {self._registry.name}, found {quoted(first.text)}: {first.reason}"
                f" ({bad} of {good + bad} rows cannot be read)"
            )


def _said(cell: str) -> bool | None:
    """Whether the cell says added or deleted; None: neither."""
    return _CHANGES.get(cell.strip().casefold())


def _full_number(text: str, region: str | None) -> str:
    """The one number that can be dialled from everywhere. Raises ValueError."""
    numbers, tier, _ = read_entries(text, region)
    if len(numbers) > 1:
        raise BadValueError(f"expected one number, found {len(numbers)}")
    if is_prefix(numbers[0]):
        raise BadValueError("expected a number, found a prefix")
    if tier is None:
        raise BadValueError("expected a full number, found an extension or short number")
    return numbers[0]


def _reject(row: Row, error: ValueError) -> Reject:
    return Reject(row.line, row.raw.rstrip("\r\n"), str(error))


def _shortest_row(buffer: bytes) -> int:
    """Characters of the shortest of the first rows that are whole, without a header."""
    rows = buffer[:_FIRST_ROWS].split(b"\n")[:-1]
    sizes = [len(row.rstrip()) for row in rows if any(48 <= byte <= 57 for byte in row)]
    return min(sizes, default=0)
