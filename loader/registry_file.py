"""Files of national registries as they come: numbers, and changes of them.

    ftc, crtc   `201,5550123`: area code and number, of the United States and of Canada
    numbers     one number a line, E.164 or as dialled in the region, perhaps with more columns

A row of a change file has A (added) or D (deleted) in one more cell, wherever the registry puts it.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from loader.csv_list import PIECE, system_errors
from loader.csv_rows import BOM, Lines, Row, read_entry_cells, read_row
from loader.edit_table import entry_key_of
from loader.list_keys import ListKeys
from loader.number_rules import in_region
from loader.plain_rows import PlainReader
from loader.registry_rows import collect_north_american, find_north_american
from loader.store import BadValueError, Entry, Reject, is_prefix

FORMATS = ("ftc", "crtc", "numbers")
NORTH_AMERICAN = ("ftc", "crtc")
MAX_COLUMNS = 64
Take = Callable[[Lines], object]
_AREA_CODE = re.compile(r"[2-9]\d\d", re.ASCII)
_LOCAL = re.compile(r"\d{7}", re.ASCII)
_CHANGES = {"a": True, "add": True, "d": False, "delete": False}


class RegistryFile:
    """One file, read row by row; nothing of it is kept."""

    def __init__(self, path: Path, file_format: str, region: str | None) -> None:
        self._path = path
        self._is_north_american = file_format in NORTH_AMERICAN
        self._region = region

    def collect(self, found: ListKeys) -> None:
        """Put the keys of all rows into `found`. Raises StoreError."""
        reader = self._plain_reader()

        def take(lines: Lines) -> None:
            if self._is_north_american:
                lines.take(*collect_north_american(lines.buffer, lines.at, found.keys))
            else:
                at, count = reader.collect(lines.buffer, lines.at, found.keys)
                lines.take(at, count)

        for what in self._rows(take):
            found.take(what)

    def entries(self) -> Iterator[Entry | Reject]:
        """All rows in order. Raises StoreError."""
        return self._rows(lambda _: None)

    def has(self, number: str) -> bool:
        """Whether a row has this canonical number. Raises StoreError."""
        if is_prefix(number):
            return False
        reader = self._plain_reader()
        key = entry_key_of(number)
        is_found = False

        def take(lines: Lines) -> None:
            nonlocal is_found
            if self._is_north_american:
                at, count, found = find_north_american(lines.buffer, lines.at, key)
            else:
                at, count, found = reader.find(lines.buffer, lines.at, key)
            lines.take(at, count)
            is_found = is_found or found is not None

        for what in self._rows(take):
            if is_found or (isinstance(what, Entry) and what.number == number):
                return True
        return is_found

    def changes(self) -> Iterator[tuple[bool, str] | Reject]:
        """(whether it is added, number) of each row of a change file. Raises StoreError."""
        for row in self._lines(lambda _: None):
            try:
                if row.problem:
                    raise BadValueError(row.problem)
                told = [_CHANGES.get(cell.strip().casefold()) for cell in row.cells[1:]]
                found = [added for added in told if added is not None]
                if len(found) != 1:
                    raise BadValueError("expected one cell with A or D, found no or several")
                yield found[0], self._number(row.cells)
            except ValueError as error:
                yield Reject(row.line, row.raw.rstrip("\r\n"), str(error))

    def _rows(self, take: Take) -> Iterator[Entry | Reject]:
        """The rows that `take` leaves."""
        for row in self._lines(take):
            try:
                if row.problem:
                    raise BadValueError(row.problem)
                yield Entry(self._number(row.cells))
            except ValueError as error:
                yield Reject(row.line, row.raw.rstrip("\r\n"), str(error))

    def _lines(self, take: Take) -> Iterator[Row]:
        """The rows that `take` leaves, without blank ones and a header."""
        with system_errors(self._path), self._path.open("rb") as file:
            lines = Lines(lambda: file.read(PIECE))
            if lines.ready() and lines.buffer.startswith(BOM):
                lines.take(len(BOM), 0)
            for _ in lines.left_by(take):
                row = read_row(lines, ",")
                is_header = row.line == 1 and not any(c.isdigit() for c in row.raw)
                if not row.blank and not is_header:
                    yield row

    def _number(self, cells: list[str]) -> str:
        """Raises ValueError."""
        if not self._is_north_american:
            number = read_entry_cells(cells[0], "", "", "", self._region).number
            if is_prefix(number):
                raise BadValueError("expected a number, found a prefix")
            return number
        area, local = [*(cell.strip() for cell in cells), "", ""][:2]
        if not (_AREA_CODE.fullmatch(area) and _LOCAL.fullmatch(local)):
            raise BadValueError("expected 3 digits of area code from 2 on, a comma, and 7 digits")
        return f"+1{area}{local}"

    def _plain_reader(self) -> PlainReader:
        return PlainReader(b",", (0, -1, -1, -1), MAX_COLUMNS, in_region(self._region)[1])
