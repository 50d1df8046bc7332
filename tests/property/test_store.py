"""Every store against a dictionary, with reopening and what others leave in it in between."""

import dataclasses
import datetime
from pathlib import Path
from typing import cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from loader import redis_buckets, redis_edit
from loader.change_log import BatchDetails, Change, read_records
from loader.redis_store import RedisStore
from loader.store import (
    AddOutcome,
    Entry,
    Reject,
    RulesConflictError,
    Store,
    covers,
    open_store,
    rules_version,
)
from loader.undo import undo, undo_last
from tests.conftest import NewStore
from tests.support.logged_lists import by_the_log, in_the_lists
from tests.support.many_entries import add_many

REGION = "PL"
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.date(2026, 3, 4)

numbers = st.sampled_from(
    [
        "+48600100200",
        "+48600100201",
        "+4860010020",
        "+4860*",
        "+48*",
        "1000",
        "0",
        "*30",
        "anonymous",
        "no-number",
    ]
)
descriptions = st.one_of(
    st.just(""),
    st.sampled_from(['said "no", twice', "a;b|c\td".replace("\t", " "), '"', ",,,", "Łódź, 東京"]),
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=500),
)
expiries = st.sampled_from(
    [
        None,
        datetime.datetime(2099, 1, 1, 12, 30, 15, tzinfo=datetime.UTC),
        datetime.datetime(2098, 1, 1, 0, 0, 0, 1, tzinfo=datetime.UTC),
        datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC),
    ]
)
dates = st.one_of(st.none(), st.dates())
entries = st.builds(Entry, numbers, dates, descriptions, expiries)
list_names = st.sampled_from(["Default", "Do not call", "Łódź & 東京", "a.b"])
# Rows that no reading makes an entry of, each as somebody may leave it in the file.
bad_rows = st.sampled_from(
    ["abc", "600100200,yesterday", "600100200,,,never", 'x,"open', "600100200,,a,,e", "1,2\x013"]
)

# Fields and values that Callsieve writes none of: too short, no number, no day, cut short.
bad_fields = st.sampled_from(
    [
        (b"short", b"\0\0\0"),
        (bytes(8), b"\0\0\0"),
        (b"\x40" + bytes(7), b"\0\0\0"),
        (b"\0\0\0\x0b\x50\xd1\x5d\x01", b""),
        (b"\0\0\0\x0b\x50\xd1\x5d\x02", b"\x80\0\0\x01"),
        (b"\0\0\0\x0b\x50\xd1\x5d\x03", b"\x7f\xff\xff"),
        (b"\0\0\0\x0b\x50\xd1\x5d\x04", b"\0\0\0\xff"),
    ]
)


