"""A Redis list that was filled by an older reading of numbers: its lines are those of today."""

from __future__ import annotations

import datetime
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from random import Random
from typing import cast
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from loader import node_lists, number_forms, redis_lines
from loader.change_log import Batch, BatchDetails, read_records
from loader.entry_fields import microseconds
from loader.evidence import events, unlogged
from loader.number_forms import old_forms, present_form
from loader.numbers import read_number
from loader.present_keys import read_keys_anew
from loader.redis_node import Node
from loader.redis_store import RedisStore
from loader.renumbering import table
from loader.store import AddOutcome, Entry
from loader.undo import undo, undo_last
from lookup_core import Catalog, PublishedList, pack, unpack
from tests.conftest import NewStore

NOW = datetime.datetime(2098, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
DATE = datetime.date(2026, 1, 2)
OLD, NUMBER = "+5215512345678", "+525512345678"
OLDER = "+520445512345678"
BRAZIL_OLD, BRAZIL = "+551187654321", "+5511987654321"
POLISH = "+48600100200"
FORMS = (OLD, OLDER, NUMBER, BRAZIL_OLD, BRAZIL, POLISH, "+521*", "1000", "anonymous")


@contextmanager
def older_version() -> Iterator[None]:
    """What runs in it reads every canonical number as itself, as before there was a table."""
    with (
        patch.object(number_forms, "present_form", lambda number: number),
        patch.object(redis_lines, "present_form", lambda number: number),
        patch.object(redis_lines, "old_forms", lambda _: ()),
        patch.object(node_lists, "read_keys_anew", lambda _keys, _form: 0),
        patch.object(node_lists, "reading_version", lambda: "phonenumbers 8"),
    ):
        yield


def entry(number: str, description: str = "", expires: datetime.datetime | None = None) -> Entry:
    return Entry(number, DATE, description, expires)


def filled(store: RedisStore, *entries: Entry, replace: bool = False) -> Batch:
    """A batch of these."""
    with store.edit("Default", None, replace) as edit:
        for one in entries:
            edit.put(one)
        made = edit.commit(BatchDetails())
    assert made
    return made


@pytest.fixture
def store(new_redis_store: NewStore) -> RedisStore:
    """It has some numbers in old forms, two of them of one line."""
    store = RedisStore(new_redis_store(), create=True)
    with older_version():
        filled(store, entry(OLD, "mobile"), entry(NUMBER), entry(BRAZIL_OLD), entry(POLISH))
    return store


def node_of(store: RedisStore) -> tuple[Node[str], Catalog]:
    store.node.create()
    catalog = Catalog(store.catalog_directory, create=True)
    return Node(store, catalog, lambda text, _: text), catalog


def published(catalog: Catalog, name: str = "Default") -> set[str]:
    found = catalog.current().lists[name]
    assert isinstance(found, PublishedList)
    numbers = set(found.snapshot) | set(found.snapshot.prefixes)
    assert found.info["entries"] == len(numbers)
    return numbers


def stored(store: RedisStore) -> dict[str, str]:
    """Number as it is stored -> description."""
    with older_version():
        found = list(store.entries("Default", None))
    assert all(isinstance(one, Entry) for one in found)
    return {one.number: one.description for one in found if isinstance(one, Entry)}


def test_old_forms_are_all_that_the_table_reads_as_a_number() -> None:
    rng = Random(26)
    folded = 0
    for row in table().rows * 20:
        old = "+" + "".join(str(rng.choice(sorted(may))) for may in row.places)
        number = present_form(old)
        assert number == read_number(old, None).number
        if number != old and len(old) <= 16:
            folded += 1
            assert old in old_forms(number)
    assert folded > 1000


def test_keys_are_read_as_single_numbers_are() -> None:
    rng = Random(27)
    rows = table().rows
    numbers = [f"+{rng.randrange(10, 10 ** rng.randint(2, 15))}" for _ in range(20_000)]
    numbers += [
        old
        for row in rows * 20
        if len(old := "+" + "".join(str(rng.choice(sorted(may))) for may in row.places)) <= 16
    ]
    numbers += ["+266696687", "+11111111", "1000", "*30", "anonymous", "0600100200"]
    keys = array("Q", map(pack, numbers))
    expected = [present_form(number) for number in numbers]
    assert read_keys_anew(keys, present_form) == sum(map(str.__ne__, numbers, expected)) > 1000
    assert list(map(unpack, keys)) == expected


def test_a_node_publishes_numbers_as_they_are_read_now(store: RedisStore) -> None:
    node, catalog = node_of(store)
    [report] = node.catch_up(NOW).lists
    assert published(catalog) == {NUMBER, BRAZIL, POLISH}
    assert report.entries == 3


def test_a_node_of_a_new_version_reads_anew_what_an_older_one_published(store: RedisStore) -> None:
    node, catalog = node_of(store)
    with older_version():
        node.catch_up(NOW)
        assert published(catalog) == {OLD, NUMBER, BRAZIL_OLD, POLISH}
    node, catalog = node_of(store)
    node.catch_up(NOW)
    assert published(catalog) == {NUMBER, BRAZIL, POLISH}
    assert not node.catch_up(NOW).lists


def test_a_change_of_an_older_node_is_read_as_it_is_now(store: RedisStore) -> None:
    node, catalog = node_of(store)
    filled(store, entry(POLISH), replace=True)
    node.catch_up(NOW)
    with older_version():
        store.add("Default", entry(OLD), None)
    node.catch_up(NOW)
    assert published(catalog) == {NUMBER, POLISH}
    with older_version():
        store.remove("Default", OLD, None)
    node.catch_up(NOW)
    assert published(catalog) == {POLISH}


def test_a_line_stays_listed_while_it_is_stored_in_another_form(store: RedisStore) -> None:
    node, catalog = node_of(store)
    node.catch_up(NOW)
    for form in NUMBER, OLD:
        assert published(catalog) == {NUMBER, BRAZIL, POLISH}
        with older_version():
            store.remove("Default", form, None)
        node.catch_up(NOW)
    assert published(catalog) == {BRAZIL, POLISH}


@pytest.mark.parametrize("ends", [(1, 3), (3, 1), (None, 1), (1, None)])
def test_a_line_ends_with_the_last_of_its_forms(
    store: RedisStore, ends: tuple[int | None, int | None]
) -> None:
    expires = [NOW + days * DAY if days else None for days in ends]
    with older_version():
        filled(store, *(entry(n, "", end) for n, end in zip((OLD, NUMBER), expires, strict=True)))
    node, catalog = node_of(store)
    for _ in "first", "by a change":
        node.catch_up(NOW)
        found = catalog.current().lists["Default"]
        assert isinstance(found, PublishedList)
        ended = found.snapshot.ended(microseconds(NOW + 2 * DAY))
        assert not ended
        ended = found.snapshot.ended(microseconds(NOW + 9 * DAY))
        assert list(ended) == ([] if None in ends else [NUMBER])
        with older_version():
            store.add("Default", replace(entry(OLD, "seen again"), expires=expires[0]), None)


@pytest.mark.parametrize("asked", [NUMBER, OLD])
def test_a_line_is_found_in_each_form_it_is_stored_in(store: RedisStore, asked: str) -> None:
    found = [one for _, one in store.find(asked, None)]
    assert sorted(found, key=str) == sorted([entry(NUMBER), entry(NUMBER, "mobile")], key=str)
    assert [one for _, one in store.find(BRAZIL, None)] == [entry(BRAZIL)]


def test_a_removal_removes_the_line_and_is_taken_back(store: RedisStore) -> None:
    before = stored(store)
    assert len(store.remove("Default", NUMBER, None)) == 2
    assert stored(store).keys() == {BRAZIL_OLD, POLISH}
    assert store.remove("Default", BRAZIL, None) == (entry(BRAZIL),)
    assert store.remove("Default", BRAZIL, None) == ()
    *_, record = read_records(store.log_lines())
    assert record.change.number == BRAZIL_OLD
    assert record.change.before == entry(BRAZIL_OLD)
    assert before.keys() == {OLD, NUMBER, BRAZIL_OLD, POLISH}
    assert undo_last(store, "Default", None)
    assert [one for _, one in store.find(BRAZIL, None)] == [entry(BRAZIL)]


def test_an_addition_takes_the_place_of_the_old_form(store: RedisStore) -> None:
    assert store.add("Default", entry(BRAZIL), None) is AddOutcome.PRESENT
    assert store.add("Default", entry(BRAZIL, "called again"), None) is AddOutcome.UPDATED
    assert store.add("Default", entry(NUMBER, "called again"), None) is AddOutcome.UPDATED
    assert stored(store) == {BRAZIL: "called again", NUMBER: "called again", POLISH: ""}
    *_, first, _ = read_records(store.log_lines())
    assert (first.change.number, first.change.before) == (BRAZIL, entry(BRAZIL_OLD))
    # What the log says of the line agrees with the list, whatever it was called then.
    logged = list(events(store, BRAZIL))
    assert [event.after for event in logged] == [entry(BRAZIL), entry(BRAZIL, "called again")]
    assert not list(unlogged(store, BRAZIL, None, logged))


def test_a_batch_puts_numbers_in_the_place_of_their_old_forms(store: RedisStore) -> None:
    made = filled(store, entry(BRAZIL), entry(NUMBER, "again"), entry(NUMBER, "and again"))
    assert stored(store) == {BRAZIL_OLD: "", NUMBER: "and again", POLISH: ""}
    assert (made.added, made.removed) == (0, 0)
    undo(store, made.id, None)
    assert stored(store) == {OLD: "mobile", NUMBER: "", BRAZIL_OLD: "", POLISH: ""}


def test_what_replaces_a_list_takes_nothing_for_removed_that_is_in_it(store: RedisStore) -> None:
    made = filled(store, entry(BRAZIL), entry(NUMBER, "again"), replace=True)
    assert stored(store) == {BRAZIL_OLD: "", NUMBER: "again"}
    assert (made.added, made.updated, made.removed) == (0, 1, 1)
    undo(store, made.id, None)
    assert stored(store) == {OLD: "mobile", NUMBER: "", BRAZIL_OLD: "", POLISH: ""}


def test_the_import_of_an_older_version_is_taken_back_whole(store: RedisStore) -> None:
    [record] = [r for r in read_records(store.log_lines()) if r.change.batch]
    assert record.change.batch
    report = undo(store, record.change.batch.id, None)
    assert stored(store) == {}
    assert (report.removed, report.left) == (4, 0)


def test_what_was_changed_since_is_left_by_an_undo(store: RedisStore) -> None:
    [record] = [r for r in read_records(store.log_lines()) if r.change.batch]
    assert record.change.batch
    store.add("Default", entry(BRAZIL, "called again"), None)
    report = undo(store, record.change.batch.id, None)
    assert stored(store) == {BRAZIL: "called again"}
    assert (report.left, report.named_left) == (1, [BRAZIL])


def test_an_addition_of_an_older_version_is_taken_back(store: RedisStore) -> None:
    with older_version():
        store.add("Default", entry("+5215587654321"), None)
    report = undo_last(store, "Default", None)
    assert report
    assert (report.removed, report.left) == (1, 0)
    assert "+5215587654321" not in stored(store)


def test_a_list_that_was_removed_comes_back_with_every_line(store: RedisStore) -> None:
    with older_version():
        store.create_list("Spain")
        with store.edit("Spain", None) as edit:
            for number in OLD, NUMBER, BRAZIL_OLD, BRAZIL, POLISH:
                edit.put(entry(number))
            edit.commit(BatchDetails())
    store.remove_list("Spain")
    *_, record = read_records(store.log_lines())
    assert record.change.batch
    report = undo(store, record.change.batch.id, None)
    assert (report.restored, report.left) == (3, 0)
    node, catalog = node_of(store)
    node.catch_up(NOW)
    assert published(catalog, "Spain") == {NUMBER, BRAZIL, POLISH}


class ReadingsMachine(RuleBasedStateMachine):
    """Nodes of both versions change a list. model: what is stored, by the form that it has."""

    numbers = st.sampled_from(FORMS)
    ends = st.one_of(st.none(), st.integers(1, 4).map(lambda days: NOW + days * DAY))
    entries = st.builds(entry, numbers, st.sampled_from(["", "a", "b"]), ends)

    def __init__(self, store: RedisStore) -> None:
        super().__init__()
        self.store = store
        self.now = NOW
        self.model: dict[str, Entry] = {}
        self.node, self.catalog = node_of(store)

    def line(self, number: str) -> dict[str, Entry]:
        number = present_form(number)
        return {n: one for n, one in self.model.items() if present_form(n) == number}

    def last(self, number: str) -> Entry | None:
        """What the list says of the line: what it has longest, in the present form rather."""
        ordered = sorted(
            self.line(number).values(), key=lambda one: one.number != present_form(number)
        )
        return max(ordered, key=lambda one: one.expires or NOW + 99 * DAY, default=None)

    @rule(new=entries)
    def older_adds(self, new: Entry) -> None:
        with older_version():
            self.store.add("Default", new, None)
        old = self.model.get(new.number)
        self.model[new.number] = replace(
            new, description=new.description or (old.description if old else "")
        )

    @rule(number=numbers)
    def older_removes(self, number: str) -> None:
        with older_version():
            self.store.remove("Default", number, None)
        self.model.pop(number, None)

    @rule(new=entries)
    def adds(self, new: Entry) -> None:
        outcome = self.store.add("Default", new, None)
        self.model_add(new, outcome)

    def model_add(self, new: Entry, outcome: AddOutcome | None = None) -> None:
        old = self.last(new.number)
        number = present_form(new.number)
        wanted = replace(
            new, number=number, description=new.description or (old.description if old else "")
        )
        if old is not None and replace(old, number=number) == wanted:
            assert outcome in (None, AddOutcome.PRESENT)
            return
        assert outcome in (None, AddOutcome.UPDATED if old else AddOutcome.ADDED)
        for form in self.line(number):
            del self.model[form]
        self.model[number] = wanted

    @rule(news=st.lists(entries, max_size=4))
    def imports(self, news: list[Entry]) -> None:
        with self.store.edit("Default", None) as edit:
            for new in news:
                edit.put(new)
            edit.commit(BatchDetails())
        for new in news:
            self.model_add(new)

    @rule(news=st.lists(entries, max_size=4), older=st.booleans())
    def imports_and_undoes(self, news: list[Entry], older: bool) -> None:
        """An undo gives back the very fields. Only a line that is stored twice may be left, when
        the batch took one form out and the other has by chance what it was to get.
        """
        before = stored(self.store)
        twice = {present_form(n) for n in self.model if len(self.line(n)) > 1}
        with (
            older_version() if older else nullcontext(),
            self.store.edit("Default", None) as edit,
        ):
            for new in news:
                edit.put(new)
            batch = edit.commit(BatchDetails())
        left = set(undo(self.store, batch.id, None).named_left) if batch else set()
        assert left <= twice
        after = stored(self.store)
        assert {n: d for n, d in before.items() if present_form(n) not in left} == {
            n: d for n, d in after.items() if present_form(n) not in left
        }
        self.model = {n: one for n, one in self.model.items() if n in after}
        assert self.model.keys() == after.keys()

    @rule(number=numbers)
    def removes(self, number: str) -> None:
        removed = self.store.remove("Default", number, None)
        line = self.line(number)
        assert len(removed) == len(line)
        assert {one.number for one in removed} <= {present_form(number)}
        for form in line:
            del self.model[form]

    @rule(days=st.integers(0, 1))
    def publishes(self, days: int) -> None:
        self.now += days * DAY
        assert self.node.catch_up(self.now).problems == ()
        self.node.expire(self.now)
        in_force = [one for one in self.model.values() if not one.expired(self.now)]
        assert published(self.catalog) == {present_form(one.number) for one in in_force}
        found = self.catalog.current().lists["Default"]
        assert isinstance(found, PublishedList)
        for later in range(6):
            moment = self.now + later * DAY + DAY / 2
            lines = {present_form(one.number) for one in in_force if not one.expired(moment)}
            assert (
                published(self.catalog) - set(found.snapshot.ended(microseconds(moment))) == lines
            )

    @rule(number=numbers)
    def finds(self, number: str) -> None:
        exact = [
            one for _, one in self.store.find(number, None) if one.number == present_form(number)
        ]
        line = [replace(one, number=present_form(number)) for one in self.line(number).values()]
        assert sorted(exact, key=repr) == sorted(line, key=repr)


def test_both_versions_may_change_a_list(new_redis_store: NewStore) -> None:
    make = cast(
        "type[RuleBasedStateMachine]",
        lambda: ReadingsMachine(RedisStore(new_redis_store(), create=True)),
    )
    run_state_machine_as_test(make, settings=settings(max_examples=100, stateful_step_count=30))
