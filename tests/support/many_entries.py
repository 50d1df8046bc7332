"""Adding many entries to a list in one step, as an import does."""

from __future__ import annotations

from collections.abc import Iterable

from loader.change_log import BatchDetails
from loader.store import AddOutcome, Entry, Store


def add_many(
    store: Store, name: str, entries: Iterable[Entry], *, dry_run: bool = False
) -> dict[AddOutcome, int]:
    """What became of them."""
    with store.edit(name, "PL") as edit:
        for entry in entries:
            edit.put(entry)
        if not dry_run:
            edit.commit(BatchDetails())
        return edit.counts
