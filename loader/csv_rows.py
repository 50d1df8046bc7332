"""Rows of a CSV file that people and programs wrote: each with its line number and its text as it
stands.

Python's csv module reads the cells. This page adds what an honest report needs: one bad row (a
quote that is never closed, bytes that are no UTF-8, a line without end) is one bad row and never
swallows those after it.
"""

import csv
import functools
import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, TextIO

from loader.numbers import read_entry
from loader.store import (
    ISO_DAY,
    BadValueError,
    Entry,
    check_description,
    parse_date,
    parse_expiry,
)

BOM = "\ufeff"
MAX_LINE = 65_536
MAX_QUOTED_LINES = 20
COLUMNS = ("number", "date", "description", "expires")

# What headers call these columns, lower case, letters and digits only, without accents.
_NAMES = {
    "number": "number num nr phone phonenumber phoneno telephone telephonenumber tel telefon"
    " telefonnummer nrtelefonu nrtel numer numertelefonu numertel msisdn mobile cell cellphone"
    " komorka e164 cli ani callerid callernumber did rufnummer nummer numero telefono",
    "date": "date data datum fecha added addedon dateadded dateofaddition adddate created"
    " createdat datecreated datadodania dodano",
    "description": "description desc note notes comment comments remark remarks opis notatka"
    " notatki uwagi komentarz beschreibung notiz bemerkung",
    "expires": "expires expiry expire expiresat expiresion expirydate expirationdate validuntil"
    " until validto wygasa waznydo waznedo datawaznosci",
}
_FIELD_OF = {name: field for field, names in _NAMES.items() for name in names.split()}


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
        return len(self.raw) > MAX_LINE and not self.ended

    @property
    def blank(self) -> bool:
        return not self.problem and not any(cell.strip() for cell in self.cells)


def read_rows(file: TextIO, delimiter: str, quoted_lines: int = 1) -> Iterator[Row]:
    """The rows of `file`, blank ones too.

    file: opened with newline="" and errors="surrogateescape", past its byte order mark.
    quoted_lines: how many lines a cell in quotes may span.
    """
    waiting: deque[str] = deque()
    number = 0
    while line := waiting.popleft() if waiting else file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE and not line.endswith(("\n", "\r")):
            while (rest := file.readline(MAX_LINE)) and not rest.endswith(("\n", "\r")):
                pass
            yield Row(number, line, [], f"expected at most {MAX_LINE} characters in a line")
            continue
        if not line.isascii() and not _is_unicode(line):
            yield Row(number, line, [], "expected UTF-8")
            continue
        if '"' not in line:
            yield Row(number, line, line.rstrip("\r\n").split(delimiter), "")
            continue
        cells, problem, is_open = _quoted_cells(line, delimiter)
        taken = [line]
        while is_open and len(taken) < quoted_lines and sum(map(len, taken)) < MAX_LINE:
            more = waiting.popleft() if waiting else file.readline(MAX_LINE + 1)
            if not more:
                break
            taken.append(more)
            cells, problem, is_open = _quoted_cells("".join(taken), delimiter)
        if problem and len(taken) > 1:
            # Not one long cell after all: only the first line is at fault.
            waiting.extendleft(reversed(taken[1:]))
            taken = taken[:1]
            problem = _UNCLOSED
        yield Row(number, "".join(taken), cells, problem)
        number += len(taken) - 1


_UNCLOSED = 'expected a closing " before the end of the line'


def _quoted_cells(text: str, delimiter: str) -> tuple[list[str], str, bool]:
    """Cells, the problem with them, and whether the text ends inside quotes."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True)), "", False
    except csv.Error:
        # Without `strict`, a cell that is still open at the end has the line end in it.
        cells = next(csv.reader([text], delimiter=delimiter))
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
    number: str, date: str, description: str, expires: str, region: str | None
) -> Entry:
    """The entry that four cells mean; all but the number may be blank. Raises ValueError."""
    number = number.strip()
    if len(number) == 10 and ISO_DAY.fullmatch(number):
        raise BadValueError(f"number: expected a number, found the date {number}")
    date = date.strip()
    expires = expires.strip()
    return Entry(
        read_entry(number, region),
        _date(date) if date else None,
        check_description(description.strip()),
        _expiry(expires) if expires else None,
    )


def field_named(header_cell: str) -> str | None:
    """Which of COLUMNS a header cell means, or None."""
    plain = unicodedata.normalize("NFKD", header_cell.casefold())
    return _FIELD_OF.get(re.sub(r"[\W_]|[\u0300-\u036f]", "", plain))


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
