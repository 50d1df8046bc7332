"""A catalog against a dict, with several readers that also publish."""

import random
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lookup_core import Catalog, PublishedList, pack_entry
from tests.support.numbers import ENDS, LISTS, MOMENT, NUMBER, PREFIX, PREFIXES, expected_match

# Names are any text, so those that would hurt as a path are among them.
NAMES = st.sampled_from(
    ["Default", "Opt outs", "../../etc/passwd", "a/b", "", "\0", "Łódź", "\ud800"]
)
BY = st.integers(0, 2)
JSON_INFO = st.dictionaries(
    st.text(max_size=5),
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers()),
    max_size=3,
)


def parted(entries: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The numbers and the prefixes."""
    prefixes = frozenset(entry for entry in entries if entry[0] == "+" and entry[-1] == "*")
    return frozenset(entries) - prefixes, prefixes


@dataclass(frozen=True)
class Entries:
    """What one generation of a list has. ends: of those that do. base, delta: the numbers of its
    files.
    """

    numbers: frozenset[str]
    prefixes: frozenset[str]
    ends: dict[str, int]
    info: dict[str, Any]
    base: int
    delta: int = 0


@dataclass(frozen=True)
class Expected:
    """A list: its generation and the one before."""

    generation: int
    now: Entries
    before: Entries | None = None

    def next(self, entries: Entries) -> "Expected":
        return Expected(self.generation + 1, entries, self.now)


class CatalogMachine(RuleBasedStateMachine):
    """Three readers that all publish, and at times a new one."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="callsieve-catalog-"))
        self.lists: dict[str, Expected] = {}
        self.documents: dict[str, tuple[int, str, dict[str, Any]]] = {}
        self.withdrawn: dict[str, int] = {}
        self.commits = 0

    @initialize()
    def start(self) -> None:
        self.readers = [Catalog(self.directory, create=True) for _ in range(3)]

    def committed(self, name: str, generation: int, entries: Entries) -> None:
        if name in self.lists:
            self.lists[name] = self.lists[name].next(entries)
        else:
            self.lists[name] = Expected(self.withdrawn.pop(name, 0) + 1, entries)
        assert generation == self.lists[name].generation
        self.commits += 1

    @rule(name=NAMES, numbers=LISTS, prefixes=PREFIXES, ends=ENDS, info=JSON_INFO, by=BY)
    def publish(
        self,
        name: str,
        numbers: list[str],
        prefixes: list[str],
        ends: dict[str, int],
        info: dict[str, Any],
        by: int,
    ) -> None:
        generation = self.readers[by].publish(name, numbers, prefixes, info, ends=ends.items())
        ending, ending_prefixes = parted(ends)
        entries = Entries(
            ending | set(numbers), ending_prefixes | set(prefixes), ends, info, generation
        )
        self.committed(name, generation, entries)

    @precondition(lambda self: self.lists)
    @rule(data=st.data(), other=st.booleans(), info=JSON_INFO, same_info=JSON_INFO, by=BY)
    def publish_unless_it_is_the_same(
        self,
        data: st.DataObject,
        other: bool,
        info: dict[str, Any],
        same_info: dict[str, Any],
        by: int,
    ) -> None:
        """The very entries of the list, or one more or less, or one that ends at another time."""
        name = data.draw(st.sampled_from(sorted(self.lists)))
        now = self.lists[name].now
        numbers, prefixes, ends = set(now.numbers), set(now.prefixes), dict(now.ends)
        if other and ends and data.draw(st.booleans()):
            ends[data.draw(st.sampled_from(sorted(ends)))] += 10
        elif other:
            changed, one = data.draw(
                st.sampled_from([(numbers, "112"), (prefixes, "+1*"), (prefixes, "+487*")])
                | st.tuples(st.just(numbers), NUMBER)
            )
            changed ^= {one}
            ends.pop(one, None)
        generation = self.readers[by].publish(
            name, numbers, prefixes, info, same_info, ends=ends.items()
        )
        if other:
            entries = Entries(frozenset(numbers), frozenset(prefixes), ends, info, generation)
            self.committed(name, generation, entries)
            return
        assert generation == self.lists[name].generation
        self.commits += same_info != now.info
        self.lists[name] = replace(self.lists[name], now=replace(now, info=same_info))

    @precondition(lambda self: self.lists)
    @rule(
        data=st.data(),
        add=st.lists(NUMBER, max_size=8),
        add_prefixes=st.lists(PREFIX, max_size=3),
        ends=ENDS,
        info=st.none() | JSON_INFO,
        by=BY,
    )
    def change(
        self,
        data: st.DataObject,
        add: list[str],
        add_prefixes: list[str],
        ends: dict[str, int],
        info: dict[str, Any] | None,
        by: int,
    ) -> None:
        """Adds what is there too, and removes what is not, or what is added."""
        name = data.draw(st.sampled_from(sorted(self.lists)))
        now = self.lists[name].now
        gone = st.lists(st.sampled_from([*sorted(now.numbers), "112", *add]), max_size=20)
        remove = data.draw(gone)
        gone = st.lists(st.sampled_from([*sorted(now.prefixes), "+1*", *add_prefixes]), max_size=5)
        remove_prefixes = data.draw(gone)
        generation = self.readers[by].change(
            name, add, remove, add_prefixes, remove_prefixes, info, ends=ends.items()
        )
        ending, ending_prefixes = parted(ends)
        changed = {*add, *remove, *add_prefixes, *remove_prefixes}
        entries = Entries(
            now.numbers - set(remove) | set(add) | ending,
            now.prefixes - set(remove_prefixes) | set(add_prefixes) | ending_prefixes,
            {entry: end for entry, end in now.ends.items() if entry not in changed} | ends,
            now.info if info is None else info,
            now.base,
            generation,
        )
        self.committed(name, generation, entries)

    @precondition(lambda self: self.lists)
    @rule(data=st.data(), by=BY)
    def fold(self, data: st.DataObject, by: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.lists)))
        expected = self.lists[name]
        assert self.readers[by].fold(name) == (expected.now.delta != 0)
        if expected.now.delta:
            generation = expected.generation + 1
            self.committed(name, generation, replace(expected.now, base=generation, delta=0))
            self.lists[name] = replace(self.lists[name], before=expected.before)

    @precondition(lambda self: self.lists)
    @rule(data=st.data(), info=JSON_INFO, by=BY)
    def roll_back(self, data: st.DataObject, info: dict[str, Any], by: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.lists)))
        before = self.lists[name].before
        if before is None:
            with pytest.raises(KeyError):
                self.readers[by].roll_back(name)
        else:
            generation = self.readers[by].roll_back(name, info)
            self.committed(name, generation, replace(before, info=before.info | info))

    @rule(name=NAMES, text=st.text(max_size=20), info=JSON_INFO, by=BY)
    def publish_document(self, name: str, text: str, info: dict[str, Any], by: int) -> None:
        generation = self.readers[by].publish_document(name, text, info)
        assert generation == self.documents.get(name, (0, "", {}))[0] + 1
        self.documents[name] = (generation, text, info)
        self.commits += 1

    @precondition(lambda self: self.lists)
    @rule(data=st.data(), by=BY)
    def withdraw(self, data: st.DataObject, by: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.lists)))
        self.readers[by].withdraw(name)
        self.withdrawn[name] = self.lists.pop(name).generation
        self.commits += 1

    @rule(name=NAMES, by=BY)
    def what_is_not_there_cannot_be_changed(self, name: str, by: int) -> None:
        if name not in self.lists:
            reader = self.readers[by]
            for use in (reader.change, reader.fold, reader.roll_back, reader.withdraw):
                with pytest.raises(KeyError):
                    use(name)

    @rule(name=NAMES, bad=st.sampled_from(["48 600", "+48*", "\ud800"]), by=BY)
    def publish_what_is_no_number(self, name: str, bad: str, by: int) -> None:
        with pytest.raises(ValueError, match=r"numbers\[1\]"):
            self.readers[by].publish(name, ["112", bad])
        if name in self.lists:
            with pytest.raises(ValueError, match=r"add\[1\]"):
                self.readers[by].change(name, ["112", bad])

    @rule(which=BY, create=st.booleans())
    def reopen(self, which: int, create: bool) -> None:
        self.readers[which] = Catalog(self.directory, create)

    @rule(which=BY, number=NUMBER, seed=st.integers(0, 9), moment=MOMENT)
    def read(self, which: int, number: str, seed: int, moment: int) -> None:
        view = self.readers[which].current()
        assert view.problems == ()
        assert view.sequence == self.commits
        assert view.lists.keys() == self.lists.keys()
        for name, expected in self.lists.items():
            found = view.lists[name]
            assert isinstance(found, PublishedList)
            entries = expected.now
            assert (found.name, found.generation, found.base, found.info) == (
                name,
                expected.generation,
                entries.base,
                entries.info,
            )
            assert len(found.snapshot) == len(entries.numbers)
            assert set(found.snapshot) == entries.numbers
            assert set(found.snapshot.prefixes) == entries.prefixes
            assert dict(found.snapshot.ends()) == {
                pack_entry(entry): end for entry, end in entries.ends.items()
            }
            for asked in (number, *entries.numbers):
                for now in (moment, 100):
                    assert found.snapshot.match(asked, now) == expected_match(
                        asked, entries.numbers, entries.prefixes, entries.ends, now
                    )
                # All that ends is long past.
                assert found.match(asked) == found.snapshot.match(asked, 100)
            pool = entries.numbers - entries.ends.keys()
            assert found.random(random.Random(seed)) in {*pool, None}
        assert {
            name: (document.generation, document.text, document.info)
            for name, document in view.documents.items()
        } == self.documents
        assert self.readers[which].current() is view

    @invariant()
    def the_files_of_two_generations_stay_and_nothing_else(self) -> None:
        bases, deltas = set(), set()
        for name, expected in self.lists.items():
            for entries in filter(None, (expected.now, expected.before)):
                bases.add((name, entries.base))
                deltas |= {(name, entries.delta)} if entries.delta else set()
        names = [path.name for path in self.directory.iterdir()]
        assert sum(name.endswith(".snapshot") for name in names) == len(bases)
        assert sum(name.endswith(".delta") for name in names) == len(deltas)
        others = {name for name in names if not name.endswith((".snapshot", ".delta"))}
        assert others == {"building", "catalog.json", "counter", "lock"}

    def teardown(self) -> None:
        shutil.rmtree(self.directory)


TestCatalogMachine = CatalogMachine.TestCase
# Never more than the profile says; an example is twenty commits, each on the disk.
TestCatalogMachine.settings = settings(
    max_examples=min(40, settings().max_examples), stateful_step_count=20
)
