"""Adding entries to a list, for `callsieve add` and for numbers that come from a phone."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from callsieve.stores import Place, utc_now
from loader.change_log import BatchDetails, Origin
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


@dataclass(frozen=True, slots=True)
class AddedMany:
    """What became of several entries. report: None when there was nothing to do."""

    counts: Mapping[AddOutcome, int]
    report: ListReport | None


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
        if old is not None and not old.expired(utc_now()):
            replaced = old
        if not insist:
            _check_end(name, old, new)

    _check(place, name, [entry.number], insist)
    outcome = place.store.add(name, entry, region, origin, weigh)
    if outcome is AddOutcome.PRESENT and is_published(place.catalog, name, entry.number):
        return Added(outcome, None, None)
    report = place.publish_changes(name, region, {entry.number: entry})
    return Added(outcome, report, replaced.expires if replaced else None)


def add_entries(
    place: Place,
    name: str,
    region: str | None,
    entries: Sequence[Entry],
    origin: Origin,
    text: str,
    *,
    insist: bool = False,
) -> AddedMany:
    """Add the entries of one range or mask, all in one step, and publish them.

    text: what stands for them, for the change log. insist and errors as of add_entry.
    """
    _check(place, name, [entry.number for entry in entries], insist)
    with place.store.edit(name, region) as edit:
        for entry in entries:
            if not insist:
                _check_end(name, edit.current(entry.number), entry)
            edit.put(entry)
        batch = edit.commit(BatchDetails("import", origin, source=text))
        counts = edit.counts
    report = place.publish_batch(name, region, batch) if batch else None
    return AddedMany(counts, report)


def _check(place: Place, name: str, numbers: Sequence[str], insist: bool) -> None:
    """Raises DangerousEntryError, BadValueError."""
    if not insist:
        place.guard(name).check_all(numbers)
    check = place.number_check(name)
    if check is not None:
        for number in numbers:
            check(number)


def _check_end(name: str, old: Entry | None, new: Entry) -> None:
    """Raises ShortensError. old: what the list has; an entry that ends is nobody's for ever."""
    if old is not None and old.expires is None and new.expires is not None:
        raise ShortensError(
            f"{new.number}: it is on {name} for ever and would end; --yes-really lets it end"
        )
