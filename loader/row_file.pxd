from libc.stdint cimport int64_t

from loader.plain_rows cimport Text

cdef class RowFile:
    cdef int _descriptor
    cdef char *_buffer
    cdef Py_ssize_t _used
    cdef int64_t _flushed
    cdef readonly int64_t rows
    cdef char *_window
    cdef int64_t _window_at
    cdef Py_ssize_t _window_size
    cdef bytes _long

    cdef int _write(self, const char *text, Py_ssize_t size) except -1
    cdef int64_t append_text(self, const char *text, Py_ssize_t size) except -1
    cdef Text line(self, int64_t offset, Py_ssize_t *taken) except *
    cdef int _read_long(self, int64_t offset) except -1
