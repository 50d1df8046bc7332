"""When entries end: rows of an entry and its end, ascending by entry, as they are in a snapshot file.

An entry is the packed key of a number, or the value of a prefix's digits with PREFIX_BIT. An end is
in microseconds since 1970; NEVER in a delta takes away the end that the base file has. An entry has
ended when its end is before now.
"""

from cpython.array cimport array as c_array
from libc.stdint cimport int64_t, uint64_t
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

cdef extern from *:
    """
    #define CALLSIEVE_NEVER INT64_MAX
    #define CALLSIEVE_UNASKED INT64_MIN
    """
    const int64_t NEVER "CALLSIEVE_NEVER"
    const int64_t UNASKED "CALLSIEVE_UNASKED"  # of a clock


cdef struct EndRow:
    uint64_t entry
    int64_t end


cdef struct Ends:
    # first: the earliest end of an entry that is in the list, of a delta with its changes; or NEVER.
    const EndRow *rows
    uint64_t count
    int64_t first


cdef inline const EndRow *row_of(const Ends *ends, uint64_t entry) noexcept nogil:
    """The entry's row, NULL when it has none. Stays inside, whatever the order of the rows."""
    # Without branches it takes longer: the processor then cannot fetch the next row before it has
    # compared this one.
    cdef uint64_t low = 0
    cdef uint64_t high = ends.count
    cdef uint64_t middle
    while low < high:
        middle = low + (high - low) // 2
        if ends.rows[middle].entry < entry:
            low = middle + 1
        else:
            high = middle
    if low < ends.count and ends.rows[low].entry == entry:
        return &ends.rows[low]
    return NULL


cdef inline int64_t clock_microseconds() noexcept nogil:
    """Since 1970, by the system's clock."""
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)
    return <int64_t> now.tv_sec * 1_000_000 + now.tv_nsec // 1000


cdef c_array end_rows(ends, str name)
cdef c_array sorted_rows(c_array rows)
cdef bytes ends_head(c_array rows, int64_t first)
