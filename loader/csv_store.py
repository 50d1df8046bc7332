"""The CSV store: a directory of files that operators may read and edit by hand.

    DIR/callsieve.toml      the rules
    DIR/lists/NAME.csv      one list: number,date,description,expires
    DIR/lists/NAME.region   the list's own region, if it has one
    DIR/changes.log         every change of a list or of the rules; see csv_log.py
    DIR/batches/            rows of imports and undos, texts of the rules; see csv_batches.py
    DIR/snapshots/          what is published from them; made anew by `callsieve reload`

A change holds the list's lock file (lists/.NAME.csv.lock). One added number is one appended row,
synced. Everything else writes a new file beside the old one, syncs it and renames it over. Before
either, the change is recorded in the log. A process killed at any moment leaves the old list, or a
record from which the new one is made by whoever opens the store next.

Rows that cannot be read stay in the file as they are and are reported as rejects.
"""

import contextlib
import datetime
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from loader.attached_list import (
    AppliedChange,
    Attached,
    AttachedList,
    count_changes,
    read_attached,
    with_change,
)
from loader.change_log import Batch, BatchDetails, BatchFile, Change, Origin, Part, new_batch_id
from loader.csv_edit import CsvEdit, Prepared
from loader.csv_files import RULES_FILE, CsvFiles, of_number
from loader.csv_list import (
    HEADER,
    ListFile,
    check_regular,
    format_row,
    keys_of,
    open_regular,
    rows_of,
    sync,
    system_errors,
)
from loader.csv_new_store import make_store
from loader.csv_rules import CsvRules
from loader.list_keys import ListKeys
from loader.merging import checked, merged
from loader.store import (
    DEFAULT_LIST,
    AddOutcome,
    BadValueError,
    Entry,
    Reject,
    Step,
    StoreError,
    UnknownListError,
    check_list_name,
    check_number,
    escaped,
    quoted,
    too_many_addresses,
)
from lookup_core import MAX_ADDRESSES, is_address

ENDINGS = ("csv", "attached")


