"""One list's CSV file: reading it row by row, adding a row, and putting a new file in its place."""

import contextlib
import datetime
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import TextIO

from loader.csv_rows import (
    BOM,
    COLUMNS,
    OVERLONG,
    Lines,
    Row,
    csv_line,
    read_entry_cells,
    read_row,
)
from loader.edit_table import entry_key_of
from loader.header_names import field_named
from loader.list_keys import ListKeys
from loader.number_rules import in_region
from loader.numbers import read_entry, read_stored
from loader.plain_rows import PlainReader
from loader.store import (
    DEFAULT_LIST,
    BadValueError,
    Entry,
    Reject,
    StoreError,
    covers,
    escaped,
    os_problem,
    quoted,
)

HEADER = ",".join(COLUMNS)
CUT_SHORT = "cut short"
PIECE = 1 << 20


def plain_reader(region: str | None) -> PlainReader:
    """Reads the plain rows of a list's file."""
    _, reader, _ = in_region(region)
    return PlainReader(b",", range(len(COLUMNS)), len(COLUMNS), reader, stored=True)


class ListFile:
    """One pass over a list's file. The attributes hold once the pass is over.

    has_header: the first row names columns. appendable: it is the whole header, so a row can be
    added at the end.
    healing: what to write at the end before anything else, when the last row has no line end.
    size: of the file in bytes.
    """

    def __init__(self, path: Path, region: str | None) -> None:
        self._path = path
        self._region = region
        self.bom = False
        self.has_header = False
        self.appendable = False
        self.line_end = "\n"
        self.healing = ""
        self.size = 0

    def __iter__(self) -> Iterator[Entry | Reject]:
        for _, _, what in self.rows():
            if what is not None:
                yield what

    def rows(
        self, take: Callable[[Lines], object] = lambda _: None
    ) -> Iterator[tuple[int, Row, Entry | Reject | None]]:
        """Each row with its offset and what it says; None for blank rows and the header.

        take: gets at the rows first, and those that it takes are not given. It is never asked about
        the first row, which may be the header, nor about a last one without line end.
        """
        if self._path.stem == DEFAULT_LIST and not self._path.exists():
            return
        with system_errors(self._path), open_regular(self._path) as file:
            lines = Lines(lambda: file.read(PIECE))
            if lines.ready() and lines.buffer.startswith(BOM):
                self.bom = True
                lines.take(len(BOM), 0)
            is_first = True
            while is_first and lines.ready():
                offset = lines.place
                row = read_row(lines, ",")
                is_first = row.blank
                is_header = not row.blank and self._is_header(row)
                yield offset, row, None if is_header else self._read(row)
            for _ in lines.left_by(take):
                offset = lines.place
                row = read_row(lines, ",")
                yield offset, row, self._read(row)
            self.size = lines.place

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
        self.has_header = True
        self.appendable = ",".join(row.cells) == HEADER and row.ended
        self.line_end = row.raw[len(row.raw.rstrip("\r\n")) :] or "\n"
        return True

    def _read(self, row: Row) -> Entry | Reject | None:
        try:
            if row.blank:
                self.healing = "" if row.ended else self.line_end
                return None
            if not row.ended and row.problem != OVERLONG:
                self.healing = self.line_end
                if self.appendable and (row.problem or len(row.cells) < len(COLUMNS)):
                    self.healing = _made_unreadable(row) + self.line_end
                    raise BadValueError("expected a whole row: the file ends in the middle of it")
            if row.problem:
                raise BadValueError(row.problem)
            return _entry(row.cells, self._region)
        except ValueError as error:
            return Reject(row.line, row.raw.rstrip("\r\n"), str(error))


def rows_of(listed: ListFile, number: str, region: str | None) -> list[Entry]:
    """The entries that are this number, or are a prefix of it, in a list's file."""
    found: list[Entry] = []
    reader = plain_reader(region)
    key = entry_key_of(number)

    def take(lines: Lines) -> None:
        at: int | None = lines.at
        while at is not None:
            behind, count, at = reader.find(lines.buffer, lines.at, key)
            if at is not None:
                found.append(read_list_row(lines.buffer[at:behind], region))
            lines.take(behind, count)

    for _, _, what in listed.rows(take):
        if isinstance(what, Entry) and covers(what.number, number):
            found.append(what)
    return found


