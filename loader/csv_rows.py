"""Rows of a CSV file that people and programs wrote: each with its line number and its text as it
stands.

Python's csv module reads the cells. This page adds what an honest report needs: one bad row (a
quote that is never closed, bytes that are no UTF-8, a line without end) is one bad row and never
swallows those after it.
"""

import csv
import datetime
import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

from loader.numbers import read_entry
from loader.store import (
    ISO_DAY,
    BadValueError,
    Entry,
    check_description,
    parse_date,
    parse_expiry,
)

BOM = "\ufeff".encode()
MAX_LINE = 65_536
MAX_QUOTED_LINES = 200
OVERLONG = f"expected at most {MAX_LINE} bytes in a line"
COLUMNS = ("number", "date", "description", "expires")


class Row(NamedTuple):
    """One row. `problem` says why `cells` cannot be trusted ("" when they can)."""

    line: int
    raw: str  # with its line end, if it has one; cut when `problem` says that it is too long
    cells: list[str]
    problem: str

    @property
    def ended(self) -> bool:
        return self.raw.endswith(("\n", "\r"))

    @property
    def overlong(self) -> bool:
        """`raw` is only the beginning of the line."""
        return self.problem == OVERLONG

    @property
    def blank(self) -> bool:
        return not self.problem and not any(cell.strip() for cell in self.cells)


class Lines:
    """The lines of UTF-8 text that comes in pieces; `plain_rows` takes its rows out of `buffer`.

    read: the next piece, b"" at the end. number: lines taken. buffer[at] is byte base + at.
    """

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self.buffer = b""
        self.at = 0
        self.base = 0
        self.number = 0
        self._ended = False

    @property
    def place(self) -> int:
        """Bytes before the next line."""
        return self.base + self.at

    def take(self, at: int, lines: int) -> None:
        """Say that compiled code has taken what is before buffer[at]."""
        self.at = at
        self.number += lines

    def ready(self) -> bool:
        """Whether there is a next line; reads on when it is not whole."""
        while not self._has_line() and self._fill():
            pass
        return self.at < len(self.buffer)

    def left_by(self, take: Callable[["Lines"], object]) -> Iterator[None]:
        """Stop at each line that `take` does not take; it is to be read before going on."""
        while True:
            take(self)
            if not self._has_line() and self._fill():
                continue
            if self.at == len(self.buffer):
                return
            yield

    def _has_line(self) -> bool:
        return len(self.buffer) - self.at > MAX_LINE or self.buffer.find(b"\n", self.at) >= 0

    def _fill(self) -> bool:
        """Read one piece more; False at the end."""
        piece = b"" if self._ended else self._read()
        if not piece:
            self._ended = True
            return False
        self.buffer = self.buffer[self.at :] + piece
        self.base += self.at
        self.at = 0
        return True

    def peek(self, skip: int = 0) -> bytes:
        """The line behind the next `skip` bytes, with its end; cut when it is over MAX_LINE bytes.

        b"" at the end of the text.
        """
        while True:
            start = self.at + skip
            limit = start + MAX_LINE + 1
            feed = self.buffer.find(b"\n", start, limit)
            end = feed + 1 if feed >= 0 else min(limit, len(self.buffer))
            carriage = self.buffer.find(b"\r", start, end)
            if carriage >= 0 and (carriage + 1 < len(self.buffer) or self._ended):
                is_pair = self.buffer[carriage + 1 : carriage + 2] == b"\n"
                return self.buffer[start : carriage + 1 + is_pair]
            if carriage < 0 and (feed >= 0 or end == limit or self._ended):
                return self.buffer[start:end]
            self._fill()

    def skip(self, line: bytes) -> None:
        """Go behind the line that peek() gave, and all of it if it was cut."""
        self.at += len(line)
        while len(line) > MAX_LINE and not line.endswith((b"\n", b"\r")):
            line = self.peek()
            self.at += len(line)
        self.number += 1


