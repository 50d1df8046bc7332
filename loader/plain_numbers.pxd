from libc.stdint cimport uint8_t

from loader.numbering_plans cimport Plan

cdef enum:
    DECLINED_ = 0
    NEEDS_CODE = -1

# How a number was read; number_rules.py has the sentences.
cdef enum:
    INTERNATIONAL_ = 1
    UNKNOWN_RANGE_
    DIALLING_PREFIX_
    ZERO_ZERO_
    WITHOUT_PLUS_
    OWN_CODE_
    NATIONAL_
    SHORT_
    NOT_FULL_

# Of an E.164 number, as number_rules.Tier; NO_TIER of all others.
cdef enum:
    NO_TIER
    VALID_
    POSSIBLE_
    IMPOSSIBLE_

cdef struct PlainNumber:
    int how             # which rule of numbers.py read it, DECLINED_ or NEEDS_CODE
    int tier
    int old_form        # 1 + the row of renumberings.csv that it was read by, 0 for none
    bint divided        # the text may be a range: number_spelling.Spelling
    int length
    char text[16]       # canonical text, not terminated
    int missing_code    # NEEDS_CODE: give it to numbering_plans.load_calling_code and read again

cdef class RegionReader:
    cdef const Plan *plan   # NULL: no region is known

    cdef void read(self, const uint8_t *text, Py_ssize_t size, PlainNumber *out,
                   bint stored=*) noexcept nogil

cpdef RegionReader reader_for(str region)
