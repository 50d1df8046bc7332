"""How the rows of a CSV file are read: delimiter, quotes, header, and which column is what."""

import csv
import datetime
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from loader.column_choice import (
    MAX_COLUMNS,
    are_full,
    choose_columns,
    columns_of,
    country_column,
    kind_of,
)
from loader.csv_rows import COLUMNS, MAX_QUOTED_LINES, Lines, Row, read_row
from loader.csv_source import Encoding, ImportFileError, find_encoding, open_source
from loader.date_formats import DAY_ZERO_1900, Dates
from loader.header_names import field_named
from loader.key_table import KeyTable
from loader.number_rules import in_region
from loader.numbers import read_entry
from loader.plain_rows import PlainReader
from loader.store import quoted

DELIMITERS = ",;\t|"
QUOTES = {"double": '"', "single": "'", "none": ""}
SAMPLE_LINES = 50
SAMPLE_ROWS = 200
# A header stands behind so many lines of titles at most.
MAX_TITLES = 20
_IN_SINGLE_QUOTES = re.compile(r"'[^']*'")
_SEPARATOR_LINE = re.compile(r"\ufeff?\"?sep=([!#-&(-/:-@\[-`{-~]|\t)\"?\s*", re.IGNORECASE)
_WORD_AND_DIGIT = re.compile(r"\s*[^\W\d_]{2}.*\D\d{1,2}\s*$", re.DOTALL)  # `Telefon 2`
_COMMENT = re.compile(r"\s*#(?![\d*+])")
# What a file of rejected rows has more than the file that they come from.
REJECT_COLUMNS = ("line", "reason")


@dataclass(frozen=True)
class Layout:
    """How the rows of a file are read.

    quote: "" for none. header: the names in the header's row, () when it has none. width: the
    number of columns. columns: field of FIELDS -> position from 0. first_line: of the header, or of
    the first row; what is before it is left out. titles: lines left out there that say something.
    are_full: the first rows have full numbers, so that short ones are mistakes.
    """

    encoding: Encoding
    delimiter: str
    quote: str
    header: tuple[str, ...]
    width: int
    columns: Mapping[str, int]
    dates: Dates = field(default_factory=Dates)
    first_line: int = 1
    titles: int = 0
    are_full: bool = False

    def read_row(self, lines: Lines) -> Row:
        return read_row(
            lines,
            self.delimiter,
            MAX_QUOTED_LINES,
            quote=self.quote,
            encoding=self.encoding.name,
        )

    def plain_reader(self, region: str | None, valid_only: bool) -> PlainReader:
        """Reads the plain rows among them, if they are read in one region.

        valid_only: those whose number is in use.
        """
        _, reader, _ = in_region(region)
        places = [self.columns.get(name, -1) for name in COLUMNS]
        if "country" in self.columns:
            places[0] = -1
        days = self.dates.days
        delimiter = self.delimiter.encode()
        return PlainReader(
            delimiter,
            places,
            self.width,
            reader,
            days,
            self.quote,
            full_only=True,
            valid_only=valid_only,
        )


def is_comment(row: Row) -> bool:
    """Whether the line begins with # and is no number with a # before it."""
    return _COMMENT.match(row.raw) is not None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator says about a file; the rest is found out.

    mapping: field of FIELDS -> column name, position from 1, or "" to leave the field out.
    encoding: a key of encodings.ENCODINGS. quote: a value of QUOTES. date_formats: for Dates, as
    are day_zero and iso_dates.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    date_formats: Sequence[str] = ()
    day_zero: datetime.date = DAY_ZERO_1900
    iso_dates: bool = False


def read_layout(
    file: Path, wanted: Wanted, region: str | None, ours: KeyTable | None = None
) -> Layout:
    """Encoding, delimiter, quotes, header and columns of the CSV file `file`.

    Columns that are not in the mapping are found by their cells and the header (column_choice), of
    the first SAMPLE_ROWS rows. ours: entry keys of our own numbers, which are no column to import.
    Raises ImportFileError, BadValueError for a bad date format.
    """
    dates = Dates(wanted.date_formats, wanted.day_zero, wanted.iso_dates)
    encoding = find_encoding(file, wanted.encoding)
    with open_source(file, encoding) as source:
        lines = source.lines
        lines.ready()
        sample = list(islice(_texts(lines), SAMPLE_LINES))
    separator = _SEPARATOR_LINE.fullmatch(sample[0]) if sample else None
    sample = [line for line in sample[separator is not None :] if line.strip()]
    sample = [line for line in sample if not _COMMENT.match(line)] or sample
    delimiter = wanted.delimiter or (separator[1] if separator else _delimiter(sample))
    quote = _quote(sample, delimiter) if wanted.quote is None else wanted.quote
    layout = Layout(encoding, delimiter, quote, (), 0, {}, dates)
    with open_source(file, encoding) as source:
        rows = list(islice(_rows(source.lines, layout), SAMPLE_ROWS))
    if separator:
        rows = [row for row in rows if row.line > 1]
    table = _table(rows, wanted.mapping, region)
    if table is None:
        raise ImportFileError("expected rows of CSV, found none")
    header, below, first = table
    width = len(first.cells)
    if not header:
        (usual, _), *_ = Counter(len(row.cells) for row in below).most_common(1)
        width = max(width, usual)
    if width > MAX_COLUMNS:
        raise ImportFileError(f"expected at most {MAX_COLUMNS} columns, found {width}")
    mapped = {name: _mapped(name, column, header, width) for name, column in wanted.mapping.items()}
    cells = [row.cells for row in below]
    mapped["country"] = country_column(header, cells, mapped)
    names = header
    if header[-len(REJECT_COLUMNS) :] == REJECT_COLUMNS:
        names = header[: -len(REJECT_COLUMNS)]
    columns = columns_of(names, cells, width, region, ours, mapped["country"])
    chosen = choose_columns(columns, bool(header), mapped)
    if wanted.date_formats and chosen.get("date") is None and chosen.get("expires") is None:
        raise ImportFileError(
            f"--date-format: expected a column of dates, found none that is known as one; say which"
            f" with --map date=COLUMN: {_one_of(header, width)}"
        )
    titles = sum(row.line < first.line and not is_comment(row) for row in rows)
    return Layout(
        encoding,
        delimiter,
        quote,
        header,
        width,
        chosen,
        dates,
        first.line,
        titles,
        are_full(columns[chosen["number"]]),
    )


