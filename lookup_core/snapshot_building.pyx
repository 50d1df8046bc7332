"""From numbers and prefixes to the sections of a snapshot file."""

import struct
from array import array

cimport cython
from cpython.array cimport array as c_array
from cpython.array cimport resize, resize_smart
from cpython.buffer cimport PyObject_CheckBuffer
from cpython.long cimport PyLong_AsUnsignedLongLong
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from lookup_core.number_set cimport CS_LINE_BYTES, cs_build, cs_built, cs_built_free, cs_row
from lookup_core.packing cimport (
    KEYS,
    PyUnicode_1BYTE_DATA,
    PyUnicode_IS_ASCII,
    is_number,
    pack_text,
    prefix_chars,
)

_EXPECTED_PREFIX = "'+', 1 to 14 digits of which the first is 1-9, and '*'"
_HEAD = struct.Struct("<QII")


cdef const uint64_t[::1] as_keys(keys):
    """A view of a contiguous buffer of uint64. Raises TypeError."""
    try:
        return keys
    except (ValueError, TypeError, BufferError) as error:
        raise TypeError(f"expected a contiguous buffer of uint64, found {type(keys).__name__}: {error}")


cdef uint64_t number_key(number, str place) except 0:
    """The key of a number, given as canonical text or packed. Raises ValueError, TypeError."""
    cdef uint64_t key
    if isinstance(number, str):
        try:
            return pack_text(number)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
    if not isinstance(number, int):
        raise TypeError(f"{place}: expected str or int, found {type(number).__name__}")
    key = PyLong_AsUnsignedLongLong(number) if 0 <= number < KEYS else 0
    if not is_number(key):
        raise ValueError(f"{place}: expected a packed number, found {hex(number)[:40]}")
    return key


cdef c_array number_keys(numbers, str name):
    """The packed keys of canonical texts or packed keys, or of a buffer of keys; a copy.

    Raises ValueError or TypeError naming the place.
    """
    cdef c_array keys = array("Q")
    cdef const uint64_t[::1] given
    cdef Py_ssize_t count = 0
    cdef uint64_t key
    if isinstance(numbers, str):
        raise TypeError(f"{name}: expected an iterable of numbers, found one str")
    if PyObject_CheckBuffer(numbers):
        given = as_keys(numbers)
        count = given.shape[0]
        for i in range(count):
            if not is_number(given[i]):
                raise ValueError(f"{name}[{i}]: expected a packed number, found {given[i]:#x}")
        if count:
            resize(keys, count)
            memcpy(keys.data.as_ulonglongs, &given[0], count * sizeof(uint64_t))
        return keys
    for number in numbers:
        key = number_key(number, f"{name}[{count}]")
        resize_smart(keys, count + 1)
        keys.data.as_ulonglongs[count] = key
        count += 1
    return keys


cdef c_array prefix_keys(prefixes, str name):
    """The values of the prefixes' digits. Raises ValueError or TypeError naming the place."""
    cdef c_array keys = array("Q")
    cdef uint64_t key
    if isinstance(prefixes, str):
        raise TypeError(f"{name}: expected an iterable of prefixes, found one str")
    for i, prefix in enumerate(prefixes):
        if not isinstance(prefix, str):
            raise TypeError(f"{name}[{i}]: expected str, found {type(prefix).__name__}")
        key = 0
        if PyUnicode_IS_ASCII(prefix):
            key = prefix_chars(<const char *> PyUnicode_1BYTE_DATA(prefix), len(prefix))
        if key == 0:
            raise ValueError(f"{name}[{i}]: expected {_EXPECTED_PREFIX}, found {prefix[:40]!r}")
        keys.append(key)
    return keys


cdef tuple build_set(c_array keys, uint64_t seed, bint beside):
    """The set's count, structure and lines (buffers). `keys` is used up. Raises MemoryError.

    beside: lookups ask it beside another set, so it is made fast rather than small.
    """
    cdef cs_built built
    cdef uint64_t *values = <uint64_t *> keys.data.as_ulonglongs
    cdef size_t count = len(keys)
    cdef int result
    cdef cython.view.array lines
    with nogil:
        result = cs_build(&built, values, count, seed, beside)
    try:
        if result != 0:
            raise MemoryError(f"a set of {count} numbers")
        structure = _HEAD.pack(built.number_count, built.row_count, built.digit_lengths)
        structure += (<const char *> built.rows)[: built.row_count * sizeof(cs_row)]
        if built.line_count == 0:
            return built.number_count, structure, b""
        lines = <uint8_t[: built.line_count * CS_LINE_BYTES]> built.lines
        lines.callback_free_data = free
        built.lines = NULL
        return built.number_count, structure, memoryview(lines)
    finally:
        cs_built_free(&built)
