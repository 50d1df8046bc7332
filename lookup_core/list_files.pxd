"""A list as its files have it, a snapshot and perhaps a delta over it: what is asked of one.

The functions are inline and work without the GIL. `now` is in microseconds since 1970, or UNASKED:
then the clock is asked when the answer depends on it, and `now` is what it said.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from lookup_core.entry_ends cimport NEVER, UNASKED, EndRow, Ends, clock_microseconds, row_of
from lookup_core.number_set cimport cs_set, cs_set_has, cs_set_has_many
from lookup_core.packing cimport PREFIX_BIT, is_e164


cdef struct Sets:
    # The sets of a snapshot. What is in `changed` is in the list when it is not in `numbers`, and
    # the other way round; without a delta all `changed` are NULL. `lengths`: of all prefixes.
    # What `changed_ends` has goes before `ends`. `first_end`: of the list as it is.
    const cs_set *numbers
    const cs_set *prefixes
    const cs_set *changed
    const cs_set *changed_prefixes
    uint32_t lengths
    const Ends *ends
    const Ends *changed_ends
    int64_t first_end


cdef inline bint has_number(const Sets *sets, uint64_t key) noexcept nogil:
    if sets.changed is NULL:
        return cs_set_has(sets.numbers, key)
    # The delta, which is in the cache, goes first: what is asked after a line that comes from memory
    # is asked twice, as the processor guesses wrong half of the time what that line has.
    cdef bint changed = cs_set_has(sets.changed, key)
    return cs_set_has(sets.numbers, key) != changed


cdef inline bint has_prefix(const Sets *sets, uint64_t key) noexcept nogil:
    if sets.changed_prefixes is NULL:
        return cs_set_has(sets.prefixes, key)
    return cs_set_has(sets.prefixes, key) != cs_set_has(sets.changed_prefixes, key)


cdef inline int64_t end_of(const Sets *sets, uint64_t entry) noexcept nogil:
    """When an entry of the list ends, or NEVER."""
    cdef const EndRow *row = NULL
    if sets.changed_ends is not NULL:
        row = row_of(sets.changed_ends, entry)
    if row is NULL:
        row = row_of(sets.ends, entry)
    return NEVER if row is NULL else row.end


cdef inline bint has_entry(const Sets *sets, uint64_t entry) noexcept nogil:
    if entry & PREFIX_BIT:
        return has_prefix(sets, entry ^ PREFIX_BIT)
    return has_number(sets, entry)


cdef inline bint has_ended(const Sets *sets, uint64_t entry, int64_t *now) noexcept nogil:
    """Whether an entry of the list has ended. now: UNASKED for the clock's, which is then there."""
    if sets.first_end == NEVER:
        return False
    if now[0] == UNASKED:
        now[0] = clock_microseconds()
    return sets.first_end < now[0] and end_of(sets, entry) < now[0]


cdef inline bint counts(const Sets *sets, uint64_t key, int64_t *now) noexcept nogil:
    """Whether the list has this very number, and it has not ended."""
    return has_number(sets, key) and not has_ended(sets, key, now)


cdef inline uint64_t longest_prefix(const Sets *sets, uint64_t key, int64_t *now) noexcept nogil:
    """The longest prefix that the number is under and that has not ended, as the value of its
    digits; 0 for none.
    """
    cdef uint64_t rest = key
    cdef int digits = 0
    if sets.lengths == 0 or not is_e164(key):
        return 0
    while rest:
        digits += 1
        rest //= 10
    while digits:
        if sets.lengths >> digits & 1 and has_prefix(sets, key):
            if not has_ended(sets, key | PREFIX_BIT, now):
                return key
        key //= 10
        digits -= 1
    return 0


cdef inline bint has(const Sets *sets, uint64_t key, int64_t *now) noexcept nogil:
    return counts(sets, key, now) or longest_prefix(sets, key, now) != 0


cdef inline void has_many(
    const Sets *sets, const uint64_t *keys, Py_ssize_t count, uint8_t *answers, int64_t now
) noexcept nogil:
    cdef Py_ssize_t i
    cs_set_has_many(sets.numbers, sets.changed, keys, count, answers)
    if sets.first_end != NEVER:
        for i in range(count):
            if answers[i]:
                answers[i] = not has_ended(sets, keys[i], &now)
    if sets.lengths:
        for i in range(count):
            if not answers[i]:
                answers[i] = longest_prefix(sets, keys[i], &now) != 0
