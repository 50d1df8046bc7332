"""Taking a batch back: every number gets what it had before, unless it was changed since."""

from dataclasses import dataclass, field

from loader.change_log import Batch, BatchDetails, Origin, Record, read_records
from loader.edit_table import entry_key_of
from loader.key_table import KeyTable
from loader.store import NAMED_REJECTS, BadValueError, Entry, Store, quoted


@dataclass
class UndoReport:
    """What became of the batch's numbers.

    left: how many were changed since, and stay as they are; named_left: the first of them.
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
    record, batch = _find(store, identity)
    store.check_batch(batch)
    name = record.change.list
    report = UndoReport(record)
    if record.change.what == "remove list":
        store.create_list(name, origin)
    with store.edit(name, region) as edit:
        # Changed since by somebody else, or by hand.
        left = KeyTable()
        for after in store.batch_rows(batch, "after"):
            if not isinstance(after, Entry):
                continue
            if edit.current(after.number) == after:
                edit.drop(after)
                continue
            left.add(entry_key_of(after.number))
            report.left += 1
            if len(report.named_left) < NAMED_REJECTS:
                report.named_left.append(after.number)
        for before in store.batch_rows(batch, "before"):
            if not isinstance(before, Entry) or left.has(entry_key_of(before.number)):
                continue
            if edit.current(before.number) is None:
                edit.write(before, None)
                report.restored += 1
            else:  # the batch had removed it, and somebody has added it again
                report.left += 1
                if len(report.named_left) < NAMED_REJECTS:
                    report.named_left.append(before.number)
        report.removed = edit.removed
        report.batch = edit.commit(BatchDetails("undo", origin, undoes=identity))
    return report


def _find(store: Store, identity: str) -> tuple[Record, Batch]:
    for record in read_records(store.log_lines()):
        batch = record.change.batch
        if batch and batch.id == identity:
            return record, batch
    raise BadValueError(
        f"batch {quoted(identity)}: there is none of that name; callsieve log show names them"
    )
