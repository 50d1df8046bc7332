"""How the rows of a CSV file are read: delimiter, quotes, header, and which column is what."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from loader.csv_rows import (
    COLUMNS,
    MAX_QUOTED_LINES,
    Lines,
    Row,
    field_named,
    read_row,
)
from loader.csv_source import Encoding, ImportFileError, find_encoding, open_source
from loader.date_formats import Dates
from loader.number_rules import in_region
from loader.numbers import read_entry
from loader.plain_rows import PlainReader
from loader.store import quoted

DELIMITERS = ",;\t|"
QUOTES = {"double": '"', "single": "'", "none": ""}
SAMPLE_LINES = 50
_IN_SINGLE_QUOTES = re.compile(r"'[^']*'")
# What a file of rejected rows has more than the file that they come from.
REJECT_COLUMNS = ("line", "reason")


@dataclass(frozen=True)
class Layout:
    """How the rows of a file are read.

    quote: "" for none. header: the names in the first row, () when it has none. width: the number
    of columns of the first row. columns: field name -> position from 0.
    """

    encoding: Encoding
    delimiter: str
    quote: str
    header: tuple[str, ...]
    width: int
    columns: Mapping[str, int]
    dates: Dates = field(default_factory=Dates)

    def read_row(self, lines: Lines) -> Row:
        return read_row(
            lines,
            self.delimiter,
            MAX_QUOTED_LINES,
            quote=self.quote,
            encoding=self.encoding.name,
        )

    def plain_reader(self, region: str | None) -> PlainReader:
        """Reads the plain rows among them."""
        _, reader, _ = in_region(region)
        places = [self.columns.get(name, -1) for name in COLUMNS]
        days = self.dates.days
        return PlainReader(self.delimiter.encode(), places, self.width, reader, days, self.quote)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator says about a file; the rest is found out.

    mapping: field -> column name, position from 1, or "" to leave the field out.
    encoding: a key of csv_source.ENCODINGS. quote: a value of QUOTES. date_formats: for Dates.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    date_formats: Sequence[str] = ()


def read_layout(file: Path, wanted: Wanted, region: str | None) -> Layout:
    """Encoding, delimiter, quotes, header and columns of the CSV file `file`.

    Columns that are not in the mapping are proposed: from the header, or by position in a file
    without one. Raises ImportFileError, BadValueError for a bad date format.
    """
    dates = Dates(wanted.date_formats)
    encoding = find_encoding(file, wanted.encoding)
    with open_source(file, encoding) as source:
        lines = source.lines
        lines.ready()
        sample = list(islice(_texts(lines), SAMPLE_LINES))
    sample = [line for line in sample if line.strip()]
    delimiter = wanted.delimiter or _delimiter(sample)
    quote = _quote(sample, delimiter) if wanted.quote is None else wanted.quote
    layout = Layout(encoding, delimiter, quote, (), 0, {}, dates)
    with open_source(file, encoding) as source:
        first = None
        while source.lines.ready() and (first is None or first.blank or first.problem):
            first = layout.read_row(source.lines)
    if first is None or first.blank or first.problem:
        raise ImportFileError(f"{file}: expected rows of CSV, found none")
    cells = [cell.strip() for cell in first.cells]
    mapping = wanted.mapping
    header = tuple(cells) if _is_header(cells, mapping, region) else ()
    columns = {
        name: at
        for name, column in mapping.items()
        if (at := _mapped(name, column, header, len(cells))) is not None
    }
    for position, name in enumerate(COLUMNS):
        if name in mapping:
            continue
        if header:
            at = _proposed(name, header)
        else:
            at = position if position < len(cells) else None
        if at is not None and at not in columns.values():
            columns[name] = at
    if "number" not in columns:
        raise ImportFileError(
            "expected one column for the number, found none;"
            f" say --map number=COLUMN with {_one_of(header, len(cells))}"
        )
    columns = {name: columns[name] for name in COLUMNS if name in columns}
    return Layout(encoding, delimiter, quote, header, len(cells), columns, dates)


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
    if any(wanted and not wanted.isdecimal() for wanted in mapping.values()):
        return True
    if any(field_named(cell) == "number" for cell in cells):
        return True
    wanted = mapping.get("number", "1")
    at = int(wanted) - 1 if wanted else 0
    cell = cells[at] if 0 <= at < len(cells) else ""
    # Otherwise there is a word where the number should be.
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
    raise ImportFileError(f"--map {name}: expected {_one_of(header, width)}, found {what}")


def _proposed(name: str, header: Sequence[str]) -> int | None:
    """The column whose header means this field."""
    found = [at for at, cell in enumerate(header) if field_named(cell) == name]
    if len(found) > 1:
        raise ImportFileError(
            f"expected one column for the {name}, found {', '.join(str(at + 1) for at in found)};"
            f" say --map {name}=POSITION"
        )
    return found[0] if found else None


def _one_of(header: Sequence[str], width: int) -> str:
    if not header:
        return f"a position from 1 to {width}: the file has no header"
    return "one of " + ", ".join(quoted(cell, 40) for cell in header[:20])
