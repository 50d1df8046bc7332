"""The CSV store: a directory of files that operators may read and edit by hand.

    DIR/callsieve.toml      the rules
    DIR/lists/NAME.csv      one list: number,date,description,expires
    DIR/snapshots/          what is published from them; made anew by `callsieve reload`

A change holds the list's lock file (lists/.NAME.csv.lock). One added number is one appended row,
synced. Everything else writes a new file beside the old one, syncs it and renames it over. So a
process killed at any moment leaves the old rows, the new rows, or the old rows and a last row
without line end; such a row is closed by the next change and never glued to what follows.

Rows that cannot be read stay in the file as they are and are reported as rejects.
"""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from loader.csv_list import (
    HEADER,
    ListFile,
    append,
    format_row,
    replacing,
    rewrite,
    sync_directory,
    system_errors,
)
from loader.locking import locked
from loader.merging import checked, merged
from loader.new_rules import NEW_RULES
from loader.store import (
    DEFAULT_LIST,
    AddOutcome,
    BadValueError,
    Entry,
    Reject,
    StoreError,
    UnknownListError,
    check_list_name,
    check_number,
    covers,
    escaped,
    quoted,
    rules_conflict,
    rules_version,
)

RULES_FILE = "callsieve.toml"
MAX_RULES_BYTES = 4_000_000


