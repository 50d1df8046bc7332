"""number_set.h and number_set_build.h, where the explanations are."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef extern from "number_set.h" nogil:
    enum:
        CS_LINE_BYTES

    ctypedef struct cs_set:
        uint64_t number_count
        uint32_t table_count
        uint32_t digit_lengths

    ctypedef struct cs_problem:
        const char *field
        long row
        uint64_t least
        uint64_t most
        uint64_t found

    int cs_set_open(
        cs_set *set,
        const uint8_t *structure,
        uint64_t structure_bytes,
        const uint8_t *lines,
        uint64_t line_bytes,
        cs_problem *problem,
    )
    void cs_set_close(cs_set *set)
    bint cs_set_has(const cs_set *set, uint64_t key)
    void cs_set_has_many(
        const cs_set *set,
        const cs_set *changed,
        const uint64_t *keys,
        size_t count,
        uint8_t *answers,
    )
    uint64_t cs_set_slots(const cs_set *set)
    int cs_set_slot(const cs_set *set, uint64_t index, uint64_t *key)


cdef extern from "number_set_build.h" nogil:
    ctypedef struct cs_row:  # as it stands in the file
        pass

    ctypedef struct cs_built:
        cs_row *rows
        uint8_t *lines
        uint64_t line_count
        uint64_t number_count
        uint32_t row_count
        uint32_t digit_lengths

    int cs_build(cs_built *built, uint64_t *keys, size_t count, uint64_t seed, bint beside)
    void cs_built_free(cs_built *built)
