"""From a store to the published snapshots and rules that running services follow."""

import datetime
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from loader.entry_fields import microseconds, moment_of
from loader.held_back import (
    RULES,
    HeldBackError,
    check_loss,
    deleted_by_hand,
    hold_back,
    is_settled,
    of_list,
    release,
)
from loader.key_table import count_distinct
from loader.reading_version import reading_version
from loader.store import Reject, Store, StoreError, UnknownListError, escaped, problem_of
from lookup_core import JSON, Catalog, CatalogError, PublishedList, SnapshotError, readers

RULES_DOCUMENT = "rules"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListReport:
    """What was published of one list.

    entries: different numbers, prefixes and SIP addresses in force. expired: rows left out because
    their time is over. next_expiry: when the first of `entries` ends. named_rejects: the first
    rejects. unchanged: the list was published so already, and no generation was made. held_back:
    why what was edited by hand is not in it.
    """

    name: str
    generation: int
    entries: int
    rejects: int
    expired: int
    next_expiry: datetime.datetime | None
    named_rejects: tuple[Reject, ...]
    unchanged: bool = False
    held_back: str = ""


@dataclass(frozen=True, slots=True)
class RulesReport(Generic[T]):
    """The rules that were published: their generation, and what the check made of them.

    unchanged: they were in force already.
    """

    generation: int
    rules: T
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class StoreReport(Generic[T]):
    """What `publish_all` did. rules: None when `problems` says why they were not published."""

    lists: tuple[ListReport, ...]
    withdrawn: tuple[str, ...]
    rules: RulesReport[T] | None
    problems: tuple[str, ...]


def publish_list(
    store: Store,
    catalog: Catalog,
    name: str,
    region: str | None,
    now: datetime.datetime,
    accept: bool = False,
) -> ListReport:
    """Publish a list as the store has it, without the entries that have expired at `now` (aware).

    accept: whatever it has lost; a change by one of Callsieve's own commands is meant.
    Raises HeldBackError when an edit by hand has lost too much to be believed, StoreError when it
    cannot be read, CatalogError, SnapshotError or OSError when it cannot be published; what was
    published before stays, and the first two are made known (see held_back).
    """
    # Under the lock, so that of two publishers the one that read last publishes last.
    with store.locked(name):
        return _publish_whole(store, catalog, name, region, now, accept)


def publish_if_changed(
    store: Store, catalog: Catalog, name: str, region: str | None, now: datetime.datetime
) -> ListReport | None:
    """The same unless the list is published, or held back, as the store has it."""
    with store.locked(name):
        if is_settled(store, catalog, name):
            return None
        return _publish_whole(store, catalog, name, region, now, accept=False)


def _publish_whole(
    store: Store,
    catalog: Catalog,
    name: str,
    region: str | None,
    now: datetime.datetime,
    accept: bool,
) -> ListReport:
    version = store.version(name)  # before it is read: an edit by hand meanwhile is a later one
    try:
        found = store.keys(name, region, now)
        entries = count_distinct(found.keys) + len(found.prefixes) + len(found.addresses)
        if not accept:
            check_loss(catalog, name, version, found, entries, now)
    except StoreError as error:
        if name in catalog.current().lists:
            hold_back(catalog, of_list(name), error, version, now)
        raise
    generation, unchanged = publish_numbers(
        catalog,
        name,
        found.keys,
        found.prefixes,
        ((entry, microseconds(end)) for entry, end in found.ending.items()),
        {
            **list_info(entries, found.rejects, now),
            "as_of": found.as_of.isoformat() if found.as_of else None,
            "stale_after": found.stale_after.isoformat() if found.stale_after else None,
            "version": version,
            "header": found.has_header,
            "region": store.region_of(name),
            "reading": reading_version(),
        },
        {
            address: None if end is None else microseconds(end)
            for address, end in found.addresses.items()
        },
    )
    release(catalog, of_list(name))
    return ListReport(
        name,
        generation,
        entries,
        found.rejects,
        found.expired,
        found.next_expiry,
        tuple(found.named_rejects),
        unchanged,
    )


def publish_numbers(
    catalog: Catalog,
    name: str,
    keys: "array[int]",
    prefixes: Iterable[str],
    ends: Iterable[tuple[str | int, int]],
    info: dict[str, JSON],
    addresses: Mapping[str, int | None] = MappingProxyType({}),
) -> tuple[int, bool]:
    """Publish all of a list; its generation, and whether that had the same entries already.

    ends, addresses: as for Snapshot.build.

    Then the generation stays, and so does the one before it, for `callsieve rollback`. But while a
    process has a problem with what is published, everything is written anew: what it found altered
    may be whole by now, and it asks for another file.
    Raises CatalogError, SnapshotError, OSError.
    """
    found = catalog.current().lists.get(name)
    same_info = None
    if isinstance(found, PublishedList) and not any(one.problems for one in readers(catalog)):
        same_info = info | {"published_at": found.info.get("published_at")}
    generation = catalog.publish(
        name, keys, sorted(prefixes), info, same_info, ends=ends, addresses=addresses
    )
    return generation, found is not None and found.generation == generation


def list_info(entries: int, rejects: int, now: datetime.datetime) -> dict[str, Any]:
    """What is published with a list's numbers."""
    return {"entries": entries, "rejects": rejects, "published_at": now.isoformat()}


def _no_loss(_before: str, _after: str) -> str:
    return ""


