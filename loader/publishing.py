"""From a store to the published snapshots and rules that running services follow."""

import datetime
from array import array
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from loader.entry_fields import expiry_bytes, field_of
from loader.key_table import count_distinct
from loader.store import Reject, Store, StoreError, UnknownListError, escaped, is_prefix
from lookup_core import JSON, Catalog, CatalogError, PublishedList, SnapshotError, readers

RULES_DOCUMENT = "rules"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListReport:
    """What was published of one list.

    entries: different numbers and prefixes in force. expired: rows left out because their time is
    over. next_expiry: when the first of `entries` ends. named_rejects: the first rejects.
    unchanged: the list was published so already, and no generation was made.
    """

    name: str
    generation: int
    entries: int
    rejects: int
    expired: int
    next_expiry: datetime.datetime | None
    named_rejects: tuple[Reject, ...]
    unchanged: bool = False


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
    store: Store, catalog: Catalog, name: str, region: str | None, now: datetime.datetime
) -> ListReport:
    """Publish a list as the store has it, without the entries that have expired at `now` (aware).

    Raises StoreError when it cannot be read, CatalogError, SnapshotError or OSError when it cannot
    be published; what was published before stays.
    """
    # Under the lock, so that of two publishers the one that read last publishes last.
    with store.locked(name):
        return _publish_whole(store, catalog, name, region, now)


def publish_if_changed(
    store: Store, catalog: Catalog, name: str, region: str | None, now: datetime.datetime
) -> ListReport | None:
    """The same unless the list is published as the store has it."""
    with store.locked(name):
        if is_current(store, catalog, name):
            return None
        return _publish_whole(store, catalog, name, region, now)


def is_current(store: Store, catalog: Catalog, name: str) -> bool:
    """Whether what is published of a list is what the store has."""
    found = catalog.current().lists.get(name)
    return isinstance(found, PublishedList) and found.info.get("version") == store.version(name)


def _publish_whole(
    store: Store, catalog: Catalog, name: str, region: str | None, now: datetime.datetime
) -> ListReport:
    version = store.version(name)  # before it is read: an edit by hand meanwhile is a later one
    found = store.keys(name, region, now)
    entries = count_distinct(found.keys) + len(found.prefixes)
    ending = ((field_of(number), expiry_bytes(end)) for number, end in found.ending.items())
    store.expiries.replace(name, ending)
    generation, unchanged = publish_numbers(
        catalog,
        name,
        found.keys,
        found.prefixes,
        {
            **list_info(entries, found.rejects, found.next_expiry, now),
            "as_of": found.as_of.isoformat() if found.as_of else None,
            "stale_after": found.stale_after.isoformat() if found.stale_after else None,
            "version": version,
        },
    )
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
    info: dict[str, JSON],
) -> tuple[int, bool]:
    """Publish all of a list; its generation, and whether that had the same entries already.

    Then the generation stays, and so does the one before it, for `callsieve rollback`. But while a
    process has a problem with what is published, everything is written anew: what it found altered
    may be whole by now, and it asks for another file.
    Raises CatalogError, SnapshotError, OSError.
    """
    found = catalog.current().lists.get(name)
    same_info = None
    if isinstance(found, PublishedList) and not any(one.problems for one in readers(catalog)):
        same_info = info | {"published_at": found.info.get("published_at")}
    generation = catalog.publish(name, keys, sorted(prefixes), info, same_info)
    return generation, found is not None and found.generation == generation


def list_info(
    entries: int, rejects: int, next_expiry: datetime.datetime | None, now: datetime.datetime
) -> dict[str, Any]:
    """What is published with a list's numbers."""
    return {
        "entries": entries,
        "rejects": rejects,
        "next_expiry": next_expiry.isoformat() if next_expiry else None,
        "published_at": now.isoformat(),
    }


def publish_rules(store: Store, catalog: Catalog, check: Callable[[str], T]) -> RulesReport[T]:
    """Publish the rules text, unless it is in force. When `check` raises, nothing is published and
    the error goes on.
    """
    text = store.rules_text()
    rules = check(text)
    in_force = catalog.current().documents.get(RULES_DOCUMENT)
    if in_force is not None and in_force.text == text:
        return RulesReport(in_force.generation, rules, unchanged=True)
    return RulesReport(catalog.publish_document(RULES_DOCUMENT, text), rules)


def publish_lists(
    store: Store,
    catalog: Catalog,
    names: Iterable[str],
    region: str | None,
    now: datetime.datetime,
) -> StoreReport[Any]:
    """Publish these lists. One that cannot be is named in the report's problems."""
    lists = []
    problems = []
    for name in names:
        try:
            lists.append(publish_list(store, catalog, name, region, now))
        except UnknownListError as error:
            problems.append(str(error))
        except (StoreError, CatalogError, SnapshotError, OSError) as error:
            problems.append(f"list {escaped(name)}: {error}")
    return StoreReport(tuple(lists), (), None, tuple(problems))


def publish_all(
    store: Store,
    catalog: Catalog,
    region: str | None,
    check: Callable[[str, Collection[str]], T],
    now: datetime.datetime,
    leave: Collection[str] = (),
) -> StoreReport[T]:
    """Publish every list but those in `leave`, and the rules; withdraw the lists that the store no
    longer has.

    One bad list or a bad rules file does not hold up the rest: it keeps what was published before
    and is named in the report's problems. check(text, list names): ValueError for bad rules.
    Lists are withdrawn last, and only when the new rules are in force: the old ones may use them.
    """
    names = store.list_names()
    wanted = [name for name in names if name not in leave]
    published = publish_lists(store, catalog, wanted, region, now)
    problems = [*store.problems(), *published.problems]
    rules = None
    gone = [name for name in catalog.current().lists if name not in names]
    withdrawn = []
    try:
        rules = publish_rules(store, catalog, lambda text: check(text, names))
    except (ValueError, StoreError) as error:
        problems.append(f"rules not taken: {error}")
        problems += [f"list {escaped(name)}: removed, kept until the rules are" for name in gone]
    else:
        for name in gone:
            catalog.withdraw(name)
            withdrawn.append(name)
    return StoreReport(published.lists, tuple(withdrawn), rules, tuple(problems))


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
    """Whether running services have this very number or prefix in the list."""
    published = catalog.current().lists.get(name)
    if not isinstance(published, PublishedList):
        return False
    if is_prefix(number):
        return number in published.snapshot.prefixes
    return published.match(number) == number
