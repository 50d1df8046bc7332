cimport cython
from libc.stdint cimport uint64_t

from lookup_core.entry_ends cimport Ends
from lookup_core.number_set cimport cs_set


@cython.final
cdef class SnapshotFile:
    cdef object path, data, layout
    cdef object addresses  # AddressRows; None in a delta that leaves the snapshot's as they are
    cdef cs_set numbers, prefixes
    cdef Ends ends

    cdef int open(self, path) except -1
    cdef int _open_set(self, cs_set *opened, int index) except -1
    cdef int _open_ends(self, int index) except -1
    cdef int _open_addresses(self, int index) except -1
    cdef int verify(self) except -1
    cdef set keys(self, const cs_set *of)
    cdef int slot(self, const cs_set *of, uint64_t index, uint64_t *key) except -1
