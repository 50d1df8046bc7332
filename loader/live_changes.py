"""Publishing a change that was just made in a store, in milliseconds whatever the list's size."""

import datetime
from collections.abc import Mapping

from loader.change_log import PARTS, Batch
from loader.entry_fields import expiry_bytes, field_of
from loader.live_lists import MOST_GENERATIONS, LiveLists
from loader.publishing import ListReport, publish_list
from loader.store import Entry, Reject, Step, Store
from lookup_core import Catalog, PublishedList

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
    changes: Changes,
    now: datetime.datetime,
) -> ListReport:
    """Publish the change that `store` made last, or the whole list where that is not enough.

    It is enough when what is published is what the list was before the change. Somebody else's
    change, an edit by hand and a publisher that was killed all show in the list's version.
    Raises what publish_list() raises.
    """
    step = store.last_step
    with store.locked(name):
        if step is not None and step.list == name and _is_published(catalog, step):
            fields = {
                field_of(number): None if entry is None else expiry_bytes(entry.expires)
                for number, entry in changes.items()
            }
            return LiveLists(catalog, store.expiries).change(name, fields, now, step.after)
    return publish_list(store, catalog, name, region, now)


def _is_published(catalog: Catalog, step: Step) -> bool:
    found = catalog.current().lists.get(step.list)
    return (
        isinstance(found, PublishedList)
        and found.info.get("version") == step.before
        and found.generation - found.base < UNKEPT_GENERATIONS
    )


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