def read_row(
    lines: Lines,
    delimiter: str,
    quoted_lines: int = 1,
    *,
    quote: str = '"',
    encoding: str = "UTF-8",
) -> Row:
    """The next row, blank ones too, when there is one: lines.ready().

    quoted_lines: how many lines a cell in quotes may span. quote: "" for none. encoding: what the
    text was, for errors.
    """
    number = lines.number + 1
    data = lines.peek()
    text = data.decode("utf-8", "surrogateescape")
    if len(data) > MAX_LINE and not text.endswith(("\n", "\r")):
        lines.skip(data)
        return Row(number, text, [], OVERLONG)
    if not text.isascii() and not _is_unicode(text):
        lines.skip(data)
        return Row(number, text, [], f"expected {encoding}")
    if not quote or quote not in text:
        lines.skip(data)
        return Row(number, text, text.rstrip("\r\n").split(delimiter), "")
    cells, problem, is_open = _quoted_cells(text, delimiter, quote)
    taken = [data]
    while is_open and len(taken) < quoted_lines and sum(map(len, taken)) < MAX_LINE:
        more = lines.peek(sum(map(len, taken)))
        if not more or len(more) > MAX_LINE:
            break
        taken.append(more)
        if quote.encode() not in more:
            continue  # it cannot close the cell
        text = b"".join(taken).decode("utf-8", "surrogateescape")
        cells, problem, is_open = _quoted_cells(text, delimiter, quote)
    if problem and len(taken) > 1:
        # Not one long cell after all: only the first line is at fault.
        taken = taken[:1]
        text = data.decode("utf-8", "surrogateescape")
        problem = _UNCLOSED
    for line in taken:
        lines.skip(line)
    return Row(number, text, cells, problem)


_UNCLOSED = 'expected a closing " before the end of the line'


def _quoted_cells(text: str, delimiter: str, quote: str) -> tuple[list[str], str, bool]:
    """Cells, the problem with them, and whether the text ends inside quotes."""
    try:
        return (
            next(csv.reader([text], delimiter=delimiter, quotechar=quote, strict=True)),
            "",
            False,
        )
    except csv.Error:
        # Without `strict`, a cell that is still open at the end has the line end in it.
        cells = next(csv.reader([text], delimiter=delimiter, quotechar=quote))
        last = cells[-1] if cells else ""
        if last.endswith(("\n", "\r")) or not text.endswith(("\n", "\r")):
            return cells, _UNCLOSED, True
        return cells, 'expected nothing after a closing "', False


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# A list has few different days: reading each once is a third of the time of reading the list.
_date = functools.lru_cache(4096)(parse_date)
_expiry = functools.lru_cache(4096)(parse_expiry)


def read_entry_cells(
    number: str,
    date: str,
    description: str,
    expires: str,
    region: str | None,
    read_date: Callable[[str], datetime.date] = _date,
    read_expiry: Callable[[str], datetime.datetime] = _expiry,
    read_one: Callable[[str, str | None], str] = read_entry,
) -> Entry:
    """The entry that four cells mean; all but the number may be blank. Raises ValueError."""
    number = number.strip()
    if len(number) == 10 and ISO_DAY.fullmatch(number):
        raise BadValueError(f"number: expected a number, found the date {number}")
    date = date.strip()
    expires = expires.strip()
    return Entry(
        read_one(number, region),
        read_date(date) if date else None,
        check_description(description.strip()),
        read_expiry(expires) if expires else None,
    )


def csv_line(cells: list[str], delimiter: str = ",", end: str = "\n") -> str:
    """One line of CSV, cells quoted where they must be."""
    if len(cells) == 1 and not cells[0]:
        return '""' + end
    return (
        delimiter.join(
            '"' + cell.replace('"', '""') + '"'
            if delimiter in cell or '"' in cell or "\n" in cell or "\r" in cell
            else cell
            for cell in cells
        )
        + end
    )
