"""Published lists that go on changing: a few changes, expiry, folding. No list is read for it."""

import datetime
from collections.abc import Iterable, Mapping

from loader.entry_fields import NO_EXPIRY, expiry_from, number_of
from loader.expiries import Expiries
from loader.publishing import ListReport, list_info
from loader.store import is_prefix
from lookup_core import Catalog, PublishedList

# Generations over one base file. A change costs the more, the more there are; folding a list of
# ten million numbers takes some seconds of a core.
MOST_GENERATIONS = 1000


class LiveLists:
    """The published lists of one store. Nobody else publishes a list while it is changed."""

    def __init__(self, catalog: Catalog, expiries: Expiries) -> None:
        self._catalog = catalog
        self._expiries = expiries

    def can_change(self, name: str) -> bool:
        """Whether there is a generation to change."""
        return isinstance(self._catalog.current().lists.get(name), PublishedList)

    def change(
        self,
        name: str,
        changes: Mapping[bytes, bytes | None],
        now: datetime.datetime,
        version: str | None = None,
    ) -> ListReport:
        """Publish a few changes of a list.

        changes: field -> expiry, None for one taken out. version: the store's, after them.
        """
        added = {f: e for f, e in changes.items() if e is not None and not is_over(e, now)}
        removed = [field for field in changes if field not in added]
        self._expiries.change(name, added | dict.fromkeys(removed, NO_EXPIRY))
        # What has ended and is published still is among these.
        next_expiry = self._expiries.next(name)
        return self._published(name, added, removed, next_expiry, now, version)

    def has_expired(self, name: str, now: datetime.datetime) -> bool:
        """Whether something in the list is published whose time is over."""
        found = self._catalog.current().lists.get(name)
        moment = found.info.get("next_expiry") if isinstance(found, PublishedList) else None
        return isinstance(moment, str) and datetime.datetime.fromisoformat(moment) < now

    def expire(self, name: str, now: datetime.datetime) -> ListReport:
        """Publish a list without what has expired."""
        due = self._expiries.due(name, now)
        report = self._published(name, (), due, self._expiries.next(name, since=now), now)
        # Not before: what is published must be known to end until it has.
        self._expiries.change(name, dict.fromkeys(due, NO_EXPIRY))
        return report

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
        self,
        name: str,
        added: Iterable[bytes],
        removed: Iterable[bytes],
        next_expiry: datetime.datetime | None,
        now: datetime.datetime,
        version: str | None = None,
    ) -> ListReport:
        """Publish a list with these fields and without those."""
        found = self._catalog.current().lists[name]
        assert isinstance(found, PublishedList)
        add, add_prefixes = numbers_and_prefixes(added)
        remove, remove_prefixes = numbers_and_prefixes(removed)
        entries = int(str(found.info["entries"]))
        # Not `in`: a number may be under a prefix of the list, too.
        entries += sum(found.match(number) != number for number in add)
        entries -= sum(found.match(number) == number for number in remove)
        if add_prefixes or remove_prefixes:
            prefixes = set(found.snapshot.prefixes)
            entries += len(prefixes.union(add_prefixes).difference(remove_prefixes)) - len(prefixes)
        rejects = int(str(found.info["rejects"]))
        info = {**found.info, **list_info(entries, rejects, next_expiry, now)}
        if version is not None:
            info["version"] = version
        generation = self._catalog.change(name, add, remove, add_prefixes, remove_prefixes, info)
        return ListReport(name, generation, entries, rejects, 0, next_expiry, ())


def is_over(expiry: bytes, now: datetime.datetime) -> bool:
    moment = expiry_from(expiry)
    return moment is not None and moment < now


def numbers_and_prefixes(fields: Iterable[bytes]) -> tuple[list[str], list[str]]:
    numbers: list[str] = []
    prefixes: list[str] = []
    for field in fields:
        number = number_of(field)
        (prefixes if is_prefix(number) else numbers).append(number)
    return numbers, prefixes
