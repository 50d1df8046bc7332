"""A large import into a Redis list: a copy is made and added to, then takes the list's place.

Readers see the old list or the new one. Other changes of the list wait meanwhile: the import holds
its lock, a key that lets go by itself when the import dies. What a dead import left behind is
deleted by the next one.
"""

import secrets
from collections.abc import Mapping, Sequence

from loader.redis_buckets import Buckets, Change, Head, LookAgainError, expect_done
from loader.redis_client import RedisClient
from loader.redis_scripts import RENEW, STAGE, SWAP
from loader.store import StoreError, quoted

# Longer than any single step of an import; a lock is renewed with each.
LOCK_MILLISECONDS = 30_000


class Staging:
    """The copy of one list. Nobody else knows of it until put_in_place()."""

    def __init__(
        self,
        client: RedisClient,
        buckets: Buckets,
        name: str,
        source: Head,
        *,
        empty: bool = False,
    ) -> None:
        """Locks the list and copies it, unless `empty`. Raises LookAgainError."""
        self._client = client
        self._buckets = buckets
        self._name = name
        self._source = source
        self._token = secrets.token_hex(16)
        self.id = str(client.call("HINCRBY", buckets.key("meta"), "next", 1))
        keys = [
            buckets.key("lists"),
            self._lock,
            buckets.key("garbage"),
            buckets.key("head", self.id),
        ]
        arguments = [name, source.id, self.id, self._token, LOCK_MILLISECONDS]
        expect_done(client.script(STAGE, keys, arguments))
        try:
            now = buckets.head(source.id)  # it may have changed before the lock was had
            if now is None:
                raise LookAgainError
            if not empty:
                for _ in buckets.copy(now, self.id):
                    self._renew()
        except BaseException:
            self.close()
            raise

    @property
    def _lock(self) -> str:
        return self._buckets.key("lock", self._source.id)

    def read(self, fields: Sequence[bytes]) -> dict[bytes, bytes]:
        return self._buckets.read("", self._head(), fields)

    def change(self, changes: Mapping[bytes, Change]) -> None:
        self._renew()
        self._buckets.change("", self._head(), changes)
        self._buckets.grow(self.id)

    def put_in_place(self) -> None:
        """Raises StoreError when the lock was lost: nothing was changed then."""
        buckets = self._buckets
        keys = [buckets.key("lists"), self._lock]
        keys += [buckets.key(one) for one in ("meta", "changes", "garbage")]
        keys.append(buckets.key("head", self.id))
        arguments = [self._name, self._source.id, self.id, self._token, buckets.most_changes]
        try:
            expect_done(self._client.script(SWAP, keys, arguments))
        except LookAgainError:
            raise self._lost() from None

    def close(self) -> None:
        """Let go of the lock; delete the copy, or the list whose place it took."""
        self._client.script(RENEW, [self._lock], [self._token, 0])
        sweep(self._client, self._buckets)

    def _head(self) -> Head:
        head = self._buckets.head(self.id)
        if head is None:
            raise self._lost()
        return head

    def _renew(self) -> None:
        if not self._client.script(RENEW, [self._lock], [self._token, LOCK_MILLISECONDS]):
            raise self._lost()

    def _lost(self) -> StoreError:
        return StoreError(
            f"list {quoted(self._name)}: the import took too long between two steps and lost its"
            " lock; nothing was changed"
        )


def sweep(client: RedisClient, buckets: Buckets) -> None:
    """Delete the lists that are no longer in use and the copies of imports that are dead."""
    garbage = buckets.key("garbage")
    for list_id, source in client.call("HGETALL", garbage).items():
        # A copy is in use as long as the list that it was made of is locked.
        if client.call("EXISTS", buckets.key("lock", source.decode())):
            continue
        buckets.drop(list_id.decode())
        client.call("HDEL", garbage, list_id)
