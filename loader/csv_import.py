"""Import of a CSV file into a list: which column is what, and one outcome for every row."""

import codecs
import csv
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TextIO

from loader.csv_rows import (
    BOM,
    COLUMNS,
    MAX_LINE,
    MAX_QUOTED_LINES,
    Row,
    csv_line,
    field_named,
    read_entry_cells,
    read_rows,
)
from loader.numbers import read_entry
from loader.store import (
    NAMED_REJECTS,
    AddOutcome,
    BadValueError,
    Entry,
    Reject,
    Store,
    StoreError,
    os_problem,
    quoted,
)

DELIMITERS = ",;\t|"
SAMPLE_LINES = 50


class ImportFileError(BadValueError):
    """The file or the column mapping is at fault; nothing was imported."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of a file are read.

    columns: field name -> position from 0. header: the names in the first row, () when it has none.
    width: the number of columns of the first row.
    """

    delimiter: str
    header: tuple[str, ...]
    width: int
    columns: Mapping[str, int]

    def described(self) -> str:
        """`number = column 1 Telefon, date = column 2 Data`"""
        return ", ".join(
            f"{name} = column {at + 1}" + (f" {quoted(self.header[at])}" if self.header else "")
            for name, at in self.columns.items()
        )


@dataclass
class ImportReport:
    """What became of the rows. rejects_file: the rejected ones; None when no such file was made."""

    layout: Layout
    counts: dict[AddOutcome, int] = field(default_factory=lambda: dict.fromkeys(AddOutcome, 0))
    rejected: int = 0
    named_rejects: list[Reject] = field(default_factory=list)
    rejects_file: Path | None = None

    @property
    def accepted(self) -> int:
        return sum(self.counts.values())


def read_layout(file: Path, mapping: Mapping[str, str], region: str | None) -> Layout:
    """Delimiter, header and columns of the CSV file `file`.

    mapping: field -> column name, position from 1, or "" to leave the field out; what is not in it
    is proposed: from the header, or by position in a file without one. Raises ImportFileError.
    """
    _check_utf8(file)
    with _open(file) as text:
        sample = list(islice(iter(lambda: text.readline(MAX_LINE), ""), SAMPLE_LINES))
    delimiter = _delimiter([line for line in sample if line.strip()])
    with _open(file) as text:
        rows = read_rows(text, delimiter, MAX_QUOTED_LINES)
        first = next((row for row in rows if not row.blank and not row.problem), None)
    if first is None:
        raise ImportFileError(f"{file}: expected rows of CSV, found none")
    cells = [cell.strip() for cell in first.cells]
    header = tuple(cells) if _is_header(cells, mapping, region) else ()
    columns = {
        name: at
        for name, wanted in mapping.items()
        if (at := _mapped(name, wanted, header, len(cells))) is not None
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
    return Layout(
        delimiter, header, len(cells), {name: columns[name] for name in COLUMNS if name in columns}
    )


def import_file(
    store: Store, name: str, file: Path, layout: Layout, region: str | None, dry_run: bool = False
) -> ImportReport:
    """Add every row of `file` to the list in one step; see ImportReport.

    Rows that cannot be read go to FILE.rejects.csv (not with dry_run), as they are, with two more
    columns: line and reason. Raises StoreError; the list is then as it was.
    """
    report = ImportReport(layout)
    rejects_path = file.with_name(file.name + ".rejects.csv")
    with _Rejects(rejects_path, layout, dry_run) as rejects:
        report.counts = store.add_many(
            name, _entries(file, layout, region, report, rejects), region, dry_run=dry_run
        )
    if report.rejected and not dry_run:
        report.rejects_file = rejects_path
    return report


def _entries(
    file: Path, layout: Layout, region: str | None, report: ImportReport, rejects: "_Rejects"
) -> Iterator[Entry]:
    # A column that is not there, or not in a short row, reads as a blank cell.
    columns = [layout.columns.get(name, sys.maxsize) for name in COLUMNS]
    is_first = bool(layout.header)
    with _open(file) as text:
        for row in read_rows(text, layout.delimiter, MAX_QUOTED_LINES):
            if row.blank:
                continue
            if is_first and not row.problem:
                is_first = False
                continue
            try:
                if row.problem:
                    raise BadValueError(row.problem)
                if any(row.cells[layout.width :]):
                    raise BadValueError(
                        f"expected at most {layout.width} columns, found {len(row.cells)}"
                    )
                width = len(row.cells)
                number, date, description, expires = [
                    row.cells[at] if at < width else "" for at in columns
                ]
                entry = read_entry_cells(number, date, description, expires, region)
            except ValueError as error:
                reject = Reject(row.line, row.raw.rstrip("\r\n"), str(error))
                report.rejected += 1
                if len(report.named_rejects) < NAMED_REJECTS:
                    report.named_rejects.append(reject)
                rejects.write(row, str(error))
            else:
                yield entry


class _Rejects:
    """The file of rejected rows; made when there is the first one."""

    def __init__(self, path: Path, layout: Layout, dry_run: bool) -> None:
        self._path = path
        self._layout = layout
        self._dry_run = dry_run
        self._file: TextIO | None = None

    def __enter__(self) -> "_Rejects":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def write(self, row: Row, reason: str) -> None:
        if self._dry_run:
            return
        layout = self._layout
        try:
            if self._file is None:
                self._file = self._path.open(
                    "w", encoding="utf-8", errors="backslashreplace", newline=""
                )
                self._file.write(csv_line([*self._header(), "line", "reason"], layout.delimiter))
            unclear = row.problem or len(row.cells) > layout.width
            cells = [row.raw.rstrip("\r\n")] if unclear else row.cells
            padding = [""] * (layout.width - len(cells))
            self._file.write(csv_line([*cells, *padding, str(row.line), reason], layout.delimiter))
        except OSError as error:
            raise StoreError(os_problem(error, self._path)) from error

    def _header(self) -> list[str]:
        """The file's own, or one that maps the columns in the same way when it is imported."""
        if self._layout.header:
            return list(self._layout.header)
        names = {at: name for name, at in self._layout.columns.items()}
        return [names.get(at, f"column {at + 1}") for at in range(self._layout.width)]


def _delimiter(lines: Sequence[str]) -> str:
    """The character that cuts most lines into the same number of cells; a comma when none does."""

    def regularity(delimiter: str) -> tuple[int, int]:
        widths = Counter(len(next(csv.reader([line], delimiter=delimiter))) for line in lines)
        del widths[1]
        ((width, count),) = widths.most_common(1) or [(1, 0)]
        return count, width

    best = max(DELIMITERS, key=regularity)
    return best if regularity(best)[0] * 2 > len(lines) else ","


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


def _check_utf8(file: Path) -> None:
    """Raises ImportFileError when the file cannot be read or is not UTF-8 from end to end."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    try:
        with file.open("rb") as data:
            while chunk := data.read(1 << 20):
                decoder.decode(chunk)
                line += chunk.count(b"\n")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        line += error.object[: error.start].count(b"\n")
        raise ImportFileError(
            f"{file}: line {line}: expected UTF-8, found byte 0x{error.object[error.start]:02x}"
        ) from None
    except OSError as error:
        raise ImportFileError(os_problem(error, file)) from error


def _open(file: Path) -> TextIO:
    try:
        text = file.open(encoding="utf-8", errors="surrogateescape", newline="")
        if text.read(1) != BOM:
            text.seek(0)
    except OSError as error:
        raise ImportFileError(os_problem(error, file)) from error
    return text
