"""How an entry lies in Redis: an 8-byte field in one of its list's buckets, and a packed value.

A field is the packed number, big-endian. A prefix is the value of its digits with bit 62 set, which
no packed number has alone. A value is

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

from loader.store import Entry, is_prefix
from lookup_core import pack, unpack

# Entries a bucket on average. With linear hashing some buckets hold up to twice as many, and Redis
# keeps a hash compact up to 128 fields (hash-max-listpack-entries).
LOAD = 40

FIELD_BYTES = 8
_PREFIX_BIT = 1 << 62
_HAS_EXPIRY = 1 << 23
_EXPIRY = struct.Struct(">q")
_HALVES = struct.Struct(">II")
NO_EXPIRY = b"\x80" + bytes(7)  # the lowest value, long before any calendar
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)
# The same numbers are in redis_scripts.GROW. Products stay under 2**53, which Lua's doubles hold.
_PRIME = 2**31 - 1
_FOLD, _MIX = 69621, 48271


class BadRecordError(ValueError):
    """A field or value in Redis that Callsieve did not write. The text says what was expected."""


def field_of(number: str) -> bytes:
    """The field of a canonical number, prefix or "anonymous"."""
    key = _PREFIX_BIT | int(number[1:-1]) if is_prefix(number) else pack(number)
    return key.to_bytes(FIELD_BYTES, "big")


def number_of(field: bytes) -> str:
    """Raises BadRecordError."""
    if len(field) != FIELD_BYTES:
        raise BadRecordError(f"expected a field of {FIELD_BYTES} bytes, found {len(field)}")
    key = int.from_bytes(field, "big")
    if key >> 62 == 1:
        digits = key - _PREFIX_BIT
        if not 0 < digits < 10**14:
            raise BadRecordError(f"expected a prefix of 1 to 14 digits, found {digits}")
        return f"+{digits}*"
    try:
        return unpack(key)
    except ValueError as error:
        raise BadRecordError(str(error)) from None


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
    start = 3 + (_EXPIRY.size if head & _HAS_EXPIRY else 0)
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


def expiry_bytes(moment: datetime.datetime | None) -> bytes:
    """Eight bytes; NO_EXPIRY for None."""
    return _EXPIRY.pack((moment - _EPOCH) // _MICROSECOND) if moment else NO_EXPIRY


def expiry_from(data: bytes) -> datetime.datetime | None:
    """Raises OverflowError for a moment that Python's calendar does not have."""
    if data == NO_EXPIRY:
        return None
    (microseconds,) = _EXPIRY.unpack(data)
    return _EPOCH + datetime.timedelta(microseconds=microseconds)
