"""A list to oneself: the lock of an edit, and the copy that a large one is made in.

Readers see the old list or the new one. Other changes of the list wait meanwhile, for a lock that
lets go by itself when its holder dies. What a dead edit left behind is deleted by the next one.
"""

import secrets
from collections.abc import Mapping, Sequence

from loader.entry_fields import FIELD_BYTES
from loader.redis_buckets import Buckets, Change, Head, LookAgainError, expect_done
from loader.redis_client import RedisClient
from loader.redis_log import LogStep
from loader.redis_records import by_bucket
from loader.redis_scripts import LOCK, RENEW, SWAP
from loader.store import StoreError, quoted

# Longer than any single step of an edit; a lock is renewed with each.
LOCK_MILLISECONDS = 30_000


class ListLock:
    """Keeps others from changing a list until close()."""

    def __init__(self, client: RedisClient, buckets: Buckets, name: str, head: Head) -> None:
        """Raises LookAgainError."""
        self._client = client
        self._name = name
        self.list_id = head.id
        self.key = buckets.key("lock", head.id)
        self.token = secrets.token_hex(16)
        arguments = [name, head.id, self.token, LOCK_MILLISECONDS]
        expect_done(client.script(LOCK, [buckets.key("lists"), self.key], arguments))

    def renew(self) -> None:
        """Raises StoreError when the lock was lost."""
        if not self._client.script(RENEW, [self.key], [self.token, LOCK_MILLISECONDS]):
            raise self.lost()

    def close(self) -> None:
        self._client.script(RENEW, [self.key], [self.token, 0])

    def lost(self) -> StoreError:
        return StoreError(
            f"list {quoted(self._name)}: the change took too long between two steps and lost its"
            " lock; nothing was changed"
        )


class Staging:
    """A copy of a locked list. Nobody else knows of it until it takes the list's place."""

    def __init__(
        self, client: RedisClient, buckets: Buckets, lock: ListLock, *, empty: bool
    ) -> None:
        """empty: has none of the list's entries."""
        self._client = client
        self._buckets = buckets
        self._lock = lock
        self.id = str(client.call("HINCRBY", buckets.key("meta"), "next", 1))
        self._garbage = {f"list:{self.id}"}
        self.own(f"list:{self.id}")
        client.call("HSET", buckets.key("head", self.id), "n", 1, "c", 0, "r", 0)
        source = buckets.head(lock.list_id)
        if source is None:
            raise lock.lost()
        if not empty:
            for _ in buckets.copy(source, self.id):
                lock.renew()

    def own(self, what: str) -> None:
        """It is garbage when this edit dies, and belongs to the store when it is put in place."""
        self._garbage.add(what)
        self._client.call("HSET", self._buckets.key("garbage"), what, self._lock.list_id)

    def read(self, fields: Sequence[bytes]) -> dict[bytes, bytes]:
        if not fields:
            return {}
        return self._buckets.read("", self._head(), fields)

    def change(self, changes: Mapping[bytes, Change]) -> None:
        self._lock.renew()
        self._buckets.change("", self._head(), changes)
        self._buckets.grow(self.id)

    def keep(self, field: bytes, value: bytes) -> None:
        """Take over what is no entry."""
        buckets = by_bucket([field], self._head().buckets) if len(field) == FIELD_BYTES else {0: []}
        self._client.call("HSET", self._buckets.key("b", self.id, *buckets), field, value)

    def put_in_place(self, name: str, step: LogStep) -> None:
        """Raises LookAgainError when the log went on, StoreError when the lock was lost."""
        buckets = self._buckets
        keys = [buckets.key("lists"), self._lock.key]
        keys += [buckets.key(one) for one in ("meta", "changes", "log", "garbage")]
        keys.append(buckets.key("head", self.id))
        arguments = [name, self._lock.list_id, self.id, self._lock.token, buckets.most_changes]
        answer = self._client.script(
            SWAP, keys, [*arguments, *step.arguments, *sorted(self._garbage)]
        )
        if answer == b"logged":
            raise LookAgainError
        if answer != b"ok":
            raise self._lock.lost()

    def _head(self) -> Head:
        head = self._buckets.head(self.id)
        if head is None:
            raise self._lock.lost()
        return head


def sweep(client: RedisClient, buckets: Buckets) -> None:
    """Delete what is no longer in use, and what edits left that are dead."""
    garbage = buckets.key("garbage")
    for found, source in client.call("HGETALL", garbage).items():
        # What an edit makes is in use as long as it holds its list's lock.
        if client.call("EXISTS", buckets.key("lock", source.decode())):
            continue
        kind, _, identity = found.decode().partition(":")
        if kind == "list":
            buckets.drop(identity)
        else:
            for part in ("before", "after"):
                client.call("UNLINK", buckets.key("batch", identity, part))
        client.call("HDEL", garbage, found)