class StoreMachine(RuleBasedStateMachine):
    """What every store does. `rejects`: the rows of each list that cannot be read."""

    store: Store

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.model: dict[str, dict[str, Entry]] = {"Default": {}}
        self.rejects: dict[str, list[str]] = {"Default": []}
        self.texts: list[str] = []

    @initialize()
    def open_new(self) -> None:
        self.store = open_store(self.url, create=True)
        self.texts.append(self.store.rules_text())

    @rule()
    def reopen(self) -> None:
        self.close()
        self.store = open_store(self.url)

    def teardown(self) -> None:
        self.close()

    def close(self) -> None:
        """Let go of what the store holds open."""

    @rule(text=st.text(max_size=100), based_on=st.integers(0, 3))
    def put_rules(self, text: str, based_on: int) -> None:
        """Made from the newest version or from one before."""
        before = self.texts[-min(based_on + 1, len(self.texts))]
        if before == self.texts[-1]:
            self.store.put_rules(text, rules_version(before))
            self.texts.append(text)
        else:
            with pytest.raises(RulesConflictError):
                self.store.put_rules(text, rules_version(before))

    @rule(name=list_names)
    def create_list(self, name: str) -> None:
        assert self.store.create_list(name) == (name not in self.model)
        self.model.setdefault(name, {})
        self.rejects.setdefault(name, [])

    @precondition(lambda self: len(self.model) > 1)
    @rule(data=st.data())
    def remove_list(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model.keys() - {"Default"})))
        self.store.remove_list(name)
        del self.model[name], self.rejects[name]

    def expected(self, name: str, entry: Entry) -> tuple[AddOutcome, Entry, Entry]:
        """What adding gives, the entry to add, and the entry that the list then has."""
        old = self.model[name].get(entry.number)
        if entry.date is None and (old is None or old.expired(NOW)):
            entry = dataclasses.replace(entry, date=DAY)  # else it would get today's
        new = dataclasses.replace(entry, description=entry.description.strip())
        if old is None:
            return AddOutcome.ADDED, entry, new
        new = dataclasses.replace(
            new, date=new.date or old.date, description=new.description or old.description
        )
        return (AddOutcome.PRESENT if new == old else AddOutcome.UPDATED), entry, new

    @rule(data=st.data(), entry=entries)
    def add(self, data: st.DataObject, entry: Entry) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        outcome, entry, new = self.expected(name, entry)
        assert self.store.add(name, entry, REGION) == outcome
        self.model[name][new.number] = new

    @rule(data=st.data(), many=st.lists(entries, max_size=8), dry_run=st.booleans())
    def add_many(self, data: st.DataObject, many: list[Entry], dry_run: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        before = dict(self.model[name])
        counts = dict.fromkeys(AddOutcome, 0)
        given_entries = []
        for each in many:
            outcome, given, new = self.expected(name, each)
            counts[outcome] += 1
            given_entries.append(given)
            self.model[name][new.number] = new
        assert add_many(self.store, name, given_entries, dry_run=dry_run) == counts
        if dry_run:
            self.model[name] = before

    @rule(data=st.data(), many=st.lists(entries, max_size=8))
    def replace(self, data: st.DataObject, many: list[Entry]) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        before = self.model[name]
        with self.store.edit(name, REGION, replace=True) as edit:
            for each in many:
                _, given, new = self.expected(name, each)
                edit.put(given)
                before[new.number] = new
            edit.commit(BatchDetails("replace"))
        put = {each.number for each in many}
        self.model[name] = {number: entry for number, entry in before.items() if number in put}

    @rule(data=st.data(), many=st.lists(entries, min_size=1, max_size=8), replace=st.booleans())
    def take_back(self, data: st.DataObject, many: list[Entry], replace: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        with self.store.edit(name, REGION, replace) as edit:
            for each in many:
                edit.put(each)
            batch = edit.commit(BatchDetails())
        if batch is not None:
            report = undo(self.store, batch.id, REGION)
            assert report.left == 0
        found = {e.number: e for e in self.store.entries(name, REGION) if isinstance(e, Entry)}
        assert found == self.model[name]
        self.model[name] = found  # the order may be another

    @rule(data=st.data(), entry=entries, removed=st.booleans())
    def take_back_the_last(self, data: st.DataObject, entry: Entry, removed: bool) -> None:
        """A single change; and the taking back, too."""
        name = data.draw(st.sampled_from(sorted(self.model)))

        def found() -> dict[str, Entry]:
            rows = self.store.entries(name, REGION)
            return {row.number: row for row in rows if isinstance(row, Entry)}

        before = found()
        if removed:
            is_changed = bool(self.store.remove(name, entry.number, REGION))
        else:
            is_changed = self.store.add(name, entry, REGION) is not AddOutcome.PRESENT
        if not is_changed:
            return
        after = found()
        for expected in (before, after, before):
            report = undo_last(self.store, name, REGION)
            assert report is not None
            assert report.left == 0
            assert found() == expected
        self.model[name] = found()  # the order may be another

    @rule(data=st.data())
    def note(self, data: st.DataObject) -> None:
        """It changes nothing but the log."""
        name = data.draw(st.sampled_from(sorted(self.model)))
        records = sum(1 for _ in self.store.log_lines())
        self.store.note(Change(name, "rollback"))
        *_, last = read_records(self.store.log_lines())
        assert (last.serial, last.change) == (records + 1, Change(name, "rollback"))

    @rule(data=st.data(), number=numbers)
    def remove(self, data: st.DataObject, number: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        had = self.model[name].pop(number, None)
        assert self.store.remove(name, number, REGION) == (() if had is None else (had,))

    @rule(number=numbers)
    def find(self, number: str) -> None:
        expected = [
            (name, entry)
            for name in sorted(self.model)
            for entry in self.model[name].values()
            if covers(entry.number, number)
        ]
        found = list(self.store.find(number, REGION))
        assert sorted(found, key=_place) == sorted(expected, key=_place)

    @invariant()
    def holds_the_model(self) -> None:
        assert self.store.list_names() == tuple(sorted(self.model))
        for name, expected in self.model.items():
            rows = list(self.store.entries(name, REGION))
            found = [row for row in rows if isinstance(row, Entry)]
            assert self.in_order(found) == self.in_order(list(expected.values()))
            self.check_rejects(
                [row.text for row in rows if isinstance(row, Reject)], self.rejects[name]
            )
        assert self.store.rules_text() == self.texts[-1]

    def in_order(self, found: list[Entry]) -> list[Entry]:
        return sorted(found, key=lambda entry: entry.number)

    def check_rejects(self, found: list[str], expected: list[str]) -> None:
        assert len(found) == len(expected)


class CsvMachine(StoreMachine):
    """Its files are also written by hand, and keep their order."""

    @rule(data=st.data(), row=bad_rows, ended=st.booleans())
    def leave_a_bad_row(self, data: st.DataObject, row: str, ended: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        file = self.directory / "lists" / f"{name}.csv"
        text = file.read_bytes().decode()
        glue = "" if text.endswith("\n") else "\n"
        if glue:  # a row left without line end before: an editor would end it, and so it stays bad
            self.rejects[name][-1] = text.rsplit("\n", 1)[1]
        file.write_bytes((text + glue + row + ("\n" if ended else "")).encode())
        self.rejects[name].append(row)

    @rule(data=st.data(), number=numbers)
    def write_by_hand(self, data: st.DataObject, number: str) -> None:
        """A short row in another spelling, as an editor saves it."""
        name = data.draw(st.sampled_from(sorted(self.model)))
        file = self.directory / "lists" / f"{name}.csv"
        text = file.read_bytes().decode()
        if number in self.model[name] or not text.endswith("\n"):
            return
        spelled = number.replace("+48600100", "600 100-") if number[-1] != "*" else number
        if number == "+4860010020":
            spelled = number
        file.write_bytes((text + f"{spelled}\r\n").encode())
        self.model[name][number] = Entry(number)

    @property
    def directory(self) -> Path:
        return Path(self.url.removeprefix("csv:"))

    def in_order(self, found: list[Entry]) -> list[Entry]:
        return found

    def check_rejects(self, found: list[str], expected: list[str]) -> None:
        assert len(found) == len(expected)
        # A last row that was cut short may have been closed; its own text still begins it.
        assert all(now.startswith(was) for now, was in zip(found, expected, strict=True))


class RedisMachine(StoreMachine):
    """Others may write into Redis what is no entry. spoilt: they have, and no log tells of it."""

    others_write = True
    spoilt = False

    def close(self) -> None:
        if hasattr(self, "store"):
            assert isinstance(self.store, RedisStore)
            self.store.client.close()

    @precondition(lambda self: not self.spoilt)
    @invariant()
    def is_what_the_log_says(self) -> None:
        assert by_the_log(self.store) == in_the_lists(self.store)

    @precondition(lambda self: self.others_write)
    @rule(data=st.data(), field=bad_fields)
    def leave_a_bad_field(self, data: st.DataObject, field: tuple[bytes, bytes]) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        assert isinstance(self.store, RedisStore)
        list_id = self.store.state().lists[name]
        new = self.store.client.call("HSET", self.store.key("b", list_id, 0), *field)
        self.rejects[name] += ["field"] * new
        self.spoilt = True


class SplittingMachine(RedisMachine):
    others_write = False  # into the first bucket of several, where nobody looks for it


def _place(found: tuple[str, Entry]) -> tuple[str, str]:
    return found[0], found[1].number


MACHINES = {"csv": CsvMachine, "redis": RedisMachine}


def test_a_store_is_a_dictionary_of_dictionaries(new_store: NewStore) -> None:
    machine = MACHINES["csv" if new_store().startswith("csv") else "redis"]
    run(machine, new_store)


def test_so_is_redis_when_every_edit_is_a_large_one(
    new_redis_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Larger than one step: made in a copy of the list. And buckets split from the start."""
    monkeypatch.setattr(redis_edit, "STEP", 2)
    monkeypatch.setattr(redis_buckets, "LOAD", 2)
    run(SplittingMachine, new_redis_store, 20)


def run(machine: type[StoreMachine], new_store: NewStore, examples: int = 60) -> None:
    make = cast("type[StoreMachine]", lambda: machine(new_store()))
    run_state_machine_as_test(
        make, settings=settings(max_examples=examples, stateful_step_count=25, deadline=None)
    )
