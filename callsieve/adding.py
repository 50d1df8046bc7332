"""Adding one entry to a list, for `callsieve add` and for numbers that come from a phone."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from callsieve.stores import Place, utc_now
from loader.change_log import Origin
from loader.publishing import ListReport, is_published
from loader.store import AddOutcome, BadValueError, Entry


@dataclass(frozen=True, slots=True)
class Added:
    """What became of an entry. report: None when there was nothing to do.

    ended: when the entry that it took the place of was to end; None: it was not.
    """

    outcome: AddOutcome
    report: ListReport | None
    ended: datetime.datetime | None


class ShortensError(BadValueError):
    """A permanent entry would end."""


def add_entry(
    place: Place,
    name: str,
    region: str | None,
    entry: Entry,
    origin: Origin,
    *,
    insist: bool = False,
) -> Added:
    """Add an entry to the list and publish it.

    insist: also if it would block far more than one caller, or let a permanent entry end; otherwise
    that raises DangerousEntryError or ShortensError. A list that routes present from takes full
    numbers alone, whoever insists. Raises BadValueError, StoreError, CatalogError, SnapshotError,
    too.
    """
    replaced: Entry | None = None

    def weigh(old: Entry | None, new: Entry) -> None:
        nonlocal replaced
        if old is None or old.expired(utc_now()):
            return
        replaced = old
        if old.expires is None and new.expires is not None and not insist:
            raise ShortensError(
                f"{new.number}: it is on {name} for ever and would end; --yes-really lets it end"
            )

    if not insist:
        place.guard(name).check(entry.number)
    check = place.number_check(name)
    if check is not None:
        check(entry.number)
    outcome = place.store.add(name, entry, region, origin, weigh)
    if outcome is AddOutcome.PRESENT and is_published(place.catalog, name, entry.number):
        return Added(outcome, None, None)
    report = place.publish_changes(name, region, {entry.number: entry})
    return Added(outcome, report, replaced.expires if replaced else None)
