"""An entry's number and its expiry in eight bytes each: in Redis, and in the expiries of lists.

A field is the packed number, big-endian. A prefix is the value of its digits with bit 62 set, which
no packed number has alone. An expiry is the microseconds since 1970, signed.
"""

import datetime
import struct

from loader.store import is_prefix
from lookup_core import pack, unpack

FIELD_BYTES = 8
EXPIRY_BYTES = 8
NO_EXPIRY = b"\x80" + bytes(7)  # the lowest value, long before any calendar
_PREFIX_BIT = 1 << 62
_EXPIRY = struct.Struct(">q")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


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


def expiry_bytes(moment: datetime.datetime | None) -> bytes:
    """Eight bytes; NO_EXPIRY for None."""
    return _EXPIRY.pack((moment - _EPOCH) // _MICROSECOND) if moment else NO_EXPIRY


def expiry_from(data: bytes) -> datetime.datetime | None:
    """Raises OverflowError for a moment that Python's calendar does not have."""
    if data == NO_EXPIRY:
        return None
    (microseconds,) = _EXPIRY.unpack(data)
    return _EPOCH + datetime.timedelta(microseconds=microseconds)
