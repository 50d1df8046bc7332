"""One list's CSV file: reading it row by row, adding a row, and putting a new file in its place."""

import contextlib
import datetime
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from loader.csv_rows import (
    BOM,
    COLUMNS,
    Row,
    csv_line,
    field_named,
    read_entry_cells,
    read_rows,
)
from loader.numbers import read_entry
from loader.store import (
    DEFAULT_LIST,
    BadValueError,
    Entry,
    Reject,
    StoreError,
    os_problem,
    quoted,
)

HEADER = ",".join(COLUMNS)
CUT_SHORT = "cut short"


class ListFile:
    """One pass over a list's file. The attributes hold once the pass is over.

    appendable: the file begins with the whole header, so a row can be added at its end.
    healing: what to write at the end before anything else, when the last row has no line end.
    """

    def __init__(self, path: Path, region: str | None) -> None:
        self._path = path
        self._region = region
        self.bom = False
        self.appendable = False
        self.line_end = "\n"
        self.healing = ""

    def __iter__(self) -> Iterator[tuple[Row, Entry | Reject | None]]:
        """Each row with what it says; None for blank rows and the header."""
        if self._path.stem == DEFAULT_LIST and not self._path.exists():
            return
        with system_errors(self._path), _open_text(self._path) as file:
            self.bom = file.read(1) == BOM
            if not self.bom:
                file.seek(0)
            is_first = True
            for row in read_rows(file, ","):
                if row.blank:
                    self.healing = "" if row.ended else self.line_end
                    yield row, None
                    continue
                if is_first and self._is_header(row):
                    yield row, None
                else:
                    yield row, self._read(row)
                is_first = False

    def _is_header(self, row: Row) -> bool:
        """Whether the first row names columns. Raises StoreError when they are in another order."""
        meant = [field_named(cell) for cell in row.cells]
        if not any(meant) or any(c.isdigit() for c in row.cells[0]):
            return False
        with contextlib.suppress(ValueError):
            read_entry(row.cells[0].strip(), self._region)
            return False
        if any(name and name not in COLUMNS[i : i + 1] for i, name in enumerate(meant)):
            raise StoreError(
                f"lists/{self._path.name} line {row.line}: expected the columns {HEADER},"
                f" found {quoted(row.raw.rstrip())}"
            )
        self.appendable = ",".join(row.cells) == HEADER and row.ended
        self.line_end = row.raw[len(row.raw.rstrip("\r\n")) :] or "\n"
        return True

    def _read(self, row: Row) -> Entry | Reject:
        try:
            if not row.ended and not row.overlong:
                self.healing = self.line_end
                if self.appendable and (row.problem or len(row.cells) < len(COLUMNS)):
                    self.healing = _made_unreadable(row) + self.line_end
                    raise BadValueError("expected a whole row: the file ends in the middle of it")
            if row.problem:
                raise BadValueError(row.problem)
            return _entry(row.cells, self._region)
        except ValueError as error:
            return Reject(row.line, row.raw.rstrip("\r\n"), str(error))


def _made_unreadable(row: Row) -> str:
    """What to write after a row that was cut off while it was being appended.

    It may end in the middle of its number and must never read as that other, shorter number. So its
    expiry is filled with words: it stays in the file, reported, until somebody corrects it.
    """
    quote = '"' if row.raw.count('"') % 2 else ""
    return quote + "," * max(len(COLUMNS) - len(row.cells), 1) + CUT_SHORT


def _entry(cells: list[str], region: str | None) -> Entry:
    if any(cell.strip() for cell in cells[4:]):
        raise BadValueError(f"expected at most 4 columns, found {len(cells)}")
    number, date, description, expires = [*cells, "", "", ""][:4]
    return read_entry_cells(number, date, description, expires, region)


def format_row(entry: Entry, line_end: str) -> str:
    date = entry.date.isoformat() if entry.date else ""
    expires = ""
    if entry.expires is not None:
        moment = entry.expires.astimezone(datetime.UTC)
        expires = moment.isoformat().replace("+00:00", "Z")
    return csv_line([entry.number, date, entry.description, expires], end=line_end)


def append(path: Path, text: str) -> None:
    """Write at the end and sync; what could not be written whole is taken back."""
    data = text.encode()
    with system_errors(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            before = os.fstat(descriptor).st_size
            try:
                if os.write(descriptor, data) != len(data):
                    raise OSError("expected to write a row, found room for a part of it")
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, before)
                raise
        finally:
            os.close(descriptor)


def rewrite(
    path: Path, region: str | None, changes: Mapping[str, Entry | None], added: Iterable[Entry]
) -> None:
    """A new file in place of the old one.

    Rows of the numbers in `changes` become one row with that entry, or go (None). All other rows
    stay as they stand, unreadable ones and hand-written forms too.
    """
    listed = ListFile(path, region)
    done = set()
    with system_errors(path), replacing(path) as file:
        has_header = False
        for row, what in listed:
            if not has_header:
                if row.blank:
                    continue
                has_header = True
                file.write(BOM if listed.bom else "")
                file.write(row.raw if listed.appendable else HEADER + listed.line_end)
                if what is None:
                    continue
            if isinstance(what, Entry) and what.number in changes:
                new = changes[what.number]
                if new is not None and new.number not in done:
                    done.add(new.number)
                    file.write(format_row(new, listed.line_end))
                continue
            if row.overlong:
                raise StoreError(f"lists/{path.name} line {row.line}: {row.problem}")
            file.write(row.raw)
        file.write(listed.healing)
        if not has_header:
            file.write(HEADER + "\n")
        for entry in added:
            file.write(format_row(entry, listed.line_end))


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A file to write that takes the place of `path` at the end, whole and synced, or not at all.

    To be used under the lock: its working name is always the same, so nothing is left to gather.
    """
    working = path.with_name(f".{path.name}.new")
    try:
        with working.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            _take_ownership_of(path, file.fileno())
            yield file
            file.flush()
            os.fsync(file.fileno())
        working.replace(path)
    except BaseException:
        working.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def _take_ownership_of(path: Path, descriptor: int) -> None:
    """An administrator's change must leave the file readable by the service's user."""
    try:
        old = path.stat()
    except FileNotFoundError:
        return
    os.fchmod(descriptor, old.st_mode & 0o7777)
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, old.st_uid, old.st_gid)


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_text(path: Path) -> TextIO:
    return path.open(encoding="utf-8", errors="surrogateescape", newline="")


@contextlib.contextmanager
def system_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(os_problem(error, path)) from error
