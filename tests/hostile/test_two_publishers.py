"""Two publishers in one catalog: what one does between any two steps of the other is not lost."""

import fcntl
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from lookup_core import Catalog, CatalogError, PublishedList, commits
from tests.support.steps import acting_at

KEPT_FILES = {"building", "catalog.json", "counter", "lock"}


def published(directory: Path) -> PublishedList:
    view = Catalog(directory).current()
    assert view.problems == ()
    found = view.lists["Default"]
    assert isinstance(found, PublishedList)
    found.snapshot.verify()
    return found


def being_cleared(directory: Path) -> bool:
    """Whether the first publisher stands where the other would wait for it."""
    with (directory / "building").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


class OtherPublisher:
    """Makes two changes, after which the files of the generation before them are deleted."""

    def __init__(self, directory: Path) -> None:
        self.catalog = Catalog(directory)
        self.numbers = map(str, itertools.count(1000))
        self.added: set[str] = set()

    def __call__(self) -> None:
        self.added = set()
        if being_cleared(self.catalog.directory):
            return
        try:
            for number in itertools.islice(self.numbers, 2):
                self.catalog.change("Default", [number])
                self.added.add(number)
        except CatalogError as error:
            # While the first publisher has the lock.
            assert "found it held by another publisher" in str(error)  # noqa: PT017
            assert not self.added


Operation = Callable[[Catalog], object]
OPERATIONS: dict[str, tuple[Operation, Callable[[set[str], set[str]], list[set[str]]]]] = {
    "publish": (
        lambda catalog: catalog.publish("Default", ["112"]),
        lambda _before, added: [{"112"}, {"112"} | added],
    ),
    "change": (
        lambda catalog: catalog.change("Default", ["112"], ["113"]),
        lambda before, added: [before - {"113"} | {"112"} | added],
    ),
    "fold": (
        lambda catalog: catalog.fold("Default"),
        lambda before, added: [before | added],
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_changes_between_any_two_steps(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "LOCK_WAIT_SECONDS", -1.0)
    operate, expected = OPERATIONS[name]
    publisher = Catalog(tmp_path, create=True)
    publisher.publish("Default", ["113"])
    other = OtherPublisher(tmp_path)
    came_in = 0
    for step in itertools.count(1):
        publisher.change("Default", [str(step)])
        before = published(tmp_path)
        with acting_at(step, other) as steps:
            operate(publisher)
        if steps.count < step:
            break
        after = published(tmp_path)
        assert set(after.snapshot) in expected(set(before.snapshot), other.added), step
        committed = after.generation - before.generation
        assert committed == 1 + len(other.added), step
        came_in += len(other.added)
        names = {path.name for path in tmp_path.iterdir() if path.suffix in ("", ".json", ".tmp")}
        assert names == KEPT_FILES, step
    assert step > 50
    assert came_in > 20, "not all of it is under the lock"


def test_a_publisher_while_the_catalog_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "LOCK_WAIT_SECONDS", -1.0)
    opened = 0

    def publish() -> None:
        nonlocal opened
        try:
            other = Catalog(directory)
            if being_cleared(directory):
                return
            opened += 1
            other.publish_document("rules", "")
        except CatalogError:
            assert not (directory / "counter").exists() or opened

    for step in itertools.count(1):
        directory = tmp_path / str(step)
        with acting_at(step, publish) as steps:
            created = Catalog(directory, create=True)
        assert created.current().problems == ()
        if steps.count < step:
            break
    assert opened > 10
