"""Many changes of one list in a CSV store, made beside its file and put in place in one step."""

import contextlib
import datetime
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from loader.change_log import Batch, BatchDetails, BatchFile
from loader.csv_batches import CsvBatches
from loader.csv_list import (
    HEADER,
    PIECE,
    ListFile,
    format_row,
    plain_reader,
    read_list_row,
    system_errors,
    take_ownership_of,
)
from loader.csv_rows import BOM, OVERLONG, Lines
from loader.edit_table import EditTable, entry_key_of
from loader.key_table import KeyTable
from loader.merging import checked, merged
from loader.plain_rows import PlainReader
from loader.row_file import RowFile
from loader.store import (
    AddOutcome,
    Entry,
    StoreError,
    too_many_addresses,
)
from lookup_core import MAX_ADDRESSES, is_address


@dataclass(frozen=True, slots=True)
class Prepared:
    """The files of a batch, synced: rows taken away or changed, and rows put in their place."""

    before: BatchFile | None
    after: BatchFile | None


class CsvEdit:
    """What a list is to become. To be used under the list's lock, as a context manager.

    identity: 8 hexadecimal digits, for the names of the working files beside the list. They are
    removed at the end; `new`, `before` and `after` unless they were moved away.
    replace: numbers that nothing was said about go; unreadable rows stay. make: puts what
    prepare() wrote in its place.
    """

    def __init__(
        self,
        path: Path,
        region: str | None,
        identity: str,
        replace: bool,
        batches: CsvBatches,
        make: Callable[["CsvEdit", "Prepared", BatchDetails], Batch],
    ) -> None:
        self._path = path
        self._batches = batches
        self._make = make
        self._region = region
        self._replace = replace
        self.new, self.before, self.after, self._additions_path, self._changes_path = (
            path.with_name(f".{path.name}.{identity}.{what}") for what in WORKING_FILES
        )
        self.entries = 0
        self._prepared: Prepared | None = None
        self._open_files: list[BinaryIO] = []
        self._addresses: set[str] = set()  # of the list, and those that were put
        self._today = datetime.date.today().isoformat().encode()

    def __enter__(self) -> "CsvEdit":
        try:
            with system_errors(self._path):
                self._before = self._written(self.before)
                self._additions = self._written(self._additions_path)
                self._changes = self._written(self._changes_path)
                self._learn()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _learn(self) -> None:
        self._identity = _identity(self._path)
        listed = ListFile(self._path, self._region)
        empty = self._written(self.after) if not self._path.exists() else None
        self._table = table = EditTable(
            empty or self._read(self._path),
            plain_reader(self._region),
            self._additions,
            self._changes,
            self._before,
        )

        def scan(lines: Lines) -> None:
            lines.take(*table.scan(lines.buffer, lines.at, lines.base))

        for offset, _, what in listed.rows(scan):
            if isinstance(what, Entry):
                if is_address(what.number):
                    self._addresses.add(what.number)
                table.learn(entry_key_of(what.number), offset)
        self.entries = len(table)
        self._appendable = listed.appendable
        self._healing = listed.healing
        self._line_end = listed.line_end
        self._header = (HEADER + listed.line_end).encode()
        self._before.append((HEADER + "\n").encode())
        self._additions.append(self._header)

    def __exit__(self, *_: object) -> None:
        for file in self._open_files:
            file.close()
        for path in (self.new, self.before, self.after, self._additions_path, self._changes_path):
            path.unlink(missing_ok=True)

    @property
    def counts(self) -> dict[AddOutcome, int]:
        return {
            AddOutcome.ADDED: self._table.added,
            AddOutcome.PRESENT: self._table.present,
            AddOutcome.UPDATED: self._table.updated,
        }

    @property
    def possible(self) -> int:
        """Rows that take_plain took whose number is in no range that is in use."""
        return self._table.possible

    @property
    def removed(self) -> int:
        """With replace, known after prepare() only."""
        return self._table.removed

    def take_plain(self, lines: Lines, reader: PlainReader, kept_out: KeyTable | None) -> None:
        """Put the plain rows that come next; see EditTable.take."""
        with system_errors(self._path):
            found = self._table.take(
                lines.buffer, lines.at, reader, self._today, self._line_end.encode(), kept_out
            )
        lines.take(*found)

    def put(self, entry: Entry, keep_expiry: bool = False) -> AddOutcome:
        """As Edit.put. Raises BadValueError, StoreError."""
        entry = checked(entry)
        self._check_room(entry.number)
        old = self.current(entry.number)
        new = merged(old, entry, keep_expiry)
        if new == old:
            self._table.keep(entry_key_of(new.number))
            return AddOutcome.PRESENT
        self.write(new, old)
        return AddOutcome.ADDED if old is None else AddOutcome.UPDATED

    def _check_room(self, number: str) -> None:
        """Raises BadValueError for one SIP address more than a list may have."""
        if is_address(number) and number not in self._addresses:
            if len(self._addresses) >= MAX_ADDRESSES:
                raise too_many_addresses()
            self._addresses.add(number)

    def current(self, number: str) -> Entry | None:
        """What the list is to have for this number."""
        with system_errors(self._path):
            row = self._table.current(entry_key_of(number))
        return None if row is None else read_list_row(row, self._region)

    def write(self, new: Entry, old: Entry | None) -> None:
        """Give a number this very entry. old: what current() says."""
        before = format_row(old, "\n").encode() if old else None
        with system_errors(self._path):
            self._table.put(
                entry_key_of(new.number), format_row(new, self._line_end).encode(), before
            )

    def drop(self, old: Entry) -> None:
        """Take a number out that has this entry, and all other rows of it."""
        with system_errors(self._path):
            self._table.drop(entry_key_of(old.number), format_row(old, "\n").encode())

    def take_back(self, batch: Batch, left: KeyTable) -> int:
        """As Edit.take_back."""
        with contextlib.ExitStack() as files, system_errors(self._path):
            after, before = (
                self._batch_rows(files, batch, part) if getattr(batch, part) else None
                for part in ("after", "before")
            )
            for offset in self._table.drop_same(after, left) if after else ():
                entry = read_list_row(after.line_at(offset), self._region) if after else None
                # Other text may say the same: somebody may have written it by hand.
                if entry and self.current(entry.number) == entry:
                    self.drop(entry)
                elif entry:
                    left.add(entry_key_of(entry.number))
            if before is None:
                return 0
            return self._table.put_back(before, left, self._line_end.encode())

    def _batch_rows(self, files: contextlib.ExitStack, batch: Batch, part: str) -> RowFile:
        path = self._batches.path(batch.id, part)
        return RowFile(files.enter_context(path.open("rb", buffering=0)).fileno())

    def commit(self, details: BatchDetails) -> Batch | None:
        """Make all of it in one step. None when the list has what it would get."""
        prepared = self.prepare()
        return self._make(self, prepared, details) if prepared else None

    def prepare(self) -> Prepared | None:
        """Write the list's new file `new` and the batch's `before` and `after`, and sync them.

        None when the list would have what it has. Once: nothing is put after it. Raises StoreError.
        """
        self._prepared = self._prepared or self._prepare()
        return self._prepared

    def _prepare(self) -> Prepared | None:
        with system_errors(self._path):
            out = self._written(self.new)
            file = self._open_files[-1]
            take_ownership_of(self._path, file.fileno())
            if self._replace or self._table.updated or self._table.removed or not self._appendable:
                self._copy_rows(out)
            else:
                out.flush()
                _copy_bytes(self._path, 0, file)
                out.append(self._healing.encode())
            if not (self._table.added or self._table.updated or self._table.removed):
                return None
            self._additions.flush()
            if self._table.superseded:
                self._table.copy_additions(out, len(self._header))
                out.flush()
            else:
                out.flush()
                _copy_bytes(self._additions_path, len(self._header), file)
            os.fsync(file.fileno())
            if _identity(self._path) != self._identity:
                raise StoreError(
                    f"lists/{self._path.name}: expected nobody to edit it meanwhile, found it"
                    " changed; nothing was changed by this command, run it again"
                )
            return Prepared(self._finish(self._before, self.before), self._write_after())

    def _copy_rows(self, out: RowFile) -> None:
        table = self._table
        listed = ListFile(self._path, self._region)

        def copy(lines: Lines) -> None:
            lines.take(*table.copy(lines.buffer, lines.at, lines.base, out, self._replace))

        has_header = False
        for offset, row, what in listed.rows(copy):
            raw = row.raw.encode("utf-8", "surrogateescape")
            if not has_header:
                if row.blank:
                    continue
                has_header = True
                out.append(
                    (BOM if listed.bom else b"") + (raw if listed.appendable else self._header)
                )
                if what is None:
                    continue
            if isinstance(what, Entry):
                before = format_row(what, "\n").encode()
                table.copy_one(entry_key_of(what.number), raw, offset, out, self._replace, before)
            elif row.problem == OVERLONG:
                raise StoreError(f"lists/{self._path.name} line {row.line}: {row.problem}")
            else:
                out.append(raw)
        out.append(listed.healing.encode())
        if not has_header:
            out.append(self._header)

    def _write_after(self) -> BatchFile | None:
        if not self._changes.rows:
            self._additions_path.replace(self.after)
            return self._finish(self._additions, self.after)
        after = self._written(self.after)
        after.append(self._header)
        self._table.copy_additions(after, len(self._header))
        self._table.copy_changes(after)
        return self._finish(after, self.after)

    def _finish(self, rows: RowFile, path: Path) -> BatchFile | None:
        """Sync a file of the batch. None when it has no rows behind its header."""
        if rows.rows == 1:
            return None
        rows.flush()
        with path.open("rb") as file:
            os.fsync(file.fileno())
            return BatchFile(rows.rows - 1, hashlib.file_digest(file, "sha256").hexdigest())

    def _written(self, path: Path) -> RowFile:
        file = path.open("w+b", buffering=0)
        self._open_files.append(file)
        return RowFile(file.fileno())

    def _read(self, path: Path) -> RowFile:
        file = path.open("rb", buffering=0)
        self._open_files.append(file)
        return RowFile(file.fileno())


WORKING_FILES = ("new", "before", "after", "additions", "changes")


def _identity(path: Path) -> tuple[int, ...]:
    """Differs between a file and what an editor makes of it; () when there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _copy_bytes(source: Path, start: int, target: BinaryIO) -> None:
    with source.open("rb", buffering=0) as file:
        file.seek(start)
        while piece := memoryview(file.read(PIECE)):
            while piece:
                piece = piece[target.write(piece) :]
