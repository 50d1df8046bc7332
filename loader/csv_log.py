"""The change log of a CSV store, and how a change and its record are made one step.

    changes.log     the records, one a line
    changes.head    how many there are, their bytes and the last hash, once all are carried out
    .changes.lock   held from the writing of a record until its change is made

A record is written and synced before the file it speaks of is changed, and says how to do that.
When a process is killed between the two, the log is longer than its head says, and the next to
lock a list or open the store carries the record out. A record that was not written whole is cut
off: its change was not begun.
"""

import contextlib
import datetime
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loader.change_log import (
    FIRST_PREVIOUS,
    MAX_RECORD,
    BrokenLogError,
    Change,
    Origin,
    Record,
    digest,
    read_record,
    read_records,
)
from loader.csv_list import give_to_owner
from loader.locking import locked, uninterrupted
from loader.store import StoreError, os_problem

LOG = "changes.log"
HEAD = "changes.head"


@dataclass(frozen=True, slots=True)
class _Head:
    """records, bytes, last: what the log has when all of it was carried out."""

    records: int = 0
    bytes: int = 0
    last: str = FIRST_PREVIOUS


class CsvLog:
    """The log in a store's directory. redo: carries a record out; twice does no harm."""

    def __init__(self, directory: Path, redo: Callable[[Record], None]) -> None:
        self._path = directory / LOG
        self._head_path = directory / HEAD
        self._lock_path = directory / ".changes.lock"
        self._redo = redo

    def lines(self) -> Iterator[bytes]:
        """The records as they stand, without line ends.

        Raises StoreError, and BrokenLogError when the last records are missing or are not those
        that were written.
        """
        head = self._head() or _Head()
        count = 0
        with self._errors(), contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            while line := file.readline(MAX_RECORD):
                if not line.endswith(b"\n"):
                    if len(line) == MAX_RECORD:
                        raise BrokenLogError(
                            f"change log, record {count + 1}: expected at most {MAX_RECORD} bytes"
                        )
                    break  # being written, or its writer was killed: no change belongs to it
                count += 1
                yield line[:-1]
                if count == head.records and digest(line[:-1]) != head.last:
                    raise BrokenLogError(
                        f"change log, record {count}: expected the hash that {HEAD} has,"
                        f" {head.last[:16]}..., found {digest(line[:-1])[:16]}...:"
                        " the record was altered"
                    )
        if count < head.records:
            raise BrokenLogError(
                f"change log: expected {head.records} records, found {count}:"
                f" those from {count + 1} on are missing"
            )

    def commit(
        self, change: Change, origin: Origin, redo: Mapping[str, Any], apply: Callable[[], None]
    ) -> None:
        """Write a record, then make its change with `apply`. Raises StoreError; neither was done.

        redo: what the record tells whoever has to make the change instead.
        """
        with self._locked(), uninterrupted():
            head = self._recovered()
            now = datetime.datetime.now(datetime.UTC)
            line = Record(head.records + 1, now, origin, change, head.last, redo).line()
            self._append(head, line)
            try:
                apply()
            except BaseException:
                with self._errors():
                    os.truncate(self._path, head.bytes)
                raise
            self._set_head(
                _Head(head.records + 1, head.bytes + len(line) + 1, digest(line)),
            )

    def recover(self) -> None:
        """Carry out what a killed process had recorded and not made. Raises StoreError."""
        with self._errors():
            size = self._size()
        head = self._head()
        if (head or _Head()).bytes != size or (head is None and size):
            with self._locked():
                self._recovered()

    def _recovered(self) -> _Head:
        """Everything carried out; where the log ends. To be called under the lock."""
        head = self._head()
        with self._errors():
            size = self._size()
            if head is not None and head.bytes == size:
                return head
            if head is not None and head.bytes > size:
                raise StoreError(
                    f"{self._path}: expected {head.bytes} bytes, found {size}: records are missing."
                    f" No list is changed until the log is put back, or {LOG} and {HEAD} are both"
                    " moved away to begin a new one"
                )
            known = head or _Head()
            with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
                file.seek(known.bytes)
                tail = file.read().split(b"\n")
                if cut := tail.pop():
                    os.truncate(self._path, size - len(cut))
                if head is None:
                    tail_records = list(read_records(iter(tail)))[-1:]
                else:
                    tail_records = [
                        read_record(line, known.records + at) for at, line in enumerate(tail, 1)
                    ]
                for record in tail_records:
                    self._redo(record)
                if tail:
                    known = _Head(known.records + len(tail), size - len(cut), digest(tail[-1]))
            self._set_head(known)
        return known

    def _append(self, head: _Head, line: bytes) -> None:
        if len(line) >= MAX_RECORD:
            raise StoreError(f"change log: expected at most {MAX_RECORD} bytes in a record")
        with self._errors():
            descriptor = os.open(
                self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644
            )
            try:
                if not head.bytes:
                    give_to_owner(self._path, self._path.parent)
                if os.write(descriptor, line + b"\n") != len(line) + 1:
                    raise OSError("expected to write a record, found room for a part of it")
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, head.bytes)
                raise
            finally:
                os.close(descriptor)

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def _head(self) -> _Head | None:
        """None: there is none yet."""
        try:
            with self._errors(), self._head_path.open("rb") as file:
                data = file.read(4096).strip(b"\0")
                # Blank after a power failure, which leaves what was not synced.
                return _Head(**json.loads(data)) if data else None
        except (ValueError, TypeError) as error:
            raise BrokenLogError(
                f"{self._head_path}: expected the log's records, bytes and last hash,"
                f" found {error!r}"
            ) from None
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def _set_head(self, head: _Head) -> None:
        # Not synced: an older head only makes the last records be looked at once more.
        working = self._head_path.with_name(f".{HEAD}.new")
        with self._errors():
            working.write_text(json.dumps(asdict(head)) + "\n", "utf-8")
            working.replace(self._head_path)

    def _locked(self) -> contextlib.AbstractContextManager[None]:
        return locked(self._lock_path, LOG)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(os_problem(error, self._path)) from error