def _rows(lines: Lines, layout: Layout) -> Iterator[Row]:
    while lines.ready():
        row = layout.read_row(lines)
        if not (row.blank or row.problem):
            yield row


def _table(
    rows: Sequence[Row], mapping: Mapping[str, str], region: str | None
) -> tuple[tuple[str, ...], Sequence[Row], Row] | None:
    """The header, () for none, the rows below it, and the first row of both; None: no row."""
    named = {name.casefold() for name in mapping.values() if name and not name.isdecimal()}
    body = [row for row in rows if not is_comment(row)]
    widths = Counter(_filled(row) for row in body)
    usual = max(widths, key=lambda width: (widths[width], width), default=0)
    for row in rows[: MAX_TITLES + 1]:
        names = [cell.strip().casefold() for cell in row.cells]
        is_named = named and named <= set(names)
        if _filled(row) < min(usual, 2) and not is_named:
            continue
        has_number = _has_number(row, region)
        if is_named or (
            not has_number and any(field_named(cell) == "number" for cell in row.cells)
        ):
            below = [other for other in body if other.line > row.line]
            return tuple(cell.strip().lstrip("#").strip() for cell in row.cells), below, row
        if has_number and not is_comment(row):
            break
    # A title is shorter than the rows of the table, and says no number.
    widths = Counter(len(row.cells) for row in body)
    whole = max(widths, key=lambda width: (widths[width], width), default=0)
    at = 0
    while at < min(len(body) - 1, MAX_TITLES) and _is_title(body[at], usual, whole, region):
        at += 1
    if not body:
        return None
    first = body[at]
    if named or (not _has_number(first, region) and _is_header(first.cells, mapping, region)):
        return tuple(cell.strip() for cell in first.cells), body[at + 1 :], first
    return (), body[at:], first


def _filled(row: Row) -> int:
    return sum(not cell.isspace() and cell != "" for cell in row.cells)


def _is_title(row: Row, usual: int, whole: int, region: str | None) -> bool:
    is_shorter = _filled(row) < usual or len(row.cells) < whole
    return is_shorter and not _has_number(row, region)


def _has_number(row: Row, region: str | None) -> bool:
    kinds = (kind_of(cell, region, None) for cell in row.cells if not _WORD_AND_DIGIT.match(cell))
    return any(kind in ("valid", "full", "short") for kind in kinds)


def _texts(lines: Lines) -> Iterator[str]:
    while line := lines.peek():
        lines.skip(line)
        yield line.decode("utf-8", "replace")


def _delimiter(lines: Sequence[str]) -> str:
    """The character that cuts most lines into the same number of cells; a comma when none does."""

    def regularity(delimiter: str) -> tuple[int, int]:
        widths = Counter(len(next(csv.reader([line], delimiter=delimiter))) for line in lines)
        del widths[1]
        ((width, count),) = widths.most_common(1) or [(1, 0)]
        return count, width

    best = max(DELIMITERS, key=regularity)
    return best if regularity(best)[0] * 2 > len(lines) else ","


def _quote(lines: Sequence[str], delimiter: str) -> str:
    """Apostrophes when they stand around cells in half of the lines, else quotation marks."""
    cells = [cell.strip() for line in lines for cell in line.split(delimiter)]
    single = sum(_IN_SINGLE_QUOTES.fullmatch(cell) is not None for cell in cells)
    double = sum(cell.startswith('"') for cell in cells)
    return "'" if single > double and 2 * single >= len(lines) else '"'


def _is_header(cells: Sequence[str], mapping: Mapping[str, str], region: str | None) -> bool:
    """Whether the first row names columns."""
    wanted = mapping.get("number", "1")
    at = int(wanted) - 1 if wanted else 0
    cell = cells[at].strip() if 0 <= at < len(cells) else ""
    # There is a word where the number should be.
    if not cell or any(c.isdigit() for c in cell):
        return False
    try:
        read_entry(cell, region)
    except ValueError:
        return True
    return False


def _mapped(name: str, wanted: str, header: Sequence[str], width: int) -> int | None:
    """The column that `--map name=wanted` means."""
    if not wanted:
        return None
    if wanted.isdecimal():
        if not 1 <= int(wanted) <= width:
            raise ImportFileError(
                f"--map {name}: expected a column from 1 to {width}, found {wanted}"
            )
        return int(wanted) - 1
    found = [at for at, cell in enumerate(header) if cell == wanted] or [
        at for at, cell in enumerate(header) if cell.casefold() == wanted.casefold()
    ]
    if len(found) == 1:
        return found[0]
    what = "several columns of that name: give its position" if found else quoted(wanted)
    nothing = "" if name == "number" else f" (--map {name}= leaves it out)"
    raise ImportFileError(f"--map {name}: expected {_one_of(header, width)}, found {what}{nothing}")


def _one_of(header: Sequence[str], width: int) -> str:
    if not header:
        return f"a position from 1 to {width}: the file has no header"
    return "one of " + ", ".join(quoted(cell, 40) for cell in header[:20])
