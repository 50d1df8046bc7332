"""A list as lookups need it: packed numbers, prefixes, when they end, and what was left out."""

import datetime
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from loader.key_table import KeyTable
from loader.store import NAMED_REJECTS, Entry, Reject, is_prefix, too_many_addresses
from lookup_core import MAX_ADDRESSES, is_address, pack


@dataclass
class ListKeys:
    """The entries of a list that count at `now` (aware).

    keys: array("Q") of packed numbers, repeated ones too. ending: those of the numbers and prefixes
    that do not count for ever, and until when. addresses: the SIP addresses, until when or None.
    expired: rows left out because their time is over.
    named_rejects: the first. as_of: of an attached list, the day whose numbers it has. stale_after:
    it may not be used then. has_header: the file's first row names columns; None: there is no such
    file.
    """

    now: datetime.datetime
    keys: "array[int]" = field(default_factory=lambda: array("Q"))
    prefixes: set[str] = field(default_factory=set)
    ending: dict[str, datetime.datetime] = field(default_factory=dict)
    addresses: dict[str, datetime.datetime | None] = field(default_factory=dict)
    rejects: int = 0
    named_rejects: list[Reject] = field(default_factory=list)
    expired: int = 0
    as_of: datetime.date | None = None
    stale_after: datetime.datetime | None = None
    has_header: bool | None = None

    @property
    def next_expiry(self) -> datetime.datetime | None:
        ends = [*self.ending.values(), *filter(None, self.addresses.values())]
        return min(ends, default=None)

    def take(self, what: Entry | Reject) -> None:
        """One row more; finish() after the last. Raises StoreError for too many SIP addresses."""
        if isinstance(what, Reject):
            self.rejects += 1
            if len(self.named_rejects) < NAMED_REJECTS:
                self.named_rejects.append(what)
        elif what.expired(self.now):
            self.expired += 1
        elif is_address(what.number):
            until = self.addresses.get(what.number, what.expires)
            self.addresses[what.number] = (
                max(until, what.expires) if until and what.expires else None
            )
            if len(self.addresses) > MAX_ADDRESSES:
                raise too_many_addresses()
        elif what.expires is not None:
            before = self.ending.get(what.number, what.expires)
            self.ending[what.number] = max(before, what.expires)
        elif is_prefix(what.number):
            self.prefixes.add(what.number)
        else:
            self.keys.append(pack(what.number))

    def finish(self) -> None:
        """Put what ends with the rest. What another row has for ever does not end."""
        if not self.ending:
            return
        lasting = KeyTable()
        lasting.add_all(self.keys)
        for number in list(self.ending):
            if number in self.prefixes or (not is_prefix(number) and lasting.has(pack(number))):
                del self.ending[number]
        self.prefixes.update(filter(is_prefix, self.ending))
        self.keys.extend(pack(number) for number in self.ending if not is_prefix(number))


def list_keys(rows: Iterable[Entry | Reject], now: datetime.datetime) -> ListKeys:
    """The keys of these rows."""
    found = ListKeys(now)
    for what in rows:
        found.take(what)
    found.finish()
    return found
