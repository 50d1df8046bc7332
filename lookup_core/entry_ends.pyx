"""Making the rows of entry_ends.pxd."""

import struct
from array import array

from cpython.array cimport array as c_array
from cpython.array cimport resize_smart
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport qsort

from lookup_core.packing cimport PREFIX_BIT, is_entry, pack_entry_text

_HEAD = struct.Struct("<Qq")
# Python's calendar ends with the year 9999.
_MOST = 2**62


cdef c_array end_rows(ends, str name):
    """Sorted rows of pairs of an entry, as canonical text or packed, and its end. Raises ValueError
    or TypeError naming the place.
    """
    cdef c_array rows = array("Q")
    cdef Py_ssize_t count = 0
    cdef uint64_t key
    cdef int64_t end
    for entry, moment in ends:
        if isinstance(entry, str):
            try:
                key = pack_entry_text(entry)
            except ValueError as error:
                raise ValueError(f"{name}[{count}]: {error}") from None
        else:
            key = entry if 0 <= entry < 2**63 else 0
            if not is_entry(key):
                raise ValueError(f"{name}[{count}]: expected a packed entry, found {hex(entry)[:40]}")
        if not -_MOST < moment < _MOST:
            raise ValueError(f"{name}[{count}]: expected microseconds since 1970, found {moment}")
        end = moment
        resize_smart(rows, 2 * (count + 1))
        rows.data.as_ulonglongs[2 * count] = key
        rows.data.as_ulonglongs[2 * count + 1] = <uint64_t> end
        count += 1
    sorted_rows(rows)
    cdef EndRow *sorted_ = <EndRow *> rows.data.as_ulonglongs
    cdef Py_ssize_t i
    for i in range(1, count):
        if sorted_[i].entry == sorted_[i - 1].entry:
            raise ValueError(f"{name}: expected one end for each entry, found two")
    return rows


cdef c_array sorted_rows(c_array rows):
    """The same rows, by entry."""
    if len(rows):
        qsort(rows.data.as_ulonglongs, len(rows) // 2, sizeof(EndRow), _by_entry)
    return rows


cdef bytes ends_head(c_array rows, int64_t first):
    """The section that says how many rows there are and when the first entry ends."""
    return _HEAD.pack(len(rows) // 2, first)


cdef int _by_entry(const void *one, const void *other) noexcept nogil:
    cdef uint64_t left = (<const EndRow *> one).entry
    cdef uint64_t right = (<const EndRow *> other).entry
    return (left > right) - (left < right)
