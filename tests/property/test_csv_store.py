"""The CSV store against a dictionary, with hand edits and reopening in between."""

import dataclasses
import datetime
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loader.csv_store import CsvStore
from loader.store import AddOutcome, Entry, Reject, covers

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


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="callsieve-store-"))
        self.model: dict[str, dict[str, Entry]] = {"Default": {}}
        self.rejects: dict[str, list[str]] = {"Default": []}

    def teardown(self) -> None:
        shutil.rmtree(self.directory)

    @initialize()
    def open_new(self) -> None:
        self.store = CsvStore(self.directory / "store", create=True)

    @rule()
    def reopen(self) -> None:
        self.store = CsvStore(self.directory / "store")

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
        assert self.store.add_many(name, given_entries, REGION, dry_run=dry_run) == counts
        if dry_run:
            self.model[name] = before

    @rule(data=st.data(), number=numbers)
    def remove(self, data: st.DataObject, number: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        had = self.model[name].pop(number, None)
        assert self.store.remove(name, number, REGION) == (() if had is None else (had,))

    @rule(data=st.data(), row=bad_rows, ended=st.booleans())
    def leave_a_bad_row(self, data: st.DataObject, row: str, ended: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        file = self.store.directory / "lists" / f"{name}.csv"
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
        file = self.store.directory / "lists" / f"{name}.csv"
        text = file.read_bytes().decode()
        if number in self.model[name] or not text.endswith("\n"):
            return
        spelled = number.replace("+48600100", "600 100-") if number[-1] != "*" else number
        if number == "+4860010020":
            spelled = number
        file.write_bytes((text + f"{spelled}\r\n").encode())
        self.model[name][number] = Entry(number)

    @rule(number=numbers)
    def find(self, number: str) -> None:
        expected = [
            (name, entry)
            for name in sorted(self.model)
            for entry in self.model[name].values()
            if covers(entry.number, number)
        ]
        assert list(self.store.find(number, REGION)) == expected

    @invariant()
    def holds_the_model(self) -> None:
        assert self.store.list_names() == tuple(sorted(self.model))
        for name, expected in self.model.items():
            rows = list(self.store.entries(name, REGION))
            found = [row for row in rows if isinstance(row, Entry)]
            assert found == list(expected.values())
            rejects = [row.text for row in rows if isinstance(row, Reject)]
            assert len(rejects) == len(self.rejects[name])
            # A last row that was cut short may have been closed; its own text still begins it.
            assert all(
                now.startswith(was) for now, was in zip(rejects, self.rejects[name], strict=True)
            )


StoreMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
TestCsvStore = StoreMachine.TestCase
