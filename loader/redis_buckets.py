"""One list's entries in Redis: reading them, changing them in one step, and making room."""

import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from loader.entry_fields import FIELD_BYTES, NO_EXPIRY
from loader.redis_client import RedisClient
from loader.redis_log import LogStep
from loader.redis_records import LOAD, by_bucket, expiry_in, split_source
from loader.redis_scripts import CHANGE, FIELDS, GROW, READ
from loader.store import StoreError

# Buckets in one call: some thousand entries, which keeps Redis from others for a few milliseconds.
BUCKETS_AT_ONCE = 100
SPLITS_AT_ONCE = 100
_ABSENT = b"\xff\xff"


@dataclass(frozen=True, slots=True)
class Head:
    """What was known of a list when it was looked at: its id, its buckets, entries, last change."""

    id: str
    buckets: int
    entries: int
    rev: int


class LookAgainError(Exception):
    """The list was changed, replaced or locked, or has grown, or the log went on."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field: the value that it is expected to have, and the one that it gets. None: none."""

    old: bytes | None
    new: bytes | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is recorded with a change: a record of the log, and the rows of its batch, before and
    after, as redis_batches has them. batch: its name.
    """

    step: LogStep
    batch: str = "none"
    rows: tuple[bytes, bytes] = (b"", b"")


# Of a list that is not in use yet.
NOTHING_RECORDED = Recorded(LogStep("", b"", ""))


@dataclass(slots=True)
class Fields:
    """What a node needs of a list. plain: packed numbers without expiry; others: field, expiry."""

    plain: "array[int]"
    others: list[tuple[bytes, bytes]]
    unreadable: int = 0


class Buckets:
    """All lists of a store, by id. Names are checked by the scripts that change a list in use."""

    def __init__(self, client: RedisClient, prefix: str, most_changes: int) -> None:
        self._client = client
        self.prefix = prefix
        self.most_changes = most_changes

    def key(self, *parts: str | int) -> str:
        return ":".join((self.prefix, *map(str, parts)))

    def _bucket_keys(self, list_id: str, buckets: Iterable[int]) -> list[str]:
        start = self.key("b", list_id, "")
        return [f"{start}{bucket}" for bucket in buckets]

    def head(self, list_id: str) -> Head | None:
        """None when there is no such list."""
        found = self._client.call("HMGET", self.key("head", list_id), "n", "c", "r")
        if None in found:
            return None
        return Head(list_id, *map(int, found))

    def read(self, name: str, head: Head, fields: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values that there are. Raises LookAgainError.

        name: "" for a list that is not in use yet.
        """
        grouped = by_bucket(fields, head.buckets)
        keys = [self.key("lists"), self.key("head", head.id), *self._bucket_keys(head.id, grouped)]
        arguments = [name, head.id, head.buckets, *(b"".join(some) for some in grouped.values())]
        found = self._client.script(READ, keys, arguments)
        expect_done(found)
        asked = [one for some in grouped.values() for one in some]
        places, values = found[::2], found[1::2]
        return {asked[place - 1]: value for place, value in zip(places, values, strict=True)}

    def change(
        self,
        name: str,
        head: Head,
        changes: Mapping[bytes, Change],
        recorded: Recorded = NOTHING_RECORDED,
        token: str = "",
    ) -> None:
        """All changes or none, with their record and what nodes need to know of them.

        name: "" for a list that is not in use yet, of which nothing is recorded. token: of the lock
        that the caller has. Raises LookAgainError.
        """
        grouped = by_bucket(changes, head.buckets)
        keys = [
            self.key("lists"),
            self.key("head", head.id),
            self.key("lock", head.id),
            self.key("meta"),
            self.key("changes"),
            self.key("log"),
            self.key("batch", recorded.batch, "before"),
            self.key("batch", recorded.batch, "after"),
            *self._bucket_keys(head.id, grouped),
        ]
        to_set, to_delete = _for_nodes(changes) if name else (b"", b"")
        arguments: list[str | bytes | int] = [
            *(name, head.id, head.buckets, token, self.most_changes, to_set, to_delete),
            *recorded.step.arguments,
            *recorded.rows,
        ]
        for some in grouped.values():
            parts = []
            for one in some:
                change = changes[one]
                parts += [one, _sized(change.old), _sized(change.new)]
            arguments.append(b"".join(parts))
        expect_done(self._client.script(CHANGE, keys, arguments))

    def grow(self, list_id: str) -> None:
        """Split buckets until they hold LOAD entries on average."""
        while True:
            head = self.head(list_id)
            if head is None or head.entries <= head.buckets * LOAD:
                return
            wanted = -(-head.entries // LOAD) - head.buckets
            news = range(head.buckets, head.buckets + min(wanted, SPLITS_AT_ONCE))
            pairs = [bucket for new in news for bucket in (split_source(new), new)]
            keys = [self.key("head", list_id), *self._bucket_keys(list_id, pairs)]
            self._client.script(GROW, keys, [head.buckets, LOAD])

    def rows(self, head: Head) -> Iterator[tuple[bytes, bytes]]:
        """Field and value of every entry. One that is moved meanwhile may come twice."""
        for buckets in self._all_buckets(head):
            keys = self._bucket_keys(head.id, buckets)
            for found in self._client.pipeline([("HGETALL", key) for key in keys]):
                yield from _pairs(found)

    def sorted_rows(self, head: Head) -> Iterator[tuple[bytes, bytes]]:
        """The same, always in the same order, of a list that nobody changes."""
        for bucket in range(head.buckets):
            [key] = self._bucket_keys(head.id, [bucket])
            yield from sorted(_pairs(self._client.call("HGETALL", key)))

    def fields(self, head: Head) -> Fields:
        """What a node needs of every entry, as fast as may be."""
        fields = Fields(array("Q"), [])
        for buckets in self._all_buckets(head):
            plain, others, bad = self._client.script(FIELDS, self._bucket_keys(head.id, buckets))
            fields.plain.frombytes(plain)
            size = FIELD_BYTES + len(NO_EXPIRY)
            fields.others += [
                (others[at : at + FIELD_BYTES], others[at + FIELD_BYTES : at + size])
                for at in range(0, len(others), size)
            ]
            fields.unreadable += bad
        if sys.byteorder == "little":
            fields.plain.byteswap()
        return fields

    def _all_buckets(self, head: Head) -> Iterator[range]:
        """Upwards, those too that are made meanwhile: they get fields of lower ones only."""
        start, end = 0, head.buckets
        while start < end:
            stop = min(start + BUCKETS_AT_ONCE, end)
            yield range(start, stop)
            start = stop
            if start == end:
                now = self.head(head.id)
                if now is None:
                    raise StoreError(
                        f"list id {head.id}: removed or replaced while it was being read; try again"
                    )
                end = now.buckets

    def copy(self, source: Head, target_id: str) -> Iterator[int]:
        """Copy all buckets to another list that has none but its head; buckets done, as they are.

        Nobody may change the source meanwhile.
        """
        # First, so that drop() finds what a copy cut short has left.
        head = self.key("head", target_id)
        self._client.call("HSET", head, "n", source.buckets, "c", source.entries)
        for start in range(0, source.buckets, BUCKETS_AT_ONCE):
            buckets = range(start, min(start + BUCKETS_AT_ONCE, source.buckets))
            pairs = zip(
                self._bucket_keys(source.id, buckets),
                self._bucket_keys(target_id, buckets),
                strict=True,
            )
            self._client.pipeline([("COPY", old, new) for old, new in pairs])
            yield buckets.stop

    def drop(self, list_id: str) -> None:
        """Delete a list's entries; the head goes last, so that a drop cut short can be repeated."""
        head = self.head(list_id)
        if head is None:
            return
        for start in range(0, head.buckets, BUCKETS_AT_ONCE):
            buckets = range(start, min(start + BUCKETS_AT_ONCE, head.buckets))
            self._client.call("UNLINK", *self._bucket_keys(list_id, buckets))
        self._client.call("UNLINK", self.key("head", list_id))


def expect_done(answer: object) -> None:
    """Raises LookAgainError when a script says that it has done nothing."""
    if answer in (b"stale", b"locked", b"logged"):
        raise LookAgainError


def _sized(value: bytes | None) -> bytes:
    return _ABSENT if value is None else len(value).to_bytes(2, "big") + value


def _for_nodes(changes: Mapping[bytes, Change]) -> tuple[bytes, bytes]:
    """Field and expiry of what is set, fields of what is taken out; a description is neither."""
    to_set, to_delete = [], []
    for one, change in changes.items():
        if change.new is None:
            to_delete.append(one)
        elif change.old is None or expiry_in(change.old) != expiry_in(change.new):
            to_set += [one, expiry_in(change.new)]
    return b"".join(to_set), b"".join(to_delete)


def _pairs(flat: "Sequence[bytes] | Mapping[bytes, bytes]") -> Iterator[tuple[bytes, bytes]]:
    """redis-py makes a dictionary of the answer to HGETALL, but not within a script."""
    if isinstance(flat, Mapping):
        return iter(flat.items())
    return zip(flat[::2], flat[1::2], strict=True)
