"""The change stream of a Redis store, read from where a node is."""

from collections.abc import Iterator
from dataclasses import dataclass

from loader.entry_fields import FIELD_BYTES, NO_EXPIRY
from loader.redis_client import RedisClient
from loader.store import StoreError

NO_CHANGE = "0-0"  # the position before the first change
RECORDS_AT_ONCE = 500
_SET_BYTES = FIELD_BYTES + len(NO_EXPIRY)


class TrimmedError(StoreError):
    """The stream no longer goes back as far: a full copy is needed."""


class ForkedError(StoreError):
    """The store lacks changes that the node has: a failover or a restart has lost them."""

    def __init__(self, lost: int) -> None:
        self.lost = lost
        super().__init__(f"the store has lost at least {lost} changes that this node has")


@dataclass(frozen=True, slots=True)
class Record:
    """One change. operation: "change", "list" (there is a new one, or another in its place), "gone"
    or "rules". to_set: field -> expiry; to_delete: fields; both of a "change" alone.
    """

    id: str
    rev: int
    operation: str
    list: str
    list_id: str
    to_set: dict[bytes, bytes]
    to_delete: tuple[bytes, ...]


def read_feed(client: RedisClient, key: str, last: str, rev: int, end: str) -> Iterator[Record]:
    """The records after `last`, which had the number `rev`, up to `end`, each once and none left
    out.

    Raises TrimmedError or ForkedError, at any record.
    """
    if last != NO_CHANGE:
        found = client.call("XRANGE", key, last, last)
        if not found or _record(*found[0]).rev != rev:
            raise _missing(client, key, last, rev)
    while last != end:
        found = client.call("XRANGE", key, f"({last}", end, "COUNT", RECORDS_AT_ONCE)
        if not found:
            raise TrimmedError("the stream was trimmed while it was being read")
        for record_id, fields in found:
            record = _record(record_id, fields)
            if record.rev != rev + 1:
                raise TrimmedError(f"expected change {rev + 1}, found {record.rev}")
            yield record
            last, rev = record.id, record.rev


def wait_for_change(client: RedisClient, key: str, last: str, milliseconds: int) -> bool:
    """Whether there is a record after `last`, as soon as there is or when the time is over."""
    return bool(client.call("XREAD", "COUNT", 1, "BLOCK", milliseconds, "STREAMS", key, last))


def _missing(client: RedisClient, key: str, last: str, rev: int) -> StoreError:
    """Why there is no record `last`: the stream begins after it, or it never had it."""
    before = client.call("XREVRANGE", key, f"({last}", "-", "COUNT", 1)
    if before:
        return ForkedError(rev - _record(*before[0]).rev)
    if client.call("XRANGE", key, f"({last}", "+", "COUNT", 1):
        return TrimmedError("the stream begins after the last change that this node has")
    return ForkedError(rev)


def _record(record_id: bytes, fields: dict[bytes, bytes]) -> Record:
    to_set, to_delete = fields.get(b"set", b""), fields.get(b"del", b"")
    return Record(
        record_id.decode(),
        int(fields[b"rev"]),
        fields[b"op"].decode(),
        fields.get(b"list", b"").decode("utf-8", "surrogateescape"),
        fields.get(b"id", b"").decode(),
        {
            to_set[at : at + FIELD_BYTES]: to_set[at + FIELD_BYTES : at + _SET_BYTES]
            for at in range(0, len(to_set), _SET_BYTES)
        },
        tuple(to_delete[at : at + FIELD_BYTES] for at in range(0, len(to_delete), FIELD_BYTES)),
    )
