"""Published lists that go on changing: a few changes, expiry, folding. No list is read for it."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from loader.entry_fields import NO_EXPIRY, end_of, expiry_from, microseconds, number_of
from loader.publishing import ListReport, list_info, next_expiry
from loader.store import is_prefix
from lookup_core import JSON, Catalog, PublishedList, is_address

# Generations over one base file. A change costs the more, the more there are; folding a list of
# ten million numbers takes some seconds of a core.
MOST_GENERATIONS = 1000
NO_INFO: Mapping[str, JSON] = {}


class LiveLists:
    """The published lists of one store. Nobody else publishes a list while it is changed."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def can_change(self, name: str) -> bool:
        """Whether there is a generation to change."""
        return isinstance(self._catalog.current().lists.get(name), PublishedList)

    def change(
        self,
        name: str,
        changes: Mapping[bytes, bytes | None],
        now: datetime.datetime,
        more_info: Mapping[str, JSON] = NO_INFO,
        addresses: Mapping[str, bytes | None] = MappingProxyType({}),
    ) -> ListReport:
        """Publish a few changes of a list.

        changes: field -> expiry, None for one taken out. more_info: what else is new of the list,
        such as the store's version after them. addresses: as changes, of SIP addresses, which have
        no field.
        """
        added = {f: e for f, e in changes.items() if e is not None and not is_over(e, now)}
        removed = [number_of(field) for field in changes if field not in added]
        added_addresses = {
            address: None if expiry == NO_EXPIRY else int.from_bytes(expiry, "big", signed=True)
            for address, expiry in addresses.items()
            if expiry is not None and not is_over(expiry, now)
        }
        removed += [address for address in addresses if address not in added_addresses]
        return self._published(name, added, removed, now, more_info, added_addresses)

    def has_expired(self, name: str, now: datetime.datetime) -> bool:
        """Whether something in the list is published whose time is over."""
        found = self._catalog.current().lists.get(name)
        moment = next_expiry(found) if isinstance(found, PublishedList) else None
        return moment is not None and moment < now

    def expire(self, name: str, now: datetime.datetime) -> ListReport:
        """Publish a list without what has expired, which no leg matches any more."""
        return self._published(name, {}, self._found(name).snapshot.ended(microseconds(now)), now)

    def withdraw(self, name: str) -> None:
        self._catalog.withdraw(name)

    def to_fold(self) -> list[str]:
        """The lists that have gathered so many changes that they are to be written anew."""
        return [
            name
            for name, found in self._catalog.current().lists.items()
            if isinstance(found, PublishedList) and found.generation - found.base > MOST_GENERATIONS
        ]

    def _found(self, name: str) -> PublishedList:
        found = self._catalog.current().lists[name]
        assert isinstance(found, PublishedList)
        return found

    def _published(
        self,
        name: str,
        added: Mapping[bytes, bytes],
        removed: Sequence[str],
        now: datetime.datetime,
        more_info: Mapping[str, JSON] = NO_INFO,
        addresses: Mapping[str, int | None] = MappingProxyType({}),
    ) -> ListReport:
        """Publish a list with these fields and addresses (and when they end) and without those
        entries.
        """
        found = self._found(name)
        has_entry = found.snapshot.has_entry
        lasting = [number_of(field) for field, end in added.items() if end == NO_EXPIRY]
        ends = [end_of(field, end) for field, end in added.items() if end != NO_EXPIRY]
        entries = int(str(found.info["entries"]))
        entries += sum(not has_entry(number_of(field)) for field in added)
        entries += sum(not has_entry(address) for address in addresses)
        entries -= sum(map(has_entry, removed))
        rejects = int(str(found.info["rejects"]))
        info = {**found.info, **list_info(entries, rejects, now), **more_info}
        add, add_prefixes = numbers_and_prefixes(lasting)
        remove, remove_prefixes = numbers_and_prefixes(
            entry for entry in removed if not is_address(entry)
        )
        generation = self._catalog.change(
            name,
            add,
            remove,
            add_prefixes,
            remove_prefixes,
            info,
            ends=ends,
            add_addresses=addresses,
            remove_addresses=filter(is_address, removed),
        )
        return ListReport(name, generation, entries, rejects, 0, next_expiry(self._found(name)), ())


def is_over(expiry: bytes, now: datetime.datetime) -> bool:
    moment = expiry_from(expiry)
    return moment is not None and moment < now


def numbers_and_prefixes(entries: Iterable[str]) -> tuple[list[str], list[str]]:
    numbers: list[str] = []
    prefixes: list[str] = []
    for entry in entries:
        (prefixes if is_prefix(entry) else numbers).append(entry)
    return numbers, prefixes
