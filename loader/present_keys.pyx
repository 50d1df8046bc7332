"""Packed numbers read anew: a list that was filled by an older reading has some in old forms."""

cimport cython
from libc.stdint cimport uint8_t, uint64_t

from loader.numbering_plans cimport load_calling_code
from loader.plain_numbers cimport DECLINED_, NEEDS_CODE, PlainNumber, RegionReader, reader_for
from lookup_core.packing cimport MAX_TEXT, is_e164, pack_chars, pack_text, unpack_chars, unpack_key


@cython.boundscheck(False)
@cython.wraparound(False)
def read_keys_anew(keys, present_form) -> int:
    """Put the present form of each number in its place; how many were in another.

    keys: a contiguous writable buffer of packed numbers. present_form: of canonical text, for what
    plain_numbers does not cover.
    """
    cdef uint64_t[::1] given = keys
    cdef RegionReader reader = reader_for(None)
    cdef PlainNumber number
    cdef uint64_t key = 0
    cdef char text[MAX_TEXT]
    cdef Py_ssize_t at, length
    cdef Py_ssize_t changed = 0
    with nogil:
        for at in range(given.shape[0]):
            if not is_e164(given[at]):
                continue
            length = unpack_chars(given[at], text)
            reader.read(<const uint8_t *> text, length, &number, True)
            if number.how == NEEDS_CODE or number.how == DECLINED_:
                with gil:
                    while number.how == NEEDS_CODE:
                        load_calling_code(number.missing_code)
                        reader.read(<const uint8_t *> text, length, &number, True)
                    if number.how == DECLINED_:
                        key = pack_text(present_form(unpack_key(given[at])))
            if number.how != DECLINED_:
                # What is no full number stays as it is.
                key = pack_chars(number.text, number.length)
                if not is_e164(key):
                    continue
            if key != given[at]:
                given[at] = key
                changed += 1
    return changed
