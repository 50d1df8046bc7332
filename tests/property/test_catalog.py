"""A catalog against a dict, with several readers; and what a reader does with broken files."""

import json
import random
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lookup_core import Catalog, CatalogError, PublishedList, UnavailableList, View, catalog
from tests.support.numbers import LISTS, NUMBER, PREFIXES, expected_match

# Names are any text, so those that would hurt as a path are among them.
NAMES = st.sampled_from(
    ["Default", "Opt outs", "../../etc/passwd", "a/b", "", "\0", "Łódź", "\ud800"]
)
JSON_INFO = st.dictionaries(
    st.text(max_size=5),
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers()),
    max_size=3,
)


class CatalogMachine(RuleBasedStateMachine):
    """Three readers, of which one also publishes, and at times a new one."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="callsieve-catalog-"))
        self.lists: dict[str, tuple[int, list[str], list[str], dict[str, Any]]] = {}
        self.documents: dict[str, tuple[int, str, dict[str, Any]]] = {}
        self.generations: dict[str, int] = {}
        self.commits = 0

    @initialize()
    def start(self) -> None:
        self.readers = [Catalog(self.directory, create=True) for _ in range(3)]

    @rule(name=NAMES, numbers=LISTS, prefixes=PREFIXES, info=JSON_INFO, by=st.integers(0, 2))
    def publish(
        self, name: str, numbers: list[str], prefixes: list[str], info: dict[str, Any], by: int
    ) -> None:
        generation = self.readers[by].publish(name, numbers, prefixes, info)
        assert generation == self.generations.get(name, 0) + 1
        self.generations[name] = generation
        self.lists[name] = (generation, numbers, prefixes, info)
        self.commits += 1

    @rule(name=NAMES, text=st.text(max_size=20), info=JSON_INFO, by=st.integers(0, 2))
    def publish_document(self, name: str, text: str, info: dict[str, Any], by: int) -> None:
        generation = self.readers[by].publish_document(name, text, info)
        assert generation == self.documents.get(name, (0, "", {}))[0] + 1
        self.documents[name] = (generation, text, info)
        self.commits += 1

    @rule(name=NAMES, by=st.integers(0, 2))
    def withdraw(self, name: str, by: int) -> None:
        if name in self.lists:
            self.readers[by].withdraw(name)
            del self.lists[name]
            self.commits += 1
        else:
            with pytest.raises(KeyError):
                self.readers[by].withdraw(name)

    @rule(name=NAMES, bad=st.sampled_from(["48 600", "+48*", "\ud800"]), by=st.integers(0, 2))
    def publish_what_is_no_number(self, name: str, bad: str, by: int) -> None:
        with pytest.raises(ValueError, match=r"numbers\[1\]"):
            self.readers[by].publish(name, ["112", bad])

    @rule(which=st.integers(0, 2), create=st.booleans())
    def reopen(self, which: int, create: bool) -> None:
        self.readers[which] = Catalog(self.directory, create)

    @rule(which=st.integers(0, 2), number=NUMBER, seed=st.integers(0, 9))
    def read(self, which: int, number: str, seed: int) -> None:
        view = self.readers[which].current()
        assert view.problems == ()
        assert view.sequence == self.commits
        assert view.lists.keys() == self.lists.keys()
        for name, (generation, numbers, prefixes, info) in self.lists.items():
            found = view.lists[name]
            assert isinstance(found, PublishedList)
            assert (found.name, found.generation, found.info) == (name, generation, info)
            assert set(found.snapshot) == set(numbers)
            assert set(found.snapshot.prefixes) == set(prefixes)
            for asked in (number, *numbers):
                assert found.match(asked) == expected_match(asked, numbers, prefixes)
            assert found.random(random.Random(seed)) in {*numbers, None}
        assert {
            name: (document.generation, document.text, document.info)
            for name, document in view.documents.items()
        } == self.documents
        assert self.readers[which].current() is view

    @invariant()
    def only_two_generations_stay(self) -> None:
        snapshots = list(self.directory.glob("*.snapshot"))
        assert len(snapshots) <= sum(min(entry[0], 2) for entry in self.lists.values())
        assert not list(self.directory.glob(".*"))

    def teardown(self) -> None:
        shutil.rmtree(self.directory)


TestCatalogMachine = CatalogMachine.TestCase
TestCatalogMachine.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


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
    monkeypatch.setattr(catalog, "_RETRY_SECONDS", 0.0)
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
    monkeypatch.setattr(catalog, "_RETRY_SECONDS", 0.0)
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
    monkeypatch.setattr(catalog, "MAX_CATALOG_BYTES", 1000)
    with pytest.raises(CatalogError, match="expected at most 1000 bytes, found"):
        published.publish_document("rules", "x" * 1000)
    assert published.current() is view


def test_a_lock_that_is_held_is_an_error_in_the_end(
    published: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "LOCK_WAIT_SECONDS", 0.0)
    with published._locked(), pytest.raises(CatalogError, match=r"lock: expected .* found it held"):
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
