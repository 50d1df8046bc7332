"""How an entry lies in Redis: an 8-byte field in one of its list's buckets, and a packed value.

Fields and expiries are those of entry_fields.py. A value is

    3 bytes        the day of addition: its proleptic ordinal, 0 for none; bit 23: has an expiry
    0 or 8 bytes   the expiry: microseconds since 1970, signed
    the rest       the description in UTF-8

Buckets are hashes small enough for Redis to keep each as one block of memory; that is what makes an
entry cost 20 to 30 bytes instead of 150. A list grows one bucket at a time (linear hashing): bucket
`count` is made from the fields of one bucket before it, so that growing never stops anybody.
"""

import datetime
import struct
from collections import defaultdict
from collections.abc import Iterable

from loader.entry_fields import (
    EXPIRY_BYTES,
    NO_EXPIRY,
    BadRecordError,
    expiry_bytes,
    expiry_from,
    number_of,
)
from loader.store import Entry

# Entries a bucket on average. With linear hashing some buckets hold up to twice as many, and Redis
# keeps a hash compact up to 128 fields (hash-max-listpack-entries).
LOAD = 40

_HAS_EXPIRY = 1 << 23
_HALVES = struct.Struct(">II")
# The same numbers are in redis_scripts.GROW. Products stay under 2**53, which Lua's doubles hold.
_PRIME = 2**31 - 1
_FOLD, _MIX = 69621, 48271


def by_bucket(fields: Iterable[bytes], count: int) -> dict[int, list[bytes]]:
    """The fields by which of the list's `count` buckets they are in."""
    level = 1 << (count.bit_length() - 1)
    grouped: dict[int, list[bytes]] = defaultdict(list)
    for field in fields:
        high, low = _HALVES.unpack(field)
        mixed = (high * _FOLD + low) % _PRIME * _MIX % _PRIME
        bucket = mixed % (2 * level)
        grouped[bucket if bucket < count else mixed % level].append(field)
    return grouped


def split_source(count: int) -> int:
    """The bucket whose fields are shared with bucket `count` when that is made."""
    return count - (1 << (count.bit_length() - 1))


def value_of(entry: Entry) -> bytes:
    head = entry.date.toordinal() if entry.date else 0
    text = entry.description.encode()
    if entry.expires is None:
        return head.to_bytes(3, "big") + text
    return (head | _HAS_EXPIRY).to_bytes(3, "big") + expiry_bytes(entry.expires) + text


def entry_of(field: bytes, value: bytes) -> Entry:
    """Raises BadRecordError."""
    number = number_of(field)
    head = int.from_bytes(value[:3], "big")
    start = 3 + (EXPIRY_BYTES if head & _HAS_EXPIRY else 0)
    if len(value) < start:
        raise BadRecordError(f"expected a value of at least {start} bytes, found {len(value)}")
    day = head & ~_HAS_EXPIRY
    try:
        return Entry(
            number,
            datetime.date.fromordinal(day) if day else None,
            value[start:].decode(),
            expiry_from(value[3:start]) if head & _HAS_EXPIRY else None,
        )
    except (ValueError, OverflowError) as error:
        raise BadRecordError(f"expected the value of an entry, found {error}") from None


def is_readable(field: bytes, value: bytes) -> bool:
    try:
        entry_of(field, value)
    except BadRecordError:
        return False
    return True


def expiry_in(value: bytes) -> bytes:
    """The expiry of a value that entry_of() can read, as expiry_bytes() gives it."""
    return value[3:11] if value[0] & _HAS_EXPIRY >> 16 else NO_EXPIRY
