from cpython.array cimport array as c_array
from libc.stdint cimport int64_t, uint64_t

from lookup_core.number_set cimport cs_set
from lookup_core.snapshot_file cimport SnapshotFile

cdef set changed_keys(set changed, const cs_set *base, c_array add, c_array remove)
cdef int write_delta(
    path,
    SnapshotFile base,
    set changed,
    set changed_prefixes,
    dict changed_ends,
    dict addresses,
    uint64_t seed,
) except -1
cdef int write(
    path,
    c_array keys,
    c_array prefixes,
    c_array rows,
    int64_t first_end,
    bytes addresses,
    uint64_t seed,
    base_identity=*,
    count=*,
) except -1
