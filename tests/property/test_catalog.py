"""What is published is seen, in one step, by every reader; and what broken files do."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from lookup_core import (
    Catalog,
    CatalogError,
    CorruptSnapshotError,
    PublishedList,
    UnavailableList,
    View,
    catalog_file,
    commits,
    follower,
)
from tests.support.altered_files import LINES


@pytest.fixture
def published(tmp_path: Path) -> Catalog:
    publisher = Catalog(tmp_path / "lists", create=True)
    publisher.publish("Default", ["+48600100200"], ["+48700*"], {"entries": 2})
    publisher.publish("VIP", ["+48600100201"])
    return publisher


def snapshot_files(publisher: Catalog) -> list[Path]:
    return sorted(publisher.directory.glob("*.snapshot"))


def matched(view: View, name: str, number: str) -> str | None:
    found = view.lists[name]
    assert isinstance(found, PublishedList)
    return found.match(number)


def test_only_what_changed_is_opened_again(published: Catalog) -> None:
    reader = Catalog(published.directory)
    before = reader.current()
    published.publish("VIP", ["112"])
    published.publish_document("rules", "default_region = 'PL'\n", {"by": "test"})
    after = reader.current()
    assert after is not before
    assert after.lists["Default"] is before.lists["Default"]
    assert matched(after, "VIP", "112") == "112"
    assert matched(before, "VIP", "+48600100201") == "+48600100201"
    assert after.documents["rules"].text == "default_region = 'PL'\n"


def test_a_reader_goes_on_when_every_file_is_deleted(published: Catalog) -> None:
    view = published.current()
    shutil.rmtree(published.directory)
    assert published.current() is view
    assert matched(view, "Default", "+48700000000") == "+48700*"


def test_the_previous_generation_is_kept(published: Catalog) -> None:
    for generation in range(2, 6):
        assert published.publish("Default", [str(generation)]) == generation
    assert len(snapshot_files(published)) == 3
    published.withdraw("Default")
    assert len(snapshot_files(published)) == 1
    assert published.publish("Default", []) == 6, "a file name is never used twice"


def test_a_list_that_cannot_be_opened(published: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "_RETRY_SECONDS", 0.0)
    old_reader = Catalog(published.directory)
    old_reader.current()
    before = set(snapshot_files(published))
    published.publish("Default", ["112"])
    (file,) = set(snapshot_files(published)) - before
    good = file.read_bytes()
    file.write_bytes(good[:100])

    view = old_reader.current()
    assert matched(view, "Default", "+48600100200") == "+48600100200", "the generation of before"
    (problem,) = view.problems
    assert problem.startswith("list 'Default': generation 2 cannot be opened: ")
    assert "file_length: expected" in problem
    assert problem.endswith("; generation 1 stays in use")

    view = Catalog(published.directory).current()
    missing = view.lists["Default"]
    assert isinstance(missing, UnavailableList)
    assert (missing.name, missing.generation) == ("Default", 2)
    assert str(file) in missing.reason
    assert len(view.problems) == 1
    assert matched(view, "VIP", "+48600100201")

    file.write_bytes(good)
    view = old_reader.current()
    assert view.problems == ()
    assert matched(view, "Default", "112") == "112"
    assert old_reader.current() is view


def test_a_missing_file_is_a_problem_and_no_error(published: Catalog) -> None:
    for file in snapshot_files(published):
        file.unlink()
    reader = Catalog(published.directory)
    view = reader.current()
    assert all(isinstance(found, UnavailableList) for found in view.lists.values())
    assert len(view.problems) == 2
    assert reader.current() is view, "tried again only after a second"


def test_an_altered_list_is_not_written_anew_as_if_it_were_good(published: Catalog) -> None:
    """Its checksums would fit from then on."""
    published.change("Default", ["112"])
    found = published.current().lists["Default"]
    assert isinstance(found, PublishedList)
    (delta,) = published.directory.glob("*.delta")
    for file in (found.snapshot.path, delta):
        good = file.read_bytes()
        bad = bytearray(good)
        bad[LINES] ^= 1
        file.write_bytes(bad)
        with pytest.raises(CorruptSnapshotError, match=r"section\[1\]\.checksum"):
            published.fold("Default")
        file.write_bytes(good)
    assert published.fold("Default")
    assert matched(published.current(), "Default", "112") == "112"


def rewritten(published: Catalog, **changes: object) -> str:
    content = json.loads((published.directory / "catalog.json").read_bytes())
    return json.dumps(content | changes)


BROKEN = {
    "empty": ("", "expected JSON"),
    "cut": ('{"format": "callsieve cat', "expected JSON"),
    "deep": ("[" * 100_000, "expected JSON"),
    "binary": ("\0\x01\x7f", "expected JSON"),
    "array": ("[]", "document: expected an object, found []"),
}
FILES: dict[str, object] = {"base": 1, "delta": 0, "info": {}}
CHANGED: dict[str, tuple[dict[str, object], str]] = {
    "another file": ({"format": "other"}, "format: expected 'callsieve catalog', found 'other'"),
    "version": ({"version": 1}, "version: expected 2, found 1"),
    "sequence": ({"sequence": -1}, "sequence: expected a whole number from 0, found -1"),
    "lists": ({"lists": []}, "lists: expected an object, found []"),
    "row": (
        {"lists": {"A": 1}},
        "lists['A']: expected an object of files, generation, previous, found 1",
    ),
    "generation": (
        {"lists": {"A": {"generation": "../x", "files": FILES, "previous": None}}},
        "lists['A'].generation: expected a whole number from 1, found '../x'",
    ),
    "files": (
        {"lists": {"A": {"generation": 1, "files": {"base": 1}, "previous": None}}},
        "lists['A'].files: expected an object of base, delta, info, found {'base': 1}",
    ),
    "base": (
        {"lists": {"A": {"generation": 1, "files": FILES | {"base": 0}, "previous": None}}},
        "lists['A'].files.base: expected a whole number from 1, found 0",
    ),
    "previous delta": (
        {"lists": {"A": {"generation": 1, "files": FILES, "previous": FILES | {"delta": ""}}}},
        "lists['A'].previous.delta: expected a whole number from 0, found ''",
    ),
    "info": (
        {"lists": {"A": {"generation": 1, "files": FILES | {"info": None}, "previous": None}}},
        "lists['A'].files.info: expected an object, found None",
    ),
    "text": (
        {"documents": {"rules": {"generation": 1, "info": {}, "text": 1}}},
        "documents['rules'].text: expected text, found 1",
    ),
    "withdrawn": (
        {"last_generations": {"A": 0}},
        "last_generations['A']: expected a whole number from 1, found 0",
    ),
}


@pytest.mark.parametrize("kind", [*BROKEN, *CHANGED])
def test_a_catalog_that_cannot_be_read(
    published: Catalog, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "_RETRY_SECONDS", 0.0)
    reader = Catalog(published.directory)
    view = reader.current()
    published.publish("VIP", ["112"])
    file = published.directory / "catalog.json"
    good = file.read_text()
    if kind in BROKEN:
        content, message = BROKEN[kind]
    else:
        changes, message = CHANGED[kind]
        content = rewritten(published, **changes)
    file.write_text(content)

    def attempt_publish() -> object:
        return published.publish("Default", [])

    for attempt in (Catalog(published.directory).current, attempt_publish):
        with pytest.raises(CatalogError) as caught:
            attempt()
        assert str(caught.value).startswith(f"{file}: {message}")
    assert file.read_text() == content, "a publisher does not replace what it cannot read"
    kept = reader.current()
    assert kept.lists == view.lists
    assert len(kept.problems) == 1
    assert kept.problems[0].startswith(f"{file}: {message}")
    assert reader.current() is kept

    file.write_text(good)
    healed = reader.current()
    assert healed.problems == ()
    assert matched(healed, "VIP", "112") == "112"


def test_a_directory_that_is_no_catalog(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "missing"):
        with pytest.raises(CatalogError, match="expected the directory of a catalog, found no"):
            Catalog(directory)
    assert not list(tmp_path.iterdir())
    Catalog(tmp_path, create=True)
    (tmp_path / "counter").write_bytes(b"1")
    with pytest.raises(CatalogError, match="counter: expected 8 bytes, found 1"):
        Catalog(tmp_path)


def test_info_and_documents_have_bounds(
    published: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = published.current()
    for info in ({"a": object()}, {"a": float("nan")}):
        with pytest.raises((TypeError, ValueError)):
            published.publish("VIP", [], info=info)  # type: ignore[arg-type]
    monkeypatch.setattr(catalog_file, "MAX_CATALOG_BYTES", 1000)
    with pytest.raises(CatalogError, match="expected at most 1000 bytes, found"):
        published.publish_document("rules", "x" * 1000)
    assert published.current() is view


def test_a_lock_that_is_held_is_an_error_in_the_end(
    published: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "LOCK_WAIT_SECONDS", 0.0)
    with (
        commits.locked(published.directory),
        pytest.raises(CatalogError, match=r"lock: expected .* found it held"),
    ):
        Catalog(published.directory).publish("VIP", [])
    assert Catalog(published.directory).publish("VIP", []) == 2


def test_publishers_and_readers_in_many_threads(tmp_path: Path) -> None:
    """Each list says its own generation in its only number, so a mixed view would show."""
    Catalog(tmp_path, create=True)
    shared = Catalog(tmp_path)
    failures: list[BaseException] = []
    stop = threading.Event()

    def publish(name: str) -> None:
        publisher = Catalog(tmp_path)
        for generation in range(1, 9):
            assert publisher.publish(name, [str(generation)]) == generation

    def read(reader: Catalog) -> None:
        before = -1
        while not stop.is_set():
            view = reader.current()
            assert view.problems == ()
            assert view.sequence >= before
            before = view.sequence
            for found in view.lists.values():
                assert isinstance(found, PublishedList)
                assert list(found.snapshot) == [str(found.generation)]

    def run(target: Any, argument: object) -> None:
        try:
            target(argument)
        except BaseException as error:
            failures.append(error)
            raise

    readers = [threading.Thread(target=run, args=(read, shared)) for _ in range(2)]
    publishers = [threading.Thread(target=run, args=(publish, name)) for name in "AB"]
    for thread in readers + publishers:
        thread.start()
    for thread in publishers:
        thread.join(60)
    stop.set()
    for thread in readers:
        thread.join(60)
    assert failures == []
    assert shared.current().sequence == 16
