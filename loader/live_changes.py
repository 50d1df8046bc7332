"""Publishing a change that was just made in a store, in milliseconds whatever the list's size."""

import datetime
from collections.abc import Mapping
from dataclasses import replace

from loader.change_log import PARTS, Batch
from loader.entry_fields import expiry_bytes, field_of
from loader.held_back import HeldBackError
from loader.live_lists import MOST_GENERATIONS, LiveLists
from loader.publishing import ListReport, publish_list
from loader.store import Entry, Reject, Store
from lookup_core import Catalog, PublishedList, is_address

Changes = Mapping[str, Entry | None]
"""What a list has now for some numbers; None: nothing."""

# More rows than this, and the whole list is published anew.
MOST_ROWS = 10_000
# Folding is for whoever keeps the lists; where nobody does, a command publishes all.
UNKEPT_GENERATIONS = 4 * MOST_GENERATIONS


def publish_changes(
    store: Store,
    catalog: Catalog,
    name: str,
    region: str | None,
    changes: Changes | None,
    now: datetime.datetime,
) -> ListReport:
    """Publish the change that `store` made last, or the whole list where that is not enough.

    changes: None: too many to be told. It is enough when what is published is what the list was
    before the change. Somebody else's change, an edit by hand and a publisher that was killed all
    show in the list's version. When such an edit is held back, the change alone is published on top
    of what is in force, and the report says so. Raises what publish_list() raises.
    """
    step = store.last_step
    fields: dict[bytes, bytes | None] = {}
    addresses: dict[str, bytes | None] = {}
    for number, entry in (changes or {}).items():
        expiry = None if entry is None else expiry_bytes(entry.expires)
        if is_address(number):
            addresses[number] = expiry
        else:
            fields[field_of(number)] = expiry
    live = LiveLists(catalog)
    with store.locked(name):
        published = catalog.current().lists.get(name)
        follows = False
        if step and step.list == name and isinstance(published, PublishedList):
            follows = published.info.get("version") == step.before
            generations = published.generation - published.base
            if follows and changes is not None and generations < UNKEPT_GENERATIONS:
                version = {"version": step.after}
                return live.change(name, fields, now, version, addresses)
    try:
        # Of a change that was meant, nothing is held back.
        return publish_list(store, catalog, name, region, now, accept=follows)
    except HeldBackError as error:
        if changes is None:
            raise
        with store.locked(name):
            report = live.change(name, fields, now, addresses=addresses)
            return replace(report, held_back=str(error))


def changes_of(store: Store, batch: Batch) -> Changes | None:
    """What a batch came to; None when that is too much, or a row of it cannot be read."""
    if batch.added + batch.updated + batch.removed > MOST_ROWS:
        return None
    changes: dict[str, Entry | None] = {}
    for part in PARTS:
        if (batch.before if part == "before" else batch.after) is None:
            continue
        for row in store.batch_rows(batch, part):
            if isinstance(row, Reject):
                return None
            changes[row.number] = row if part == "after" else None
    return changes
