"""When the entries of published lists end: so that they do in time, and no list is read for it.

An SQLite file beside the snapshots, which have numbers only. It is written before a generation is
published: what is published is known to end.
"""

import contextlib
import datetime
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from loader.entry_fields import NO_EXPIRY, expiry_bytes, expiry_from
from loader.store import StoreError

_SCHEMA = """
create table if not exists expiring (
    list text not null, field blob not null, expires integer not null, primary key (list, field)
) without rowid;
create index if not exists by_time on expiring (list, expires);
"""


class Expiries:
    """Fields and their expiries, by list. Raises StoreError when the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def replace(self, name: str, expiries: Iterable[tuple[bytes, bytes]]) -> None:
        """All of a list's fields that end, and when, as expiry_bytes() gives it."""
        with self._opened() as database:
            database.execute("delete from expiring where list = ?", [name])
            self._put(database, name, expiries)

    def change(self, name: str, expiries: Mapping[bytes, bytes]) -> None:
        """Some fields' expiries; NO_EXPIRY for one that does not end, or is no longer there."""
        with self._opened() as database:
            known = "select 1 from expiring where list = ? limit 1"
            if (
                set(expiries.values()) <= {NO_EXPIRY}
                and not database.execute(known, [name]).fetchone()
            ):
                return  # most lists have no entry that ends: nothing is to be written to the disk
            gone = [(name, field) for field, expires in expiries.items() if expires == NO_EXPIRY]
            database.executemany("delete from expiring where list = ? and field = ?", gone)
            self._put(database, name, (item for item in expiries.items() if item[1] != NO_EXPIRY))

    def due(self, name: str, now: datetime.datetime) -> list[bytes]:
        """The fields whose time is over at `now` (aware)."""
        with self._opened() as database:
            found = database.execute(
                "select field from expiring where list = ? and expires < ?", [name, _order(now)]
            )
            return [field for (field,) in found]

    def next(self, name: str, since: datetime.datetime | None = None) -> datetime.datetime | None:
        """When the first of a list's fields ends, of those that end at `since` (aware) or later."""
        least = int.from_bytes(NO_EXPIRY, "big", signed=True) if since is None else _order(since)
        with self._opened() as database:
            query = "select min(expires) from expiring where list = ? and expires >= ?"
            (first,) = database.execute(query, [name, least]).fetchone()
        return None if first is None else expiry_from(first.to_bytes(8, "big", signed=True))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(self._path)) as database, database:
                database.executescript(_SCHEMA)
                yield database
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {error}") from error

    def _put(
        self, database: sqlite3.Connection, name: str, expiries: Iterable[tuple[bytes, bytes]]
    ) -> None:
        rows = (
            (name, field, int.from_bytes(expires, "big", signed=True))
            for field, expires in expiries
        )
        database.executemany("insert or replace into expiring values (?, ?, ?)", rows)


def _order(moment: datetime.datetime) -> int:
    return int.from_bytes(expiry_bytes(moment), "big", signed=True)
