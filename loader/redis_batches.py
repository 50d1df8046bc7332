"""The rows of a batch in Redis: what its numbers had before, and what they got.

A part is a list of compressed pieces, each with some thousand rows end to end: field, length of the
value in two bytes, value. Its hash is that of all rows, not compressed. A list that was removed
stays as it was: the batch names its id, and its rows are in the order of buckets and fields.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from loader.change_log import BATCH_ID, PARTS, Batch, BatchFile, BrokenLogError, Part
from loader.entry_fields import FIELD_BYTES, BadRecordError
from loader.redis_buckets import Buckets
from loader.redis_client import RedisClient
from loader.redis_records import entry_of, is_readable
from loader.store import Entry, Reject, quoted

_LENGTH_BYTES = 2
ROWS_AT_ONCE = 5000


class BatchPart:
    """Counts and hashes the rows of a part, as it makes them pieces."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._rows = 0

    def piece(self, rows: Iterable[tuple[bytes, bytes]]) -> bytes:
        """These rows, as they are kept; b"" for none."""
        parts = []
        for field, value in rows:
            parts += [field, len(value).to_bytes(_LENGTH_BYTES, "big"), value]
            self._rows += 1
        plain = b"".join(parts)
        self._hash.update(plain)
        return zlib.compress(plain, 1) if plain else b""

    def file(self) -> BatchFile | None:
        """What the log says of the part; None when it has no rows."""
        return BatchFile(self._rows, self._hash.hexdigest()) if self._rows else None


def hashed(
    rows: Iterable[tuple[bytes, bytes]], now_and_then: Callable[[], object] = lambda: None
) -> BatchFile | None:
    """What the log says of these rows. now_and_then: called after some thousand rows."""
    part = BatchPart()
    rows = iter(rows)
    while some := list(islice(rows, ROWS_AT_ONCE)):
        part.piece(some)
        now_and_then()
    return part.file()


class RedisBatches:
    def __init__(self, client: RedisClient, buckets: Buckets) -> None:
        self._client = client
        self._buckets = buckets

    def list_key(self, identity: str) -> str:
        """Has the id of the list whose removal the batch is."""
        return self._key(identity, "list")

    def _key(self, identity: str, part: str) -> str:
        if not BATCH_ID.fullmatch(identity):
            raise BrokenLogError(f"change log: expected a batch's name, found {quoted(identity)}")
        return self._buckets.key("batch", identity, part)

    def rows(self, batch: Batch, part: Part) -> Iterator[Entry | Reject]:
        for at, (field, value) in enumerate(self._raw(batch, part), 1):
            try:
                yield entry_of(field, value)
            except BadRecordError as error:
                yield Reject(at, f"{field!r} {value!r}", str(error))

    def readable(self, batch: Batch, part: Part) -> Iterator[tuple[bytes, bytes]]:
        """Field and value of the rows that rows() can read, as they are stored."""
        return (row for row in self._raw(batch, part) if is_readable(*row))

    def check(self, batch: Batch) -> None:
        """Raises BrokenLogError when the rows are not those that were recorded."""
        for part in PARTS:
            expected: BatchFile | None = getattr(batch, part)
            if expected is not None and hashed(self._raw(batch, part)) != expected:
                raise BrokenLogError(
                    f"batch {batch.id}: expected {expected.rows} rows {part} it with the SHA-256"
                    f" {expected.sha256[:16]}..., found others: they were altered"
                )

    def removed_list(self, list_id: str) -> Iterator[tuple[bytes, bytes]]:
        """The rows of a list that nobody changes any more, in an order of their own."""
        head = self._buckets.head(list_id)
        if head is not None:
            yield from self._buckets.sorted_rows(head)

    def _raw(self, batch: Batch, part: Part) -> Iterator[tuple[bytes, bytes]]:
        if getattr(batch, part) is None:
            return
        removed = self._client.call("GET", self.list_key(batch.id)) if part == "before" else None
        if removed is not None:
            yield from self.removed_list(removed.decode())
            return
        key = self._key(batch.id, part)
        for at in range(int(self._client.call("LLEN", key))):
            yield from _unpacked(batch, self._client.call("LINDEX", key, at))


def _unpacked(batch: Batch, piece: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    try:
        plain = zlib.decompress(piece or b"")
    except zlib.error as error:
        raise BrokenLogError(f"batch {batch.id}: expected compressed rows, {error}") from None
    at = 0
    while at < len(plain):
        start = at + FIELD_BYTES + _LENGTH_BYTES
        end = start + int.from_bytes(plain[at + FIELD_BYTES : start], "big")
        if end > len(plain):
            raise BrokenLogError(f"batch {batch.id}: expected whole rows")
        yield plain[at : at + FIELD_BYTES], plain[start:end]
        at = end
