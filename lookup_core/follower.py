"""Following a catalog: noticing what was published, and having it open."""

import math
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from lookup_core.catalog_file import CATALOG_FILE, Contents, load
from lookup_core.counter import COUNTER_FILE, map_counter
from lookup_core.errors import CatalogError, SnapshotError
from lookup_core.generation_files import open_generation
from lookup_core.views import Document, PublishedList, UnavailableList, View

_RETRY_SECONDS = 1.0
_RACES = 16


class Follower:
    """Reader of a catalog. Any number of threads may share one, and processes have their own.

    It takes no lock. It keeps the files of its view mapped, so it goes on answering from them when
    they have been replaced or deleted.
    """

    def __init__(self, directory: Path) -> None:
        """Raises CatalogError, OSError."""
        self.directory = Path(directory)
        self._file = self.directory / CATALOG_FILE
        self._counter = map_counter(self.directory / COUNTER_FILE)
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

    def distrust(self, found: PublishedList, reason: str) -> None:
        """Makes a list unavailable to this reader until all of it is published anew.

        For what Snapshot.verify found: an altered file answers, but not the truth.
        """
        with self._refreshing:
            self._distrusted[found.name, found.base] = reason
            self._identity = ()
            self._seen = -1

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
            return self._make_view(load(self._file))
        except CatalogError as error:
            if self._view is None:
                raise
            problem = str(error)
        if problem in self._view.problems:
            return self._view, False
        return replace(self._view, problems=(*self._view.problems, problem)), False

    def _make_view(self, contents: Contents) -> tuple[View, bool]:
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
                snapshot = open_generation(self.directory, name, files)
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


def _identity(path: Path) -> tuple[int, ...]:
    """Differs between a file and the one it is replaced with; () when there is none."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