def keys_of(path: Path, region: str | None, now: datetime.datetime) -> ListKeys:
    """The keys of a list's file; see ListKeys."""
    found = ListKeys(now)
    reader = plain_reader(region)

    def take(lines: Lines) -> None:
        lines.take(*reader.collect(lines.buffer, lines.at, found.keys))

    listed = ListFile(path, region)
    for _, _, what in listed.rows(take):
        if what is not None:
            found.take(what)
    found.finish()
    found.has_header = listed.has_header
    return found


def read_list_row(row: bytes, region: str | None) -> Entry:
    """The entry of one row of a list, of which it is known that it has one."""
    pieces = iter((row,))
    lines = Lines(lambda: next(pieces, b""))
    lines.ready()
    return _entry(read_row(lines, ",").cells, region)


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
    return read_entry_cells(number, date, description, expires, region, read_one=read_stored)


def format_row(entry: Entry, line_end: str) -> str:
    date = entry.date.isoformat() if entry.date else ""
    expires = ""
    if entry.expires is not None:
        moment = entry.expires.astimezone(datetime.UTC)
        expires = moment.isoformat().replace("+00:00", "Z")
    return csv_line([entry.number, date, entry.description, expires], end=line_end)


def append(path: Path, data: bytes) -> None:
    """Write at the end and sync; what could not be written whole is taken back."""
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


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A new file to write, that is put at `path` at the end, whole and synced, or not at all.

    To be used under the lock: its working name is always the same, so nothing is left to gather.
    """
    working = path.with_name(f".{path.name}.new")
    try:
        with working.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        working.replace(path)
    except BaseException:
        working.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def check_regular(path: Path) -> None:
    """Raises StoreError for what stands where a file should and is none, such as a named pipe."""
    with system_errors(path), contextlib.suppress(FileNotFoundError):
        _expect_regular(path, path.stat().st_mode)


def open_regular(path: Path) -> BufferedReader:
    """A file to read. Raises OSError, and StoreError for anything else, such as a named pipe."""
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # Before fdopen, which would name a directory by the number of what was opened.
        _expect_regular(path, os.fstat(opened).st_mode)
        return os.fdopen(opened, "rb")
    except BaseException:
        os.close(opened)
        raise


def _expect_regular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        found = next((what for is_it, what in _KINDS.items() if is_it(mode)), "something else")
        raise StoreError(f"{escaped(str(path), 300)}: expected a file, found {found}")


_KINDS = {
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISDIR: "a directory",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


def put_in_place(new: Path, path: Path) -> None:
    """Make a synced file beside `path` the one at `path`; through a symbolic link, which stays."""
    if not path.is_symlink():
        new.replace(path)
        sync_directory(path.parent)
        return
    target = path.resolve()
    beside = target.with_name(f".{target.name}.new")
    try:
        shutil.copyfile(new, beside)
        with beside.open("rb") as file:
            take_ownership_of(target, file.fileno())
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(target.parent)
    new.unlink()


def moved_away(path: Path, target: Path) -> None:
    """Move a file away; of a symbolic link, what it leads to is copied, and the link goes."""
    if not path.is_symlink():
        path.replace(target)
        return
    working = target.with_name(f".{target.name}.new")
    shutil.copyfile(path, working)
    sync(working)
    working.replace(target)
    path.unlink()


def give_to_owner(path: Path, directory: Path) -> None:
    """An administrator's new file must be the service's, as the store's directory is."""
    owner = directory.stat()
    if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.chown(path, owner.st_uid, owner.st_gid)


def take_ownership_of(path: Path, descriptor: int) -> None:
    """An administrator's change must leave the file readable by the service's user."""
    try:
        old = path.stat()
    except FileNotFoundError:
        return
    os.fchmod(descriptor, old.st_mode & 0o7777)
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, old.st_uid, old.st_gid)


def sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def system_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(os_problem(error, path)) from error
