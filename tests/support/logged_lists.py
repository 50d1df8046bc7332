"""What the lists of a store must have, by its change log alone."""

from __future__ import annotations

from collections.abc import Callable

from loader.change_log import read_records
from loader.store import Entry, Reject, Store


def by_the_log(store: Store) -> dict[str, dict[str, Entry]]:
    """List -> number -> entry. Raises BrokenLogError when the log or a batch is not whole."""
    lists: dict[str, dict[str, Entry]] = {"Default": {}}
    for record in read_records(store.log_lines()):
        change = record.change
        if change.rules is not None:
            continue
        entries = lists.setdefault(change.list, {})
        if change.what == "remove list":
            del lists[change.list]
        if change.number is not None:
            entries.pop(change.number, None)
            if change.after:
                entries[change.number] = change.after
        if change.batch is not None:
            store.check_batch(change.batch)
            for row in store.batch_rows(change.batch, "before"):
                assert isinstance(row, Entry)
                entries.pop(row.number)
            for row in store.batch_rows(change.batch, "after"):
                assert isinstance(row, Entry)
                assert row.number not in entries
                entries[row.number] = row
    return lists


def in_the_lists(store: Store) -> dict[str, dict[str, Entry]]:
    """The same from the lists themselves."""
    rows: Callable[[str], list[Entry | Reject]] = lambda name: list(store.entries(name, "PL"))  # noqa: E731
    return {
        name: {row.number: row for row in rows(name) if isinstance(row, Entry)}
        for name in store.list_names()
    }