class CsvStore:
    """The store in one directory. Implements loader.store.Store."""

    def __init__(self, directory: Path, create: bool = False) -> None:
        """Raises StoreError when the directory is no store, or is missing and not to be created."""
        self.directory = directory
        self._lists = directory / "lists"
        self._rules = directory / RULES_FILE
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
                self._create()

    def _create(self) -> None:
        self._lists.mkdir(parents=True, exist_ok=True)
        default = self._lists / f"{DEFAULT_LIST}.csv"
        # Rules that are missing from a store that has lists were lost: an empty file in their place
        # would take effect with the next reload. So they are made first, and only then.
        is_new = not any(self._lists.glob("*.csv"))
        for path, text in ((self._rules, NEW_RULES), (default, HEADER + "\n")):
            if (is_new or path == default) and not path.exists():
                with self._lock(path):
                    if not path.exists():
                        with replacing(path) as file:
                            file.write(text)

    @property
    def url(self) -> str:
        return f"csv:{self.directory}"

    @property
    def catalog_directory(self) -> Path:
        return self.directory / "snapshots"

    def list_names(self) -> tuple[str, ...]:
        return tuple(sorted({DEFAULT_LIST, *(name for name, bad in self._files() if not bad)}))

    def problems(self) -> tuple[str, ...]:
        return tuple(f"lists/{escaped(name, 80)}.csv: {bad}" for name, bad in self._files() if bad)

    def _files(self) -> Iterator[tuple[str, str]]:
        """Each list file's name, and what is wrong with it as the name of a list."""
        with system_errors(self._lists):
            if not self._lists.is_dir():
                return
            stems = sorted(p.stem for p in self._lists.glob("[!.]*.csv"))
        for stem in stems:
            try:
                yield check_list_name(stem), ""
            except BadValueError as error:
                yield stem, str(error)

    def create_list(self, name: str) -> bool:
        path = self._path(name)
        with self._lock(path), system_errors(path):
            if path.exists():
                return False
            with replacing(path) as file:
                file.write(HEADER + "\n")
        return True

    def remove_list(self, name: str) -> None:
        if name == DEFAULT_LIST:
            raise BadValueError(f"list {quoted(name)}: it always exists and cannot be removed")
        path = self._path(name)
        with self.locked(name), system_errors(path):
            path.unlink()
            sync_directory(path.parent)
            _lock_path(path).unlink()

    def entries(self, name: str, region: str | None) -> Iterator[Entry | Reject]:
        for _, what in ListFile(self._existing(name), region):
            if what is not None:
                yield what

    def add(self, name: str, entry: Entry, region: str | None) -> AddOutcome:
        entry = checked(entry)
        path = self._path(name)
        with self.locked(name):
            listed = ListFile(path, region)
            old = None
            for _, what in listed:
                if old is None and isinstance(what, Entry) and what.number == entry.number:
                    old = what
            new = merged(old, entry)
            if new == old:
                return AddOutcome.PRESENT
            if old is not None:
                rewrite(path, region, {new.number: new}, ())
                return AddOutcome.UPDATED
            if listed.appendable:
                append(path, listed.healing + format_row(new, listed.line_end))
            else:
                rewrite(path, region, {}, [new])
            return AddOutcome.ADDED

    def add_many(
        self, name: str, entries: Iterable[Entry], region: str | None, *, dry_run: bool = False
    ) -> dict[AddOutcome, int]:
        counts = dict.fromkeys(AddOutcome, 0)
        path = self._path(name)
        with self.locked(name):
            known: dict[str, Entry] = {}
            for _, what in ListFile(path, region):
                if isinstance(what, Entry):
                    known.setdefault(what.number, what)
            had = len(known)
            changed: dict[str, Entry] = {}
            for entry in entries:
                old = known.get(entry.number)
                new = merged(old, checked(entry))
                if new == old:
                    counts[AddOutcome.PRESENT] += 1
                    continue
                known[new.number] = new
                if old is None:
                    counts[AddOutcome.ADDED] += 1
                else:
                    counts[AddOutcome.UPDATED] += 1
                    changed[new.number] = new
            added = list(known.values())[had:]  # a dict keeps the order of first insertion
            if (added or changed) and not dry_run:
                rewrite(path, region, changed, added)
        return counts

    def load(self, name: str, entries: Iterable[Entry]) -> int:
        path = self._path(name)
        count = 0
        with self.locked(name), system_errors(path), replacing(path) as file:
            file.write(HEADER + "\n")
            for count, entry in enumerate(entries, 1):  # noqa: B007
                file.write(format_row(checked(entry), "\n"))
        return count

    def remove(self, name: str, number: str, region: str | None) -> tuple[Entry, ...]:
        check_number(number)
        path = self._path(name)
        with self.locked(name):
            removed = tuple(
                what
                for _, what in ListFile(path, region)
                if isinstance(what, Entry) and what.number == number
            )
            if removed:
                rewrite(path, region, {number: None}, ())
        return removed

    def find(self, number: str, region: str | None) -> Iterator[tuple[str, Entry]]:
        check_number(number)
        for name in self.list_names():
            for what in self.entries(name, region):
                if isinstance(what, Entry) and covers(what.number, number):
                    yield name, what

    def rules_text(self) -> str:
        with system_errors(self._rules), self._rules.open("rb") as file:
            data = file.read(MAX_RULES_BYTES + 1)
        if len(data) > MAX_RULES_BYTES:
            raise StoreError(f"{self._rules}: expected at most {MAX_RULES_BYTES} bytes")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise StoreError(f"{self._rules}: line {line}: expected UTF-8") from None

    def put_rules(self, text: str, version: str) -> None:
        with self._lock(self._rules):
            found = rules_version(self.rules_text())
            if found != version:
                raise rules_conflict(found, version)
            with system_errors(self._rules), replacing(self._rules) as file:
                file.write(text)

    def source(self, name: str) -> str:
        return str(self._path(name))

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[None]:
        with self._lock(self._existing(name)):
            self._existing(name)  # it may have been removed while this waited
            yield

    def _lock(self, path: Path) -> contextlib.AbstractContextManager[None]:
        with system_errors(path.parent):
            path.parent.mkdir(exist_ok=True)
        return locked(_lock_path(path), f"{path.parent.name}/{path.name}")

    def _path(self, name: str) -> Path:
        return self._lists / f"{check_list_name(name)}.csv"

    def _existing(self, name: str) -> Path:
        path = self._path(name)
        with system_errors(path):
            if name != DEFAULT_LIST and not path.exists():
                names = ", ".join(self.list_names())
                raise UnknownListError(f"list {quoted(name)}: expected one of {names}")
        return path


def _lock_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")
