# cython: boundscheck=False, wraparound=False
"""The lines of a header block, read in one pass that builds objects only for what is wanted.

FreeSWITCH describes a leg in some 180 headers, of which a decision needs about 20.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp

from esl_service.errors import RemoteProtocolError

cdef enum:
    LONGEST_NAME = 63


cdef extern from "string.h":
    void *memmem(const void *haystack, size_t size, const void *needle, size_t length) nogil


cdef class Wanted:
    """The names of the headers that are wanted."""

    # The names of each length, so that a line is compared with few of them.
    cdef list _by_length
    cdef unsigned char _lengths[LONGEST_NAME + 1]

    def __init__(self, names):
        """names: as on the wire, 1 to 63 bytes each. Raises ValueError for others."""
        cdef Py_ssize_t length
        self._by_length = [[] for _ in range(LONGEST_NAME + 1)]
        for name in names:
            length = len(name)
            if not 0 < length <= LONGEST_NAME:
                raise ValueError(f"expected a name of 1 to {LONGEST_NAME} bytes, got {name!r}")
            self._by_length[length].append(bytes(name))
        for length in range(LONGEST_NAME + 1):
            self._lengths[length] = len(self._by_length[length])

    cdef bytes find(self, const char *name, Py_ssize_t length):
        """The wanted name that these bytes are, None if they are none."""
        cdef bytes wanted
        if length <= 0 or length > LONGEST_NAME or not self._lengths[length]:
            return None
        for wanted in <list>self._by_length[length]:
            if memcmp(PyBytes_AS_STRING(wanted), name, length) == 0:
                return wanted
        return None


def find_end(bytearray buffer not None, Py_ssize_t start):
    """Where the first header block ends, searched from `start`; -1 where it is not complete."""
    cdef const char *first = PyByteArray_AS_STRING(buffer)
    cdef Py_ssize_t size = PyByteArray_GET_SIZE(buffer)
    cdef const char *found
    if not 0 <= start < size:
        return -1
    # bytearray.find takes ten times as long.
    found = <const char *>memmem(first + start, size - start, b"\n\n", 2)
    return -1 if found == NULL else found - first


def read_headers(bytearray buffer not None, Py_ssize_t size, Py_ssize_t most, Wanted wanted=None):
    """The headers in the first `size` bytes of `buffer`: names to values, neither decoded.

    The first header of a name wins. wanted: only these; every line is checked nevertheless.
    Raises RemoteProtocolError for more than `most` lines and for a line that is no header.
    """
    cdef dict headers = {}
    cdef const char *line = PyByteArray_AS_STRING(buffer)
    cdef const char *end
    cdef const char *line_end
    cdef const char *colon
    cdef Py_ssize_t lines = 0
    cdef bytes name
    if size < 0 or size > PyByteArray_GET_SIZE(buffer):
        raise ValueError(f"expected a size within the buffer, got {size}")
    end = line + size
    while True:
        lines += 1
        if lines > most:
            raise RemoteProtocolError(f"a header block of more than {most} lines")
        line_end = <const char *>memchr(line, c"\n", end - line)
        if line_end == NULL:
            line_end = end
        colon = <const char *>memchr(line, c":", line_end - line)
        if colon == NULL:
            raise RemoteProtocolError(
                f"expected 'Name: value', got {line[:min(line_end - line, 60)]!r}"
            )
        if wanted is None:
            name = PyBytes_FromStringAndSize(line, colon - line)
        else:
            name = wanted.find(line, colon - line)
        if name is not None and name not in headers:
            colon += 1
            if colon < line_end and colon[0] == c" ":
                colon += 1
            headers[name] = PyBytes_FromStringAndSize(colon, line_end - colon)
        if line_end == end:
            return headers
        line = line_end + 1


def decode_value(bytes value not None):
    """Text of a percent-encoded value; what is not UTF-8 is replaced, a plus stays a plus.

    FreeSWITCH's `_undef_` is the empty text.
    """
    cdef const char *source = PyBytes_AS_STRING(value)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
    cdef Py_ssize_t position
    cdef int high, low
    cdef bytearray decoded
    if size == 7 and memcmp(source, b"_undef_", 7) == 0:
        return ""
    if memchr(source, c"%", size) == NULL:
        return value.decode("utf-8", "replace")
    decoded = bytearray()
    position = 0
    while position < size:
        if source[position] == c"%" and position + 2 < size:
            high = _digit(source[position + 1])
            low = _digit(source[position + 2])
            if high >= 0 and low >= 0:
                decoded.append(high << 4 | low)
                position += 3
                continue
        decoded.append(<unsigned char>source[position])
        position += 1
    return decoded.decode("utf-8", "replace")


cdef inline int _digit(char character) noexcept:
    if c"0" <= character <= c"9":
        return character - c"0"
    if c"a" <= character <= c"f":
        return character - c"a" + 10
    if c"A" <= character <= c"F":
        return character - c"A" + 10
    return -1
