"""A list as lookups need it: packed numbers, prefixes, and what was left out."""

import datetime
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from loader.store import NAMED_REJECTS, Entry, Reject, is_prefix
from lookup_core import pack


@dataclass
class ListKeys:
    """The entries of a list that count at `now` (aware).

    keys: array("Q") of packed numbers, in order, repeated ones too. expired: rows left out because
    their time is over. next_expiry: when the first of the others ends. named_rejects: the first.
    as_of: of an attached list, the day whose numbers it has. stale_after: it may not be used then.
    """

    now: datetime.datetime
    keys: "array[int]" = field(default_factory=lambda: array("Q"))
    prefixes: set[str] = field(default_factory=set)
    rejects: int = 0
    named_rejects: list[Reject] = field(default_factory=list)
    expired: int = 0
    next_expiry: datetime.datetime | None = None
    as_of: datetime.date | None = None
    stale_after: datetime.datetime | None = None

    def take(self, what: Entry | Reject) -> None:
        """One row more."""
        if isinstance(what, Reject):
            self.rejects += 1
            if len(self.named_rejects) < NAMED_REJECTS:
                self.named_rejects.append(what)
            return
        if what.expired(self.now):
            self.expired += 1
            return
        self.expires(what.expires)
        if is_prefix(what.number):
            self.prefixes.add(what.number)
        else:
            self.keys.append(pack(what.number))

    def expires(self, moment: datetime.datetime | None) -> None:
        """An entry that counts until then; None: for ever."""
        if moment is not None and (self.next_expiry is None or moment < self.next_expiry):
            self.next_expiry = moment


def list_keys(rows: Iterable[Entry | Reject], now: datetime.datetime) -> ListKeys:
    """The keys of these rows."""
    found = ListKeys(now)
    for what in rows:
        found.take(what)
    return found
