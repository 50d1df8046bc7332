"""Adding one entry to a list, for `callsieve add` and for numbers that come from a phone."""

from __future__ import annotations

from callsieve.stores import Place
from loader.change_log import Origin
from loader.publishing import ListReport, is_published
from loader.store import AddOutcome, Entry


def add_entry(
    place: Place,
    name: str,
    region: str | None,
    entry: Entry,
    origin: Origin,
    *,
    insist: bool = False,
) -> tuple[AddOutcome, ListReport | None]:
    """Add an entry to the list and publish it. No report: there was nothing to do.

    insist: also if it would block far more than one caller; otherwise that raises
    DangerousEntryError. Raises BadValueError, StoreError, CatalogError, SnapshotError, too.
    """
    if not insist:
        place.guard(name).check(entry.number)
    outcome = place.store.add(name, entry, region, origin)
    if outcome is AddOutcome.PRESENT and is_published(place.catalog, name, entry.number):
        return outcome, None
    return outcome, place.publish_changes(name, region, {entry.number: entry})
