"""Publishing one list of a Redis store on a node: all of it, a few changes, what has expired."""

import datetime
from array import array
from collections.abc import Iterable, Mapping

from loader.publishing import ListReport, list_info
from loader.redis_edit import STEP
from loader.redis_records import NO_EXPIRY, expiry_from, number_of
from loader.redis_store import RedisStore
from loader.store import StoreError, is_prefix
from lookup_core import Catalog, PublishedList, pack

# Generations over one base file. A change costs the more, the more there are; folding a list of
# ten million numbers takes some seconds of a core.
MOST_GENERATIONS = 1000


class NodeLists:
    """The published lists of one store. Whoever changes them holds the node's publishing lock."""

    def __init__(self, store: RedisStore, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog
        self._expiries = store.node.expiries

    def copy(self, name: str, now: datetime.datetime) -> ListReport:
        """Publish a list from all that the store has of it.

        Raises StoreError, also when that is less than the store should have.
        """
        redis_list = self._store.list(name)
        fields, before = redis_list.fields()
        after = redis_list.head()
        keys = fields.plain
        if after.buckets != before.buckets:  # a field that moved meanwhile may have come twice
            keys = array("Q", set(keys))
            fields.others = list(dict(fields.others).items())
        found = len(keys) + len(fields.others) + fields.unreadable
        if before.entries - found > (after.rev - before.rev) * STEP:
            raise StoreError(
                f"expected {before.entries} entries in Redis, found {found}: has it dropped some,"
                " by its maxmemory-policy?"
            )
        lasting = {field: expiry for field, expiry in fields.others if not _is_over(expiry, now)}
        more, prefixes = _numbers_and_prefixes(lasting)
        keys.extend(more)
        self._expiries.replace(
            name, ((field, expiry) for field, expiry in lasting.items() if expiry_from(expiry))
        )
        next_expiry = self._expiries.next(name, now)
        entries = len(keys) + len(prefixes)
        info = list_info(entries, fields.unreadable, next_expiry, now)
        generation = self._catalog.publish(name, keys, sorted(prefixes), info)
        expired = len(fields.others) - len(lasting)
        return ListReport(name, generation, entries, fields.unreadable, expired, next_expiry, ())

    def can_change(self, name: str) -> bool:
        """Whether there is a generation to change."""
        return isinstance(self._catalog.current().lists.get(name), PublishedList)

    def change(
        self, name: str, changes: Mapping[bytes, bytes | None], now: datetime.datetime
    ) -> ListReport:
        """Publish a few changes of a list. changes: field -> expiry, None for one taken out."""
        added = {f: e for f, e in changes.items() if e is not None and not _is_over(e, now)}
        removed = [field for field in changes if field not in added]
        self._expiries.change(name, added | dict.fromkeys(removed, NO_EXPIRY))
        return self._published(name, added, removed, now)

    def has_expired(self, name: str, now: datetime.datetime) -> bool:
        """Whether something in the list is published whose time is over."""
        found = self._catalog.current().lists.get(name)
        moment = found.info.get("next_expiry") if isinstance(found, PublishedList) else None
        return isinstance(moment, str) and datetime.datetime.fromisoformat(moment) < now

    def expire(self, now: datetime.datetime) -> list[ListReport]:
        """Publish each list without what has expired."""
        reports = []
        for name in self._catalog.current().lists:
            if self.has_expired(name, now):
                due = self._expiries.due(name, now)
                reports.append(self._published(name, (), due, now))
                # Not before: what is published must be known to end until it has.
                self._expiries.change(name, dict.fromkeys(due, NO_EXPIRY))
        return reports

    def withdraw(self, name: str) -> None:
        self._catalog.withdraw(name)
        self._expiries.replace(name, ())

    def to_fold(self) -> list[str]:
        """The lists that have gathered so many changes that they are to be written anew."""
        return [
            name
            for name, found in self._catalog.current().lists.items()
            if isinstance(found, PublishedList) and found.generation - found.base > MOST_GENERATIONS
        ]

    def _published(
        self, name: str, added: Iterable[bytes], removed: Iterable[bytes], now: datetime.datetime
    ) -> ListReport:
        """Publish a list with these fields and without those."""
        found = self._catalog.current().lists[name]
        assert isinstance(found, PublishedList)
        add, add_prefixes = _numbers_and_prefixes(added)
        remove, remove_prefixes = _numbers_and_prefixes(removed)
        entries = int(str(found.info["entries"]))
        entries += sum(key not in found.snapshot for key in add)
        entries -= sum(key in found.snapshot for key in remove)
        if add_prefixes or remove_prefixes:
            prefixes = set(found.snapshot.prefixes)
            entries += len(prefixes.union(add_prefixes).difference(remove_prefixes)) - len(prefixes)
        rejects = int(str(found.info["rejects"]))
        next_expiry = self._expiries.next(name, now)
        generation = self._catalog.change(
            name,
            add,
            remove,
            add_prefixes,
            remove_prefixes,
            list_info(entries, rejects, next_expiry, now),
        )
        return ListReport(name, generation, entries, rejects, 0, next_expiry, ())


def _is_over(expiry: bytes, now: datetime.datetime) -> bool:
    moment = expiry_from(expiry)
    return moment is not None and moment < now


def _numbers_and_prefixes(fields: Iterable[bytes]) -> tuple[list[int], list[str]]:
    numbers, prefixes = [], []
    for field in fields:
        number = number_of(field)
        if is_prefix(number):
            prefixes.append(number)
        else:
            numbers.append(pack(number))
    return numbers, prefixes
