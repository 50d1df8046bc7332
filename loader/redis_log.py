"""The change log in Redis: a list of records, each made in one step with the change it speaks of.

The record has the hash of the one before it, so its writer says which that was: a step that finds
another there is not made, and the record is written anew.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from loader.change_log import FIRST_PREVIOUS, BrokenLogError, Change, Origin, Record, digest
from loader.redis_client import RedisClient
from loader.redis_scripts import NOTE

RECORDS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class LogStep:
    """What a script needs to write a record: the hash it follows, the line, the line's hash."""

    previous: str
    line: bytes
    hash: str

    @property
    def arguments(self) -> tuple[str, bytes, str]:
        return self.previous, self.line, self.hash


class RedisLog:
    """The log whose records are in the list `key`, and its end in the hash `meta`."""

    def __init__(self, client: RedisClient, meta: str, key: str) -> None:
        self._client = client
        self._meta = meta
        self._key = key

    def next(self, change: Change, origin: Origin) -> LogStep:
        """The record of a change, behind the last that there is now."""
        records, last = self._end()
        now = datetime.datetime.now(datetime.UTC)
        line = Record(records + 1, now, origin, change, last or FIRST_PREVIOUS).line()
        return LogStep(last, line, digest(line))

    def append(self, change: Change, origin: Origin) -> None:
        """Write a record of what changes nothing in the store."""
        answer = b"logged"
        while answer == b"logged":
            step = self.next(change, origin)
            answer = self._client.script(NOTE, [self._meta, self._key], step.arguments)

    def lines(self) -> Iterator[bytes]:
        """The records. Raises BrokenLogError when some are missing at the end, or the last is not
        the one that was written.
        """
        count, last = self._end()
        at, line = 0, b""
        while found := self._client.call("LRANGE", self._key, at, at + RECORDS_AT_ONCE - 1):
            at += len(found)
            line = found[-1]
            yield from found
            if at >= count:  # more may have been written meanwhile
                break
        if at < count or (at == count and count and digest(line) != last):
            raise BrokenLogError(
                f"change log: expected {count} records, the last with the hash {last[:16]}...,"
                f" found {at}{f', the last with {digest(line)[:16]}...' if line else ''}"
            )

    def _end(self) -> tuple[int, str]:
        """How many records there are, and the last one's hash; "" for none."""
        records, last = self._client.call("HMGET", self._meta, "records", "logged")
        return int(records or 0), (last or b"").decode()