def publish_rules(
    store: Store,
    catalog: Catalog,
    check: Callable[[str], T],
    loss: Callable[[str, str], str] = _no_loss,
) -> RulesReport[T]:
    """Publish the rules text, unless it is in force. When `check` raises, nothing is published and
    the error goes on.

    loss: of the text in force and the new one, says what is wrong with the one in place of the
    other; "" when it may be taken. Otherwise raises HeldBackError. Whatever keeps new rules out of
    force is made known (see held_back).
    """
    in_force = catalog.current().documents.get(RULES_DOCUMENT)
    try:
        text = store.rules_text()
        is_new = in_force is None or in_force.text != text
        if in_force is not None and is_new and (problem := loss(in_force.text, text)):
            raise HeldBackError(
                f"{problem}; those in force stay. Put them right, or confirm them:"
                " callsieve reload --rules --accept"
            )
        rules = check(text)
    except (ValueError, StoreError) as error:
        if in_force is not None:
            now = datetime.datetime.now(datetime.UTC)
            hold_back(catalog, RULES, error, "", now)
        raise
    if in_force is not None and not is_new:
        report = RulesReport(in_force.generation, rules, unchanged=True)
    else:
        report = RulesReport(catalog.publish_document(RULES_DOCUMENT, text), rules)
    release(catalog, RULES)
    return report


def publish_lists(
    store: Store,
    catalog: Catalog,
    names: Iterable[str],
    region: str | None,
    now: datetime.datetime,
    accept: bool = False,
) -> StoreReport[Any]:
    """Publish these lists. One that cannot be is named in the report's problems.

    accept: whatever they have lost; a list whose file is gone is withdrawn.
    """
    lists = []
    withdrawn = []
    problems = []
    known = store.list_names()
    for name in names:
        try:
            if accept and name not in known and name in catalog.current().lists:
                catalog.withdraw(name)
                release(catalog, of_list(name))
                withdrawn.append(name)
            else:
                lists.append(publish_list(store, catalog, name, region, now, accept))
        except UnknownListError as error:
            in_force = name in catalog.current().lists
            gone = deleted_by_hand(store, catalog, name) if in_force else ""
            problems.append(f"list {escaped(name)}: {gone}" if gone else str(error))
        except (StoreError, CatalogError, SnapshotError, OSError) as error:
            problems.append(f"list {escaped(name)}: {problem_of(error)}")
    return StoreReport(tuple(lists), tuple(withdrawn), None, tuple(problems))


def publish_all(
    store: Store,
    catalog: Catalog,
    region: str | None,
    check: Callable[[str, Collection[str]], T],
    now: datetime.datetime,
    leave: Collection[str] = (),
    loss: Callable[[str, str], str] = _no_loss,
) -> StoreReport[T]:
    """Publish every list but those in `leave`, and the rules; withdraw the lists that the store no
    longer has.

    One bad list or a bad rules file does not hold up the rest: it keeps what was published before
    and is named in the report's problems. check(text, list names): ValueError for bad rules.
    loss: see publish_rules. Lists are withdrawn last, and only when the new rules are in force: the
    old ones may use them. One with entries whose file was deleted by hand is held back.
    """
    names = store.list_names()
    wanted = [name for name in names if name not in leave]
    published = publish_lists(store, catalog, wanted, region, now)
    problems = [*store.problems(), *published.problems]
    rules = None
    gone = [name for name in catalog.current().lists if name not in names]
    withdrawn = []
    try:
        rules = publish_rules(store, catalog, lambda text: check(text, names), loss)
    except (ValueError, StoreError) as error:
        problems.append(f"rules not taken: {error}")
        problems += [f"list {escaped(name)}: removed, kept until the rules are" for name in gone]
    else:
        for name in gone:
            if problem := deleted_by_hand(store, catalog, name):
                hold_back(catalog, of_list(name), HeldBackError(problem), "", now)
                problems.append(f"list {escaped(name)}: {problem}")
                continue
            catalog.withdraw(name)
            release(catalog, of_list(name))
            withdrawn.append(name)
    return StoreReport(published.lists, tuple(withdrawn), rules, tuple(problems))


def next_expiry(found: PublishedList) -> datetime.datetime | None:
    """When the first entry of a published list ends (aware), or has ended; None when none does."""
    end = found.snapshot.first_end
    return None if end is None else moment_of(end)


def in_force(found: PublishedList, now: datetime.datetime) -> int:
    """How many of a published list's entries have not ended at `now` (aware)."""
    return int(str(found.info["entries"])) - len(found.snapshot.ended(microseconds(now)))


def stale_after(found: PublishedList) -> datetime.datetime | None:
    """When the list is past its maximum age (aware); None for a list without one."""
    moment = found.info.get("stale_after")
    return datetime.datetime.fromisoformat(moment) if isinstance(moment, str) else None


def too_old(found: PublishedList, now: datetime.datetime) -> str:
    """Why the list is past its maximum age at `now` (aware), and so unavailable; "" when not."""
    moment = stale_after(found)
    if moment is None or now < moment:
        return ""
    return f"its numbers are of {found.info.get('as_of')}, past their maximum age"


def is_published(catalog: Catalog, name: str, number: str) -> bool:
    """Whether running services have this very entry in the list."""
    published = catalog.current().lists.get(name)
    return isinstance(published, PublishedList) and published.snapshot.has_entry(number)
