"""Rows in a file that is written by appending, and read again before all of it is written."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from posix.unistd cimport pread, write

from loader.plain_rows cimport Text, line_size

cdef extern from "Python.h":
    object PyErr_SetFromErrno(object)

cdef enum:
    BUFFER = 1 << 20
    WINDOW = 1 << 13


cdef class RowFile:
    """Rows in a file that is written from its start by append() alone, or only read.

    descriptor: stays the caller's. rows: appended so far. Rows can be read before they are flushed.
    """

    def __cinit__(self, int descriptor):
        self._descriptor = descriptor
        self._buffer = <char *> malloc(BUFFER)
        self._window = <char *> malloc(WINDOW)
        if self._buffer == NULL or self._window == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self._buffer)
        free(self._window)

    @property
    def size(self) -> int:
        """Bytes appended."""
        return self._flushed + self._used

    def append(self, bytes row not None) -> int:
        """Add a row with its line end; where it is. Raises OSError."""
        return self.append_text(PyBytes_AS_STRING(row), PyBytes_GET_SIZE(row))

    def line_at(self, int64_t offset) -> bytes:
        """The row at `offset` without its line end. Raises OSError."""
        cdef Py_ssize_t taken
        cdef Text line = self.line(offset, &taken)
        return line.start[:line.size]

    def flush(self) -> None:
        """Give everything to the system. Raises OSError."""
        self._write(self._buffer, self._used)
        self._flushed += self._used
        self._used = 0

    cdef int _write(self, const char *text, Py_ssize_t size) except -1:
        cdef Py_ssize_t done = 0
        cdef Py_ssize_t count
        while done < size:
            count = write(self._descriptor, text + done, size - done)
            if count < 0:
                if errno == EINTR:
                    continue
                PyErr_SetFromErrno(OSError)
            done += count
        return 0

    cdef int64_t append_text(self, const char *text, Py_ssize_t size) except -1:
        cdef int64_t offset
        self.rows += 1
        if self._used + size > BUFFER:
            self.flush()
        offset = self._flushed + self._used
        if size > BUFFER:
            self._write(text, size)
            self._flushed += size
        else:
            memcpy(self._buffer + self._used, text, size)
            self._used += size
        return offset

    cdef Text line(self, int64_t offset, Py_ssize_t *taken) except *:
        """The row at `offset`; valid until the next call. taken: its size with the line end."""
        cdef Text line
        if offset >= self._flushed and self._used:
            line.start = self._buffer + (offset - self._flushed)
            line.size = line_size(
                line.start, self._used - (offset - self._flushed), taken
            )
            return line
        if self._window_at <= offset < self._window_at + self._window_size:
            line.start = self._window + (offset - self._window_at)
            line.size = line_size(
                line.start, self._window_size - (offset - self._window_at), taken
            )
            if line.size >= 0:
                return line
        self._window_at = offset
        self._window_size = pread(self._descriptor, self._window, WINDOW, offset)
        if self._window_size < 0:
            self._window_size = 0
            PyErr_SetFromErrno(OSError)
        line.start = self._window
        line.size = line_size(line.start, self._window_size, taken)
        if line.size < 0:
            self._read_long(offset)
            line.start = PyBytes_AS_STRING(self._long)
            line.size = line_size(line.start, PyBytes_GET_SIZE(self._long), taken)
            if line.size < 0:  # the last line of the file, without an end
                line.size = taken[0] = PyBytes_GET_SIZE(self._long)
        return line

    cdef int _read_long(self, int64_t offset) except -1:
        cdef char *text = <char *> malloc(BUFFER)
        cdef Py_ssize_t size
        if text == NULL:
            raise MemoryError
        try:
            size = pread(self._descriptor, text, BUFFER, offset)
            if size < 0:
                PyErr_SetFromErrno(OSError)
            self._long = PyBytes_FromStringAndSize(text, size)
        finally:
            free(text)
        return 0
