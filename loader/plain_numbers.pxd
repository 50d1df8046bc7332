from libc.stdint cimport uint8_t

from loader.numbering_plans cimport Plan

cdef enum:
    DECLINED_ = 0
    NEEDS_CODE = -1

cdef struct PlainNumber:
    int how             # which rule of numbers.py read it, DECLINED_ or NEEDS_CODE
    int length
    char text[16]       # canonical text, not terminated
    int missing_code    # NEEDS_CODE: give it to numbering_plans.load_calling_code and read again

cdef class RegionReader:
    cdef const Plan *plan   # NULL: no region is known

    cdef void read(self, const uint8_t *text, Py_ssize_t size, PlainNumber *out) noexcept nogil

cpdef RegionReader reader_for(str region)
