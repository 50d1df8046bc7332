"""A directory of published generations: number lists as snapshots, and documents as text.

    catalog.json                  what is current; replaced by one rename, which is the commit
    counter                       8 bytes that readers map and compare; see _map_counter
    lock                          held, by flock, by the writer that commits
    building                      held shared by everybody who has a file in the making
    <hash of name>-<number>.snapshot    all of a list; immutable
    <hash of name>-<number>.delta       what a later generation changes in it; immutable
    readers/                      what each process that follows has; see readers.py

A generation is a snapshot file, or one and a delta over it; the files of the previous one are kept.

A reader takes no lock. It keeps the files of its view mapped, so it goes on answering from them
when they have been replaced or deleted.
"""

import contextlib
import fcntl
import hashlib
import json
import math
import mmap
import os
import random as random_module
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from lookup_core.errors import CatalogError, SnapshotError
from lookup_core.snapshot import Snapshot
from lookup_core.snapshot_format import (
    is_temporary,
    replace_file,
    sync_directory,
    temporary_path,
    write_temporary,
)

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

CATALOG_VERSION = 2
_FORMAT = "callsieve catalog"
MAX_CATALOG_BYTES = 64 * 2**20
LOCK_WAIT_SECONDS = 300.0  # several times the build of a national registry
_RETRY_SECONDS = 1.0
_RACES = 16
_SNAPSHOT, _DELTA = ".snapshot", ".delta"


@dataclass(frozen=True, eq=False)
class PublishedList:
    """One generation of a number list. info: what the publisher stored with it.

    base: the generation in which all of the list was written; later ones changed some entries.
    """

    name: str
    generation: int
    base: int
    snapshot: Snapshot
    info: Mapping[str, JSON]

    def match(self, text: str) -> str | None:
        """The entry that the number matches; see Snapshot.match."""
        return self.snapshot.match(text)

    def random(self, rng: random_module.Random) -> str | None:
        """One of the list's numbers; see Snapshot.random."""
        return self.snapshot.random(rng)


@dataclass(frozen=True)
class UnavailableList:
    """A published list that this reader never could open, or that turned out to be altered."""

    name: str
    generation: int
    reason: str


@dataclass(frozen=True)
class Document:
    """One generation of a text, such as the rules."""

    text: str
    generation: int
    info: Mapping[str, JSON]


@dataclass(frozen=True, eq=False)
class View:
    """Everything published at one moment. problems: a sentence for each thing that is not right."""

    sequence: int
    lists: Mapping[str, PublishedList | UnavailableList]
    documents: Mapping[str, Document]
    problems: tuple[str, ...] = ()


@dataclass
class _Files:
    """Which files a generation is in. delta: 0 when there is none."""

    base: int
    delta: int
    info: dict[str, JSON]


@dataclass
class _Row:
    """A list in catalog.json."""

    generation: int
    files: _Files
    previous: _Files | None

    def next(self, base: int, delta: int, info: dict[str, JSON]) -> "_Row":
        return _Row(self.generation + 1, _Files(base, delta, info), self.files)


@dataclass
class _Contents:
    """catalog.json. last_generations: of withdrawn lists, so that no file name is used twice."""

    sequence: int = 0
    lists: dict[str, _Row] = field(default_factory=dict)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    last_generations: dict[str, int] = field(default_factory=dict)


