"""A process that is killed before any of the system calls that make a change.

The change and its record are one step: after the next opening of the store, the lists are what the
log says, and that is all of the change or nothing.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from loader.change_log import read_records
from loader.csv_import import ImportOptions, ImportReport, import_file
from loader.csv_layout import Wanted, read_layout
from loader.csv_store import CsvStore
from loader.store import Entry
from loader.undo import undo
from tests.support.killing import killed_before
from tests.support.logged_lists import by_the_log, in_the_lists
from tests.support.many_entries import add_many

DAY = datetime.date(2026, 1, 2)
ADDED = Entry("+48600100300", DAY, "new")


def _import(store: CsvStore, replace: bool = False) -> ImportReport:
    file = store.directory.parent / "numbers.csv"
    file.write_text(
        "number,date,description\n"
        "600100200,2026-02-03,changed\n600100300,2026-02-03,new\n700,2026-02-03,\nbad,,\n"
    )
    report = ImportReport(read_layout(file, Wanted(), "PL"))
    import_file(store, "Default", file, report, "PL", ImportOptions(replace=replace, accept=True))
    return report


def _undo(store: CsvStore) -> None:
    (batch,) = [record.change.batch for record in read_records(store.log_lines())][4:5]
    assert batch
    undo(store, batch.id, "PL")


CHANGES: dict[str, Callable[[CsvStore], object]] = {
    "add": lambda store: store.add("Default", ADDED, "PL"),
    "update": lambda store: store.add("Default", Entry("+48600100200", DAY, "other"), "PL"),
    "remove": lambda store: store.remove("Default", "+48600100200", "PL"),
    "import": _import,
    "replace": lambda store: _import(store, replace=True),
    "undo": _undo,
    "create list": lambda store: store.create_list("New"),
    "remove list": lambda store: store.remove_list("Old"),
}


def _new_store(directory: Path, change: str) -> CsvStore:
    store = CsvStore(directory / "store", create=True)
    store.create_list("Old")
    store.add("Old", Entry("+48600100200", DAY, "old"), "PL")
    store.add("Default", Entry("+48600100200", DAY, "first"), "PL")
    store.add("Default", Entry("+48600100201", DAY, "second"), "PL")
    if change == "undo":
        _import(store)
    return store


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_and_its_record_are_one_step(tmp_path: Path, change: str) -> None:
    (tmp_path / "made").mkdir()
    made = _new_store(tmp_path / "made", change)
    before = in_the_lists(made)
    CHANGES[change](made)
    after = in_the_lists(made)
    assert before != after
    assert by_the_log(made) == after

    outcomes = []
    call = 0
    while True:
        call += 1
        directory = tmp_path / str(call)
        directory.mkdir()
        store = _new_store(directory, change)
        if not killed_before(call, lambda store=store: CHANGES[change](store)):  # type: ignore[misc]
            break
        store = CsvStore(store.directory)
        found = in_the_lists(store)
        assert found in (before, after)
        assert by_the_log(store) == found
        outcomes.append(found == after)
        # The store is as good as new: the same change can be made, and another one.
        if found == before:
            CHANGES[change](store)
        add_many(store, "Default", [Entry("+48600100999", DAY)])
        assert by_the_log(store) == in_the_lists(store)
        left = {path.name for path in (store.directory / "lists").iterdir()}
        assert not [name for name in left if name.startswith(".") and not name.endswith(".lock")]
    assert call > 4
    assert outcomes == sorted(outcomes), "once the record is there, the change is made"
    assert set(outcomes) == {False, True}


def test_a_row_that_was_written_in_part_is_completed(tmp_path: Path) -> None:
    """As when the machine, not the process, dies: the row's end never reached the disk."""
    for cut in range(60):
        directory = tmp_path / str(cut)
        directory.mkdir()
        store = _new_store(directory, "add")
        head = (store.directory / "changes.head").read_bytes()
        file = store.directory / "lists" / "Default.csv"
        size = file.stat().st_size
        store.add("Default", ADDED, "PL")
        whole = file.read_bytes()
        (store.directory / "changes.head").write_bytes(head)
        file.write_bytes(whole[: min(size + cut, len(whole))])
        CsvStore(store.directory)
        assert file.read_bytes() == whole


def test_a_record_that_was_written_in_part_is_no_record(tmp_path: Path) -> None:
    store = _new_store(tmp_path, "add")
    before = in_the_lists(store)
    log = store.directory / "changes.log"
    whole = log.read_bytes()
    for part in (b"{", whole.splitlines()[-1][:-1]):
        log.write_bytes(whole + part)
        assert by_the_log(store) == before
        store = CsvStore(store.directory)
        assert log.read_bytes() == whole
        assert in_the_lists(store) == before


def test_an_edit_by_hand_between_the_record_and_its_change_loses_neither(tmp_path: Path) -> None:
    store = _new_store(tmp_path, "add")
    file = store.directory / "lists" / "Default.csv"
    old = file.read_bytes()
    head = (store.directory / "changes.head").read_bytes()
    store.add("Default", ADDED, "PL")
    (store.directory / "changes.head").write_bytes(head)
    file.write_bytes(old + b"+48600100400,2026-01-02,by hand\n")
    found = in_the_lists(CsvStore(store.directory))["Default"]
    assert found["+48600100400"].description == "by hand"
    assert found[ADDED.number] == ADDED
