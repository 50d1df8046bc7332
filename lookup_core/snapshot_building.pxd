from cpython.array cimport array as c_array
from libc.stdint cimport uint64_t

cdef const uint64_t[::1] as_keys(keys)
cdef c_array number_keys(numbers, str name)
cdef c_array prefix_keys(prefixes, str name)
cdef tuple build_set(c_array keys, uint64_t seed, bint beside)
