"""The files of a CSV store's lists, and the one way to change them: recorded, then made.

What a record tells under `redo` is one of
    new         the working file beside the list that becomes the list's file
    attached    the same for the file that attaches the list to a registry's
    detach      that file is removed
    keep        the list's file becomes the rows `before` of this batch
    at, row     the row is appended to the list's file, which had so many bytes
    rules       the working file beside the rules becomes their file
or nothing, when the list stays as it is.
"""

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from loader.change_log import BrokenLogError, Change, Origin, this_process
from loader.csv_batches import CsvBatches
from loader.csv_edit import WORKING_FILES
from loader.csv_list import (
    ListFile,
    append,
    give_to_owner,
    moved_away,
    put_in_place,
    replacing,
    rows_of,
    sync,
    sync_directory,
    system_errors,
)
from loader.csv_log import CsvLog
from loader.locking import locked
from loader.numbers import check_region
from loader.store import Entry, StoreError, check_list_name, quoted

RULES_FILE = "callsieve.toml"
MAX_REGION_BYTES = 100


class CsvFiles:
    """The lists' files in a store's directory, the log and the batches.

    problem: why changes cannot be recorded; "" while they can.
    """

    def __init__(self, directory: Path) -> None:
        self.rules = directory / RULES_FILE
        self.new_rules = directory / f".{RULES_FILE}.new"
        self.lists = directory / "lists"
        self.batches = CsvBatches(directory / "batches")
        self.log = CsvLog(directory, lambda record: self._make(record.change, record.redo))
        self.problem = ""

    def path(self, name: str) -> Path:
        """Raises BadValueError for what cannot be a list's name."""
        return self.lists / f"{check_list_name(name)}.csv"

    def attached_path(self, name: str) -> Path:
        return self.lists / f"{check_list_name(name)}.attached"

    def region_path(self, name: str) -> Path:
        """Has the list's own region, if it has one."""
        return self.lists / f"{check_list_name(name)}.region"

    def region_of(self, name: str) -> str | None:
        """The list's own region; None: it has none. Raises StoreError."""
        path = self.region_path(name)
        try:
            with system_errors(path), path.open("rb") as file:
                text = file.read(MAX_REGION_BYTES).decode("utf-8", "replace").strip()
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise
        try:
            return check_region(text)
        except ValueError as error:
            raise StoreError(f"{path}: {error}") from None

    def working_path(self, name: str) -> Path:
        """For a new file that a record will name."""
        return self.lists / f".{name}.csv.{secrets.token_hex(4)}.new"

    def lock(self, path: Path) -> contextlib.AbstractContextManager[None]:
        """Of a file of the store. Raises StoreError."""
        with system_errors(path.parent):
            path.parent.mkdir(exist_ok=True)
        return locked(self.lock_path(path), f"{path.parent.name}/{path.name}")

    def lock_path(self, path: Path) -> Path:
        return path.with_name(f".{path.name}.lock")

    def recover(self) -> None:
        """Make what was recorded and not made.

        A log that is not whole does not keep lists from being read: see `problem`.
        """
        try:
            self.log.recover()
            self.problem = ""
        except StoreError as error:
            self.problem = str(error)

    def sweep(self, name: str) -> None:
        """Remove what killed commands left beside a list; under its lock, after recover()."""
        working = _working_names(name)
        with system_errors(self.lists):
            for left in self.lists.iterdir():
                if working.fullmatch(left.name):
                    left.unlink()

    def commit(self, change: Change, origin: Origin | None, redo: Mapping[str, Any]) -> None:
        """Record a change and make it, in one step. Raises StoreError; neither was done."""
        with system_errors(self.lists):
            sync_directory(self.lists)
        self.log.commit(change, origin or this_process(), redo, lambda: self._make(change, redo))

    def commit_rules(self, change: Change, origin: Origin | None) -> None:
        """The same for new rules, which are in the file `new_rules`."""
        with system_errors(self.new_rules):
            sync(self.new_rules)
            sync_directory(self.rules.parent)
        self.commit(change, origin, {"rules": True})

    def _make(self, change: Change, redo: Mapping[str, Any]) -> None:
        """Make a recorded change; once it is made, this does nothing."""
        if change.rules is not None:
            if "rules" in redo:
                self._make_rules(change.rules.after)
            return
        path = self.path(change.list)
        with system_errors(path):
            if change.what == "create list":
                self._set_region(change)
            if "new" in redo or "attached" in redo:
                working = str(redo.get("new") or redo["attached"])
                if not _working_names(change.list).fullmatch(working):
                    raise BrokenLogError(
                        f"change log: expected a working file of the list, found {quoted(working)}"
                    )
                new = path.with_name(working)
                if new.exists():
                    if not path.exists():
                        give_to_owner(new, path.parent)
                    put_in_place(new, path if "new" in redo else self.attached_path(change.list))
            elif "detach" in redo:
                self.attached_path(change.list).unlink(missing_ok=True)
                self.region_path(change.list).unlink(missing_ok=True)
                sync_directory(path.parent)
            elif "keep" in redo:
                kept = self.batches.path(str(redo["keep"]), "before")
                if path.exists() and not kept.exists():
                    moved_away(path, kept)
                    self.region_path(change.list).unlink(missing_ok=True)
                    sync_directory(path.parent)
                    sync_directory(kept.parent)
            elif "at" in redo:
                self._append(path, change, int(redo["at"]), str(redo["row"]).encode())

    def _make_rules(self, sha256: str) -> None:
        with system_errors(self.new_rules):
            if self.new_rules.exists() and _sha256(self.new_rules) == sha256:
                put_in_place(self.new_rules, self.rules)

    def _set_region(self, change: Change) -> None:
        path = self.region_path(change.list)
        if change.region is None:
            path.unlink(missing_ok=True)
            return
        with replacing(path) as file:
            file.write(change.region + "\n")
        give_to_owner(path, path.parent)

    def _append(self, path: Path, change: Change, at: int, row: bytes) -> None:
        with path.open("rb") as file:
            file.seek(at)
            there = file.read(len(row))
            size = file.seek(0, os.SEEK_END)
        if size >= at and row.startswith(there) and size <= at + len(row):
            append(path, row[len(there) :])
            return
        number = str(change.number)
        if there != row and not any(of_number(number, rows_of(ListFile(path, None), number, None))):
            # Somebody edited the file before the killed command's change was made.
            append(path, b"\n" + row)


def of_number(number: str, entries: Iterable[Entry]) -> Iterator[Entry]:
    """Those of this very number."""
    return (entry for entry in entries if entry.number == number)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _working_names(name: str) -> re.Pattern[str]:
    return re.compile(rf"\.{re.escape(name)}\.csv\.[0-9a-f]{{8}}\.({'|'.join(WORKING_FILES)})")
