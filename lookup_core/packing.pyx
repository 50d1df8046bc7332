"""Canonical number text <-> packed 64-bit key. packing.pxd has the forms and the code."""

from cpython.long cimport PyLong_AsUnsignedLongLong
from cpython.unicode cimport PyUnicode_DecodeLatin1
from libc.stdint cimport uint64_t

EXPECTED_NUMBER = (
    "'+' and 2 to 15 digits of which the first is 1-9, or 1 to 15 of 0-9*#, or 'anonymous',"
    " or 'no-number'"
)


cdef uint64_t pack_text(str text) except 0:
    """pack() for other extension modules."""
    cdef uint64_t key = text_key(text)
    if key == NO_NUMBER:
        raise ValueError(f"expected {EXPECTED_NUMBER}, found {text[:40]!r}")
    return key


cdef uint64_t pack_entry_text(str text) except 0:
    """pack_entry() for other extension modules."""
    cdef uint64_t key = 0
    if PyUnicode_IS_ASCII(text):
        key = prefix_chars(<const char *> PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text))
    return key | PREFIX_BIT if key else pack_text(text)


cdef str unpack_entry_key(uint64_t key):
    """unpack_entry() for other extension modules; None for a key that no text packs to."""
    if not is_entry(key):
        return None
    return f"+{key ^ PREFIX_BIT}*" if key & PREFIX_BIT else unpack_key(key)


cdef str unpack_key(uint64_t key):
    """unpack() for other extension modules; None for a key that no text packs to."""
    cdef char text[MAX_TEXT]
    cdef Py_ssize_t length = unpack_chars(key, text)
    return PyUnicode_DecodeLatin1(text, length, NULL) if length else None


def pack(str text not None) -> int:
    """The packed 64-bit key of a canonical number text: "+48600100200", "*30", "anonymous" or
    "no-number".

    Raises ValueError for any other text.
    """
    return pack_text(text)


def unpack(key) -> str:
    """The canonical text of a packed key. Raises ValueError for a key that no text packs to."""
    return given_text(key, False)


def pack_entry(str text not None) -> int:
    """The packed 63-bit key of a canonical number or of a prefix such as "+48700*".

    Raises ValueError for any other text.
    """
    return pack_entry_text(text)


def unpack_entry(key) -> str:
    """The canonical text of a packed entry. Raises ValueError for a key that no text packs to."""
    return given_text(key, True)


cdef str given_text(key, bint may_be_prefix):
    if not isinstance(key, int):
        raise TypeError(f"expected int, found {type(key).__name__}")
    text = None
    cdef uint64_t packed
    if 0 <= key < 2 * PREFIX_BIT:
        packed = PyLong_AsUnsignedLongLong(key)
        text = unpack_entry_key(packed) if may_be_prefix else unpack_key(packed)
    if text is None:
        # Hexadecimal: str() of an int of more than 4300 digits is itself an error.
        what = "an entry" if may_be_prefix else "a number"
        raise ValueError(f"expected the packed key of {what}, found {hex(key)[:40]}")
    return text
