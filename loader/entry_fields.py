"""An entry and its expiry in eight bytes each: in Redis, and for changes of what is published.

A field is the packed entry, big-endian. An expiry is the microseconds since 1970, signed.
"""

import datetime
import struct

from loader.store import BadValueError, quoted
from lookup_core import is_address, pack_entry, unpack_entry

FIELD_BYTES = 8
EXPIRY_BYTES = 8
NO_EXPIRY = b"\x80" + bytes(7)  # the lowest value, long before any calendar
_EXPIRY = struct.Struct(">q")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


class BadRecordError(ValueError):
    """A field or value in Redis that Callsieve did not write. The text says what was expected."""


def field_of(number: str) -> bytes:
    """The field of a canonical number, prefix or "anonymous". Raises BadValueError for a SIP
    address, which has none.
    """
    refuse_address(number)
    return pack_entry(number).to_bytes(FIELD_BYTES, "big")


def refuse_address(number: str) -> None:
    """Raises BadValueError for a SIP address."""
    if is_address(number):
        raise BadValueError(
            f"SIP addresses: not yet in a Redis store: expected a number, found {quoted(number)}"
        )


def number_of(field: bytes) -> str:
    """Raises BadRecordError."""
    if len(field) != FIELD_BYTES:
        raise BadRecordError(f"expected a field of {FIELD_BYTES} bytes, found {len(field)}")
    try:
        return unpack_entry(int.from_bytes(field, "big"))
    except ValueError as error:
        raise BadRecordError(str(error)) from None


def expiry_bytes(moment: datetime.datetime | None) -> bytes:
    """Eight bytes; NO_EXPIRY for None."""
    return _EXPIRY.pack(microseconds(moment)) if moment else NO_EXPIRY


def expiry_from(data: bytes) -> datetime.datetime | None:
    """Raises OverflowError for a moment that Python's calendar does not have."""
    return None if data == NO_EXPIRY else moment_of(*_EXPIRY.unpack(data))


def microseconds(moment: datetime.datetime) -> int:
    """Since 1970, as what is published has it. moment: aware."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(microseconds_: int) -> datetime.datetime:
    """Raises OverflowError for a moment that Python's calendar does not have."""
    return _EPOCH + datetime.timedelta(microseconds=microseconds_)


def longer(one: bytes, other: bytes) -> bytes:
    """The later of two expiries."""
    return NO_EXPIRY if NO_EXPIRY in (one, other) else max(one, other, key=_EXPIRY.unpack)


def end_of(field: bytes, expiry: bytes) -> tuple[int, int]:
    """The packed entry and its end in microseconds since 1970."""
    return int.from_bytes(field, "big"), int.from_bytes(expiry, "big", signed=True)
