from libc.stdint cimport uint64_t

cdef struct Slot:
    uint64_t key        # 0: empty
    uint64_t value

cdef class KeyTable:
    cdef Slot *slots
    cdef uint64_t mask
    cdef uint64_t used
    cdef int shift
    cdef bint has_prefixes

    cdef uint64_t *find(self, uint64_t key) noexcept nogil
    cdef bint covering(self, uint64_t key) noexcept nogil
    cdef uint64_t *place(self, uint64_t key) except NULL
    cdef int grow(self) except -1

cdef uint64_t entry_key(const char *text, Py_ssize_t length) except? 0 nogil