class Catalog:
    """Reader and publisher of one directory. Any number of threads and processes may do both."""

    def __init__(self, directory: Path, create: bool = False) -> None:
        """create: make the directory an empty catalog unless it is one.

        Raises CatalogError, OSError.
        """
        self.directory = Path(directory)
        self._file = self.directory / "catalog.json"
        if create:
            self._create()
        self._counter = _map_counter(self.directory / "counter")
        self._refreshing = threading.Lock()
        self._view: View | None = None
        self._seen = -1  # the counter's value that _view was made from; -1: look again every time
        self._read_at = -1  # the counter's value when catalog.json was read last
        self._identity: tuple[int, ...] = ()
        self._retry_at = math.inf
        self._distrusted: dict[tuple[str, int], str] = {}

    def current(self) -> View:
        """What is published now: the same object while nothing changes.

        A list that cannot be opened keeps its generation of before, or is an UnavailableList; it
        is named in View.problems and tried again every second. So is a catalog.json that cannot be
        read, but with nothing read before it raises CatalogError.
        """
        if self._counter[0] == self._seen:
            assert self._view is not None
            return self._view
        with self._refreshing:
            return self._refresh()

    def publish(
        self,
        name: str,
        numbers: Iterable[str | int],
        prefixes: Iterable[str] = (),
        info: Mapping[str, JSON] = MappingProxyType({}),
        same_info: Mapping[str, JSON] | None = None,
    ) -> int:
        """Makes these the list's numbers in one step for all readers; the new generation's number.

        numbers, prefixes: as for Snapshot.build. info: JSON values kept with the generation.
        same_info: when the list has these very entries already, and every byte of its files is as
        it was written, no generation is made: the one that there is keeps its number and gets
        these values. None: a new one is made whatever the list has.
        Raises what Snapshot.build raises, ValueError or TypeError for an info that is not JSON,
        CatalogError, OSError; readers then see no change.
        """
        plain = _plain(info)
        with self._building() as working:
            Snapshot.build(working, numbers, prefixes)
            if same_info is not None:
                generation = self._keep(name, working, _plain(same_info))
                if generation:
                    return generation
            with self._writing() as contents:
                row = contents.lists.get(name)
                generation = 1 + (row.generation if row else contents.last_generations.get(name, 0))
                working.replace(self._path(name, generation, _SNAPSHOT))
                contents.last_generations.pop(name, None)
                contents.lists[name] = _Row(
                    generation, _Files(generation, 0, plain), row.files if row else None
                )
        return generation

    def _keep(self, name: str, built: Path, info: dict[str, JSON]) -> int:
        """Leave a list that is intact and has the entries of `built`; its generation, 0 for none.

        As with publish(), what others publish meanwhile is older news than what was built.
        """
        with self._locked():  # or the files might be deleted before they are open
            row = _load(self._file).lists.get(name)
            if row is None:
                return 0
            try:
                found = self._open(name, row.files)
            except (SnapshotError, OSError):
                return 0
        try:
            if not found.has_entries_of(Snapshot.open(built)):
                return 0
            found.verify()
        except SnapshotError:
            return 0
        if row.files.info == info:
            return row.generation
        with self._writing() as contents:
            now = contents.lists.get(name)
            if now is None or now.files != row.files:
                return 0
            contents.lists[name] = replace(now, files=replace(now.files, info=info))
        return row.generation

    def change(
        self,
        name: str,
        add: Iterable[str | int] = (),
        remove: Iterable[str | int] = (),
        add_prefixes: Iterable[str] = (),
        remove_prefixes: Iterable[str] = (),
        info: Mapping[str, JSON] | None = None,
    ) -> int:
        """Changes entries of a list in one step for all readers; the new generation's number.

        Takes milliseconds whatever the list's size; fold() from time to time keeps it so. See
        Snapshot.build_delta for the entries. info: None leaves the generation's as it is.
        Raises KeyError when there is no such list, and what publish() raises; readers then see no
        change.
        """
        with self._building() as working, self._writing() as contents:
            row = contents.lists[name]
            plain = row.files.info if info is None else _plain(info)
            before = self._open(name, row.files)
            Snapshot.build_delta(working, before, add, remove, add_prefixes, remove_prefixes)
            contents.lists[name] = row = row.next(row.files.base, row.generation + 1, plain)
            working.replace(self._path(name, row.generation, _DELTA))
        return row.generation

    def fold(self, name: str) -> bool:
        """Writes all of a list anew, so that nothing is left of its delta. Whether it did.

        Other changes may come in meanwhile: they are not held up, and none is lost. False: there
        was no delta, or the list was published or withdrawn meanwhile. Raises KeyError,
        CorruptSnapshotError when the files are not what was written, and what publish() raises.
        """
        with self._building() as working:
            with self._locked():  # or the files might be deleted before they are open
                files = _load(self._file).lists[name].files
                if not files.delta:
                    return False
                folded_from = self._open(name, files)
            folded_from.verify()  # an altered number would be as good as any in the new file
            Snapshot.build(working, folded_from.keys(), folded_from.prefixes)
            with self._building() as working_delta, self._writing() as contents:
                row = contents.lists.get(name)
                if row is None or row.files.base != files.base:
                    return False
                base = row.generation + 1
                changed = row.files.delta != files.delta
                if changed:
                    Snapshot.build_delta_since(
                        working_delta,
                        Snapshot.open(working),
                        folded_from,
                        self._open(name, row.files),
                    )
                    working_delta.replace(self._path(name, base, _DELTA))
                working.replace(self._path(name, base, _SNAPSHOT))
                # The list says what it said, so the one before it is still the one before.
                folded = _Files(base, base if changed else 0, row.files.info)
                contents.lists[name] = _Row(base, folded, row.previous)
        return True

    def roll_back(self, name: str, info: Mapping[str, JSON] = MappingProxyType({})) -> int:
        """Makes the generation before the current one the next one; its number.

        Doing it twice returns to where it was. info: values to keep with it, over those that it
        had. Raises KeyError when there is no such list or none before, SnapshotError when that one
        cannot be opened, ValueError or TypeError for an info that is not JSON, CatalogError,
        OSError; readers then see no change.
        """
        plain = _plain(info)
        with self._building(), self._writing() as contents:
            row = contents.lists[name]
            if row.previous is None:
                raise KeyError(name)
            before = row.previous
            self._open(name, before)
            contents.lists[name] = row.next(before.base, before.delta, before.info | plain)
            return row.generation + 1

    def publish_document(
        self, name: str, text: str, info: Mapping[str, JSON] = MappingProxyType({})
    ) -> int:
        """Makes this the document's text, as publish() does; the new generation's number."""
        row = {"text": text, "info": _plain(info)}
        with self._building(), self._writing() as contents:
            generation = 1 + int(contents.documents.get(name, {"generation": 0})["generation"])
            contents.documents[name] = {"generation": generation, **row}
        return generation

    def withdraw(self, name: str) -> None:
        """Removes a list. Raises KeyError when there is none so named, CatalogError, OSError."""
        with self._building(), self._writing() as contents:
            contents.last_generations[name] = contents.lists.pop(name).generation

    def distrust(self, found: PublishedList, reason: str) -> None:
        """Makes a list unavailable to this reader until all of it is published anew.

        For what Snapshot.verify found: an altered file answers, but not the truth.
        """
        with self._refreshing:
            self._distrusted[found.name, found.base] = reason
            self._identity = ()
            self._seen = -1

    def _open(self, name: str, files: _Files) -> Snapshot:
        delta = self._path(name, files.delta, _DELTA) if files.delta else None
        return Snapshot.open(self._path(name, files.base, _SNAPSHOT), delta=delta)

    # Writing

    def _create(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._building(), self._locked():
            if not self._file.exists():
                replace_file(self._file, [_dump(_Contents())])
            # Last: what has a counter is a catalog.
            counter = self.directory / "counter"
            if not counter.exists():
                replace_file(counter, [bytes(8)])

    @contextlib.contextmanager
    def _building(self) -> Iterator[Path]:
        """Gives the name of a file to make. Whoever comes when nobody is at work clears away what
        killed publishers left.
        """
        with (self.directory / "building").open("ab") as file:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for path in self.directory.iterdir():
                    if is_temporary(path.name):
                        path.unlink(missing_ok=True)
            # Nobody holds it exclusively for longer than the clearing takes.
            fcntl.flock(file, fcntl.LOCK_SH)
            working = temporary_path(self.directory)
            try:
                yield working
            finally:
                working.unlink(missing_ok=True)
                fcntl.flock(file, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds the writers' lock. The kernel lets go of it when a writer dies."""
        path = self.directory / "lock"
        deadline = time.monotonic() + LOCK_WAIT_SECONDS
        with path.open("ab") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise CatalogError(
                            f"{path}: expected to get the lock within {LOCK_WAIT_SECONDS:.0f} s,"
                            " found it held by another publisher"
                        ) from None
                    # Not a blocking flock: under gevent that would stop every call of the process.
                    time.sleep(0.02)
            try:
                yield
            finally:
                # Closing is not enough: a child forked meanwhile has the descriptor too.
                fcntl.flock(file, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[_Contents]:
        """Locks, gives what is published, and commits what the caller made of it."""
        with self._locked():
            contents = _load(self._file)
            yield contents
            contents.sequence += 1
            data = _dump(contents)
            if len(data) > MAX_CATALOG_BYTES:
                raise CatalogError(
                    f"{self._file}: expected at most {MAX_CATALOG_BYTES} bytes, found {len(data)}"
                )
            temporary = write_temporary(self._file, [data])
            # Odd from here on: if this process dies before the second step, readers do not rely
            # on the counter but look at the file, until the next writer has made it even again.
            count = (self._counter[0] + 1) | 1
            self._set_counter(count)
            temporary.replace(self._file)
            sync_directory(self.directory)
            self._set_counter(count + 1)
            self._sweep(contents)

    def _set_counter(self, value: int) -> None:
        with (self.directory / "counter").open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), value.to_bytes(8, "little"), 0)

    def _sweep(self, contents: _Contents) -> None:
        """Deletes the files of generations older than the previous one."""
        kept = {
            path.name
            for name, row in contents.lists.items()
            for files in (row.files, row.previous)
            if files is not None
            for path in (
                self._path(name, files.base, _SNAPSHOT),
                self._path(name, files.delta, _DELTA),
            )
        }
        for path in self.directory.iterdir():
            if path.suffix in (_SNAPSHOT, _DELTA) and path.name not in kept:
                path.unlink(missing_ok=True)

    def _path(self, name: str, number: int, suffix: str) -> Path:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        return self.directory / f"{digest[:32]}-{number}{suffix}"

    # Reading

    def _refresh(self) -> View:
        count = self._counter[0]
        # During one value of the counter the file is replaced at most once, so its identity tells.
        if (
            self._view is not None
            and count == self._read_at
            and self._identity == _identity(self._file)
            and time.monotonic() < self._retry_at
        ):
            return self._view
        view, lost = self._read()
        for _ in range(_RACES):
            if not lost or self._identity == _identity(self._file):
                break
            view, lost = self._read()
        self._view = view
        self._retry_at = time.monotonic() + _RETRY_SECONDS if view.problems else math.inf
        self._seen = -1 if view.problems or self._read_at % 2 else self._read_at
        return view

    def _read(self) -> tuple[View, bool]:
        """A new view, and whether a file was missing, as it is when a publisher was faster."""
        self._read_at = self._counter[0]
        self._identity = _identity(self._file)
        try:
            return self._make_view(_load(self._file))
        except CatalogError as error:
            if self._view is None:
                raise
            problem = str(error)
        if problem in self._view.problems:
            return self._view, False
        return replace(self._view, problems=(*self._view.problems, problem)), False

    def _make_view(self, contents: _Contents) -> tuple[View, bool]:
        """The view of what was read, and whether a snapshot file was missing."""
        before = self._view.lists if self._view else {}
        lists: dict[str, PublishedList | UnavailableList] = {}
        problems = []
        lost = False
        for name, row in contents.lists.items():
            generation, files = row.generation, row.files
            old = before.get(name)
            distrusted = self._distrusted.get((name, files.base))
            if distrusted is not None:
                lists[name] = UnavailableList(name, generation, distrusted)
                problems.append(f"list {name!r}: generation {generation}: {distrusted}")
                continue
            if isinstance(old, PublishedList) and old.generation == generation:
                lists[name] = old if old.info == files.info else replace(old, info=files.info)
                continue
            try:
                snapshot = self._open(name, files)
                lists[name] = PublishedList(name, generation, files.base, snapshot, files.info)
            except (SnapshotError, OSError) as error:
                lost = lost or isinstance(error, FileNotFoundError)
                problem = f"list {name!r}: generation {generation} cannot be opened: {error}"
                if isinstance(old, PublishedList):
                    lists[name] = old
                    problem += f"; generation {old.generation} stays in use"
                else:
                    lists[name] = UnavailableList(name, generation, str(error))
                problems.append(problem)
        documents = {name: Document(**row) for name, row in contents.documents.items()}
        view = View(
            contents.sequence,
            MappingProxyType(lists),
            MappingProxyType(documents),
            tuple(problems),
        )
        return view, lost


def _map_counter(path: Path) -> memoryview:
    """The counter as one native 64-bit integer, mapped read-only.

    It only grows. Even: catalog.json is as it was when the counter got this value. Odd: a publisher
    is replacing catalog.json, or died while doing so.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != 8:
                raise CatalogError(f"{path}: expected 8 bytes, found {size}")
            return memoryview(mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)).cast("Q")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CatalogError(
            f"{path.parent}: expected the directory of a catalog, found no {path.name} in it"
        ) from error


def _identity(path: Path) -> tuple[int, ...]:
    """Differs between a file and the one it is replaced with; () when there is none."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _plain(info: Mapping[str, JSON]) -> dict[str, JSON]:
    """A copy that is JSON. Raises TypeError or ValueError when it cannot be."""
    plain: dict[str, JSON] = json.loads(json.dumps(dict(info), allow_nan=False))
    return plain


def _dump(contents: _Contents) -> bytes:
    return json.dumps(
        {
            "format": _FORMAT,
            "version": CATALOG_VERSION,
            "sequence": contents.sequence,
            "lists": {name: asdict(row) for name, row in contents.lists.items()},
            "documents": contents.documents,
            "last_generations": contents.last_generations,
        },
        indent=1,
    ).encode("ascii")


def _load(path: Path) -> _Contents:
    """Reads and checks catalog.json. Raises CatalogError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CATALOG_BYTES + 1)
    except OSError as error:
        raise CatalogError(f"{path}: expected a readable file, found {error}") from error
    if len(data) > MAX_CATALOG_BYTES:
        raise CatalogError(f"{path}: expected at most {MAX_CATALOG_BYTES} bytes, found more")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{path}: expected JSON, found {error}") from error

    def expect(place: str, good: bool, expected: str, value: object) -> None:
        if not good:
            raise CatalogError(f"{path}: {place}: expected {expected}, found {value!r:.60}")

    def count(place: str, value: object, least: int) -> None:
        good = type(value) is int and value >= least
        expect(place, good, f"a whole number from {least}", value)

    expect("document", isinstance(found, dict), "an object", found)
    expect("format", found.get("format") == _FORMAT, repr(_FORMAT), found.get("format"))
    version = found.get("version")
    expect("version", version == CATALOG_VERSION, str(CATALOG_VERSION), version)
    count("sequence", found.get("sequence"), 0)

    def rows(part: str, keys: set[str]) -> dict[str, Any]:
        rows = found.get(part)
        expect(part, isinstance(rows, dict), "an object", rows)
        for name, row in rows.items():
            place = f"{part}[{name!r}]"
            good = isinstance(row, dict) and row.keys() == keys
            expect(place, good, f"an object of {', '.join(sorted(keys))}", row)
            count(f"{place}.generation", row["generation"], 1)
        return rows  # type: ignore[no-any-return]

    def files(place: str, value: Any) -> _Files:
        good = isinstance(value, dict) and value.keys() == {"base", "delta", "info"}
        expect(place, good, "an object of base, delta, info", value)
        count(f"{place}.base", value["base"], 1)
        count(f"{place}.delta", value["delta"], 0)
        expect(f"{place}.info", isinstance(value["info"], dict), "an object", value["info"])
        return _Files(**value)

    lists = {}
    for name, row in rows("lists", {"generation", "files", "previous"}).items():
        place = f"lists[{name!r}]"
        previous = row["previous"]
        lists[name] = _Row(
            row["generation"],
            files(f"{place}.files", row["files"]),
            None if previous is None else files(f"{place}.previous", previous),
        )
    documents = rows("documents", {"generation", "text", "info"})
    for name, row in documents.items():
        place = f"documents[{name!r}]"
        expect(f"{place}.info", isinstance(row["info"], dict), "an object", row["info"])
        expect(f"{place}.text", isinstance(row["text"], str), "text", row["text"])
    withdrawn = found.get("last_generations")
    expect("last_generations", isinstance(withdrawn, dict), "an object", withdrawn)
    for name, generation in withdrawn.items():
        count(f"last_generations[{name!r}]", generation, 1)
    return _Contents(found["sequence"], lists, documents, withdrawn)