class CsvStore:
    """The store in one directory. Implements loader.store.Store."""

    def __init__(self, directory: Path, create: bool = False, region: str | None = None) -> None:
        """region: the default region of a store that is made; None: it has none.

        Raises StoreError when the directory is no store, or is missing and not to be created.
        """
        self.directory = directory
        self._files = CsvFiles(directory)
        self._rules = CsvRules(self._files)
        self._batches = self._files.batches
        self.last_step: Step | None = None
        with system_errors(directory):
            found = {child.name for child in directory.iterdir()} if directory.is_dir() else None
            if not found and not create:
                raise StoreError(
                    f"{directory}: expected a Callsieve store,"
                    f" found {'no directory' if found is None else 'an empty one'}"
                )
            if found and not found & {"lists", RULES_FILE}:
                raise StoreError(
                    f"{directory}: expected a Callsieve store (lists/, {RULES_FILE}),"
                    f" found other files"
                )
            if create:
                make_store(directory, region, self._files.lock)
        if os.access(directory, os.W_OK):
            self._files.recover()

    @property
    def url(self) -> str:
        return f"csv:{self.directory}"

    @property
    def catalog_directory(self) -> Path:
        return self.directory / "snapshots"

    def version(self, name: str) -> str:
        path = self._files.attached_path(name)
        with system_errors(path):
            if not path.exists():
                path = self._files.path(name)
            try:
                status = path.stat()
            except FileNotFoundError:
                return ""
        return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"

    def list_names(self) -> tuple[str, ...]:
        return tuple(sorted({DEFAULT_LIST, *(name for name, bad in self._stems() if not bad)}))

    def problems(self) -> tuple[str, ...]:
        bad_names = [f"lists/{escaped(name, 80)}.csv: {bad}" for name, bad in self._stems() if bad]
        return (*bad_names, self._files.problem) if self._files.problem else tuple(bad_names)

    def _stems(self) -> Iterator[tuple[str, str]]:
        """Each list file's name, and what is wrong with it as the name of a list."""
        with system_errors(self._files.lists):
            if not self._files.lists.is_dir():
                return
            found = (path for end in ENDINGS for path in self._files.lists.glob(f"[!.]*.{end}"))
            stems = sorted({path.stem for path in found})
        for stem in stems:
            try:
                yield check_list_name(stem), ""
            except BadValueError as error:
                yield stem, str(error)

    def region_of(self, name: str) -> str | None:
        return self._files.region_of(name)

    def create_list(
        self, name: str, origin: Origin | None = None, region: str | None = None
    ) -> bool:
        path = self._files.path(name)
        with self._files.lock(path), system_errors(path):
            self._files.log.recover()
            if path.exists() or self._files.attached_path(name).exists():
                return False
            self._files.sweep(name)
            new = self._files.working_path(name)
            new.write_text(HEADER + "\n", "utf-8")
            sync(new)
            change = Change(name, "create list", region=region)
            self._files.commit(change, origin, {"new": new.name})
        return True

    def remove_list(self, name: str, origin: Origin | None = None) -> None:
        if name == DEFAULT_LIST:
            raise BadValueError(f"list {quoted(name)}: it always exists and cannot be removed")
        path = self._files.path(name)
        with self.locked(name), system_errors(path):
            self._files.log.recover()
            if self.attached(name):
                self._files.commit(Change(name, "detach"), origin, {"detach": True})
            else:
                identity = new_batch_id()
                with open_regular(path) as file:
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                rows = sum(1 for _ in ListFile(path, None))
                batch = Batch(identity, 0, 0, rows, 0, 0, BatchFile(rows, sha256), None)
                self._batches.make_directory()
                region = self.region_of(name)
                change = Change(name, "remove list", batch=batch, region=region)
                self._files.commit(change, origin, {"keep": identity})
            self._files.lock_path(path).unlink()

    def attached(self, name: str) -> Attached | None:
        path = self._files.attached_path(name)
        with system_errors(path):
            return read_attached(path) if path.exists() else None

    def _attached_list(self, name: str, region: str | None) -> AttachedList | None:
        attached = self.attached(name)
        if attached is None:
            return None
        region = self._region(name, region)
        return AttachedList(attached, region, lambda batch: self._batches.path(batch, "change"))

    def _region(self, name: str, default: str | None) -> str | None:
        return self.region_of(name) or default

    def attach(self, name: str, attached: Attached, origin: Origin | None = None) -> None:
        path = self._files.path(name)
        with self._files.lock(path), system_errors(path):
            self._files.log.recover()
            if name == DEFAULT_LIST or path.exists():
                raise BadValueError(
                    f"list {quoted(name)}: expected a new name or an attached list, found a list"
                    " with rows of its own; choose another name, or remove that list first"
                )
            batch = Batch(new_batch_id(), 0, 0, 0, 0, 0, None, None, attached.file, attached.sha256)
            self._set_attached(Change(name, "attach", batch=batch), attached, origin)

    def apply_changes(
        self,
        name: str,
        file: Path,
        since: datetime.date,
        as_of: datetime.date,
        region: str | None,
        origin: Origin | None = None,
    ) -> Batch:
        with self.locked(name), system_errors(file):
            self._files.log.recover()
            attached = self.attached(name)
            if attached is None:
                raise BadValueError(f"list {quoted(name)}: it is not attached to a registry's file")
            counts = count_changes(file, attached.format, region)
            with file.open("rb") as data:
                sha256 = hashlib.file_digest(data, "sha256").hexdigest()
            identity = new_batch_id()
            changed = with_change(attached, AppliedChange(since, as_of, identity, sha256))
            batch = Batch(
                identity,
                counts.added,
                0,
                counts.removed,
                0,
                counts.rejected,
                None,
                None,
                file.name,
                sha256,
            )
            copy = self._files.working_path(name)
            shutil.copyfile(file, copy)
            sync(copy)
            (kept,) = self._batches.keep(identity, {"change": copy})
            try:
                self._set_attached(Change(name, "apply changes", batch=batch), changed, origin)
            except BaseException:
                kept.unlink(missing_ok=True)
                raise
        return batch

    def _set_attached(self, change: Change, attached: Attached, origin: Origin | None) -> None:
        self._files.sweep(change.list)
        working = self._files.working_path(change.list)
        working.write_text(attached.to_json(), "utf-8")
        sync(working)
        self._files.commit(change, origin, {"attached": working.name})

    def entries(self, name: str, region: str | None) -> Iterator[Entry | Reject]:
        path = self._existing(name)
        attached = self._attached_list(name, region)
        if attached:
            return attached.entries()
        return iter(ListFile(path, self._region(name, region)))

    def keys(self, name: str, region: str | None, now: datetime.datetime) -> ListKeys:
        path = self._existing(name)
        attached = self._attached_list(name, region)
        return attached.keys(now) if attached else keys_of(path, self._region(name, region), now)

    def add(
        self,
        name: str,
        entry: Entry,
        region: str | None,
        origin: Origin | None = None,
        weigh: Callable[[Entry | None, Entry], object] | None = None,
    ) -> AddOutcome:
        entry = checked(entry)
        path = self._files.path(name)
        region = self._region(name, region)
        with self._changing(name):
            listed = ListFile(path, region)
            old = next(of_number(entry.number, rows_of(listed, entry.number, region)), None)
            new = merged(old, entry)
            if new == old:
                return AddOutcome.PRESENT
            if weigh:
                weigh(old, new)
            if old is None and is_address(new.number):
                there = keys_of(path, region, datetime.datetime.now(datetime.UTC)).addresses
                if len(there) >= MAX_ADDRESSES:
                    raise too_many_addresses()
            change = Change(name, "update" if old else "add", new.number, old, new)
            if old is None and listed.appendable:
                row = listed.healing + format_row(new, listed.line_end)
                self._files.commit(change, origin, {"at": listed.size, "row": row})
                return AddOutcome.ADDED
            with self._editing(name, region) as edit:
                edit.write(new, old)
                edit.prepare()
                self._files.commit(change, origin, {"new": edit.new.name})
        return AddOutcome.UPDATED if old else AddOutcome.ADDED

    def remove(
        self, name: str, number: str, region: str | None, origin: Origin | None = None
    ) -> tuple[Entry, ...]:
        check_number(number)
        region = self._region(name, region)
        with self._changing(name):
            rows = rows_of(ListFile(self._files.path(name), region), number, region)
            removed = tuple(of_number(number, rows))
            if removed:
                with self._editing(name, region) as edit:
                    edit.drop(removed[0])
                    edit.prepare()
                    change = Change(name, "remove", number, removed[0])
                    self._files.commit(change, origin, {"new": edit.new.name})
        return removed

    @contextlib.contextmanager
    def edit(self, name: str, region: str | None, replace: bool = False) -> Iterator[CsvEdit]:
        with self._changing(name), self._editing(name, region, replace) as edit:
            yield edit

    def _editing(self, name: str, region: str | None, replace: bool = False) -> CsvEdit:
        path = self._files.path(name)
        region = self._region(name, region)
        self._files.sweep(name)

        def make(edit: CsvEdit, prepared: Prepared, details: BatchDetails) -> Batch:
            return self._make_batch(name, edit, prepared, details)

        return CsvEdit(path, region, secrets.token_hex(4), replace, self._batches, make)

    def _make_batch(
        self, name: str, edit: CsvEdit, prepared: Prepared, details: BatchDetails
    ) -> Batch:
        batch = Batch.of_edit(
            new_batch_id(), edit.counts, edit.removed, prepared.before, prepared.after, details
        )
        parts = (("before", edit.before), ("after", edit.after))
        files = {part: working for part, working in parts if getattr(prepared, part)}
        kept = self._batches.keep(batch.id, files)
        try:
            change = Change(name, details.what, batch=batch)
            self._files.commit(change, details.origin, {"new": edit.new.name})
        except BaseException:
            for path in kept:
                path.unlink(missing_ok=True)
            raise
        return batch

    def batch_rows(
        self, batch: Batch, part: Part, region: str | None = None
    ) -> Iterator[Entry | Reject]:
        return self._batches.rows(batch, part, region)

    def find_in_batch(self, batch: Batch, part: Part, number: str) -> Iterator[Entry]:
        return self._batches.find(batch, part, number)

    def check_batch(self, batch: Batch) -> None:
        self._batches.check(batch)

    def note(self, change: Change, origin: Origin | None = None) -> None:
        self._files.commit(change, origin, {})

    def log_lines(self) -> Iterator[bytes]:
        return self._files.log.lines()

    def find(self, number: str, region: str | None) -> Iterator[tuple[str, Entry]]:
        check_number(number)
        for name in self.list_names():
            path = self._existing(name)
            attached = self._attached_list(name, region)
            if attached:
                found = attached.find(number)
            else:
                own = self._region(name, region)
                found = iter(rows_of(ListFile(path, own), number, own))
            for entry in found:
                yield name, entry

    def rules_text(self) -> str:
        return self._rules.text()

    def put_rules(
        self, text: str, version: str, origin: Origin | None = None, what: str = "rules"
    ) -> None:
        self._rules.put(text, version, origin, what)

    def note_rules_edit(self, before: str, origin: Origin | None = None) -> None:
        self._rules.note_edit(before, origin)

    def kept_rules(self, sha256: str) -> str:
        return self._batches.text(sha256)

    def source(self, name: str) -> str:
        attached = self.attached(name)
        return attached.file if attached else str(self._files.path(name))

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[None]:
        with self._files.lock(self._existing(name)):
            self._files.recover()
            self._existing(name)  # it may have been removed while this waited
            yield

    @contextlib.contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        """The same for whoever changes the list: not without a log that it can be recorded in."""
        with self.locked(name):
            self._files.log.recover()
            check_regular(self._files.path(name))
            if attached := self.attached(name):
                raise BadValueError(
                    f"list {quoted(name)}: it is attached to {escaped(attached.file)}, which is"
                    " only read; put the number in another list"
                )
            before = self.version(name)
            yield
            self.last_step = Step(name, before, self.version(name))

    def _existing(self, name: str) -> Path:
        path = self._files.path(name)
        with system_errors(path):
            there = path.exists() or self._files.attached_path(name).exists()
            if name != DEFAULT_LIST and not there:
                names = ", ".join(self.list_names())
                raise UnknownListError(f"list {quoted(name)}: expected one of {names}")
        return path
