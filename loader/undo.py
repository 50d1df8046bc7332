"""Taking a change back: every number gets what it had before, unless it was changed since."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from loader.change_log import Batch, BatchDetails, Origin, Record, read_records
from loader.edit_table import entry_key_of
from loader.key_table import KeyTable
from loader.number_forms import as_read
from loader.store import NAMED_REJECTS, BadValueError, Edit, Entry, Reject, Store, quoted


@dataclass
class UndoReport:
    """What became of the numbers of a batch, or of the one number of a single change.

    left: how many were changed since, and stay as they are; named_left: some of them.
    batch: the undo itself, which can be undone; None when nothing was taken back.
    """

    record: Record
    removed: int = 0
    restored: int = 0
    left: int = 0
    named_left: list[str] = field(default_factory=list)
    batch: Batch | None = None


def undo(
    store: Store, identity: str, region: str | None, origin: Origin | None = None
) -> UndoReport:
    """Take the batch of that identity back, in one step that is a batch itself.

    A list that was removed is made again. Raises BadValueError for an unknown batch, StoreError.
    """
    return _undone(store, _find(store, identity), "undo", region, origin)


def undo_last(
    store: Store, name: str, region: str | None, origin: Origin | None = None
) -> UndoReport | None:
    """Take the last change of a list back, as undo() does; None when there is none.

    Done twice, it returns to where it was. Raises StoreError.
    """
    record = last_change(store, name)
    return None if record is None else _undone(store, record, "rollback", region, origin)


def last_change(store: Store, name: str) -> Record | None:
    """The record of the last change of the list's entries, since the list was made."""
    last = None
    for record in read_records(store.log_lines()):
        change = record.change
        if change.list == name:
            if change.what in ("create list", "remove list"):
                last = None
            elif change.number is not None or change.batch is not None:
                last = record
    return last


def _undone(
    store: Store, record: Record, what: str, region: str | None, origin: Origin | None
) -> UndoReport:
    """what: the change is called in the log."""
    change, batch = record.change, record.change.batch
    name = change.list
    report = UndoReport(record)
    if batch is not None:
        store.check_batch(batch)
    if change.what == "remove list":
        store.create_list(name, origin, change.region)
    with store.edit(name, region) as edit:
        left = KeyTable()
        if batch is None:
            after, before = (
                (as_read(entry),) if entry else () for entry in (change.after, change.before)
            )
            report.restored = take_back(edit, after, before, left)
        elif batch.after is None and change.what == "remove list":
            # The rows may be written by hand, and of an older version.
            rows = store.batch_rows(batch, "before", change.region or region)
            had = (row if isinstance(row, Reject) else as_read(row) for row in rows)
            report.restored = take_back(edit, (), had, left)
        else:
            report.restored = edit.take_back(batch, left)
        report.removed = edit.removed
        report.left = len(left)
        report.named_left = sorted(left.numbers(NAMED_REJECTS))
        details = BatchDetails(what, origin, undoes=batch.id if batch else None)
        report.batch = edit.commit(details)
    return report


def take_back(
    edit: Edit, after: Iterable[Entry | Reject], before: Iterable[Entry | Reject], left: KeyTable
) -> int:
    """What Edit.take_back does, by the other methods of an Edit.

    after, before: the rows of the batch.
    """
    restored = KeyTable()
    for given in after:
        if isinstance(given, Reject):
            continue
        if edit.current(given.number) == given:
            edit.drop(given)
        else:
            left.add(entry_key_of(given.number))
    for had in before:
        if isinstance(had, Reject):
            continue
        key = entry_key_of(had.number)
        if left.has(key) or restored.has(key):  # a file may have several rows of one number
            continue
        if edit.current(had.number) is None:
            edit.write(had, None)
            restored.add(key)
        else:
            left.add(key)
    return len(restored)


def _find(store: Store, identity: str) -> Record:
    for record in read_records(store.log_lines()):
        batch = record.change.batch
        if batch and batch.id == identity:
            return record
    raise BadValueError(
        f"batch {quoted(identity)}: there is none of that name; callsieve log show names them"
    )
