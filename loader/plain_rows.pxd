from libc.stdint cimport int64_t, uint64_t, uint8_t

from loader.plain_numbers cimport PlainNumber, RegionReader

cdef enum:
    MAX_CELLS = 64

# Of PlainRow.expires; not in an enum, as its values need 64 bits.
cdef extern from *:
    """
    #define CALLSIEVE_NEVER INT64_MAX
    """
    const int64_t NEVER "CALLSIEVE_NEVER"

cdef struct Text:
    const char *start
    Py_ssize_t size

cdef struct PlainRow:
    uint64_t key            # lookup_core.packing's
    PlainNumber number
    Text date               # blank or an ISO day
    Text description
    Text expires            # blank or YYYY-MM-DDTHH:MM:SSZ
    int64_t expires_at      # seconds since 1970, NEVER when blank

cdef struct Walk:           # through the rows of a buffer
    const char *text
    Py_ssize_t end
    Py_ssize_t at           # the row that was read last
    Py_ssize_t taken        # its size with its line end; 0 before there is one
    int lines               # before it

cdef class PlainReader:
    cdef readonly bytes delimiter
    cdef readonly int width
    cdef char _delimiter
    cdef int _columns[4]
    cdef uint8_t _special[256]
    cdef RegionReader _region
    cdef bint _full_only, _valid_only
    cdef dict _days
    cdef bint _stored

    cdef bint read(self, const char *line, Py_ssize_t size, PlainRow *row) except -1
    cdef bint next(self, Walk *walk, PlainRow *row) except -1
    cdef bint _read_number(self, Text cell, PlainRow *row) except -1
    cdef bint _read_date(self, Text cell, PlainRow *row) except -1

cdef Walk walk_from(bytes buffer, Py_ssize_t at) noexcept
cdef Py_ssize_t line_size(const char *text, Py_ssize_t size, Py_ssize_t *taken) noexcept nogil
