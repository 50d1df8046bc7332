from libc.stdint cimport int8_t, uint8_t, uint16_t, uint32_t

cdef enum:
    MAX_KINDS = 10          # fixed line, mobile, toll free and so on
    # Of digit_patterns.
    COLUMNS = 11
    END = 10
    MATCH_LAST_GROUP = 2
    MAX_FORM = 20

# phonenumbers' ValidationResult; what is wrong with an unfit length makes no difference.
cdef enum Length:
    POSSIBLE
    TOO_LONG
    UNFIT

cdef struct Table:
    # A digit_patterns.PatternTable; following == NULL: there is no pattern.
    const uint16_t *following
    const uint8_t *verdict

cdef struct Range:
    # A phonenumbers.PhoneNumberDesc; bit n of lengths: n digits are possible.
    uint32_t lengths
    Table pattern           # whole; none: no number matches

cdef struct Area:
    # The numbers in use in one of the regions that share a calling code.
    Table leading_digits    # at the start; none: the ranges alone decide
    Range numbers
    int kinds
    Range kind[MAX_KINDS]
    Table any_kind          # matches just the numbers in use; none: the ranges have to be asked
    const uint8_t *free_tails   # of any_kind, by state: digit_patterns.free_tails
    const Area *following

cdef struct Plan:
    # The metadata of one region, or of one calling code that is of no country.
    bint usable             # no: some pattern could not be compiled, numbers are declined
    bint transforms         # the national prefix rule rewrites digits when its last group is set
    bint has_prefix         # national numbers are dialled with a national prefix
    bint has_old_forms      # renumberings.csv has rows for what is dialled there
    int calling_code
    int longest             # national number
    uint32_t possible       # bit n: a national number can have n digits
    Table numbers           # whole
    Table national_prefix   # at the start
    Table international_prefix
    Range short_numbers     # the region's; a short number is in both
    Range short_codes
    const Area *areas       # of the calling code; NULL: not loaded

cdef struct OldForm:
    # A row of renumberings.csv about international numbers.
    bint pair               # counts for numbers in use too
    int count               # digits
    uint16_t may[MAX_FORM]  # bit n of the place: digit n may stand there
    int new_count
    int8_t new_digit[MAX_FORM]  # a digit, or -1 - its place in the old form
    int row                 # of renumbering.table(), from 0

cdef struct CallingCodes:
    uint8_t exists[1000]
    const OldForm *old_forms[1000]  # known where there is a plan
    int old_form_count[1000]
    bint has_pairs[1000]
    uint32_t old_lengths[1000]      # bit n: an old form has n digits
    Plan *plan[1000]        # of the main region, which decides what is possible; NULL: not loaded

cdef CallingCodes *calling_codes() noexcept nogil
cdef Plan *plan_of_region(str region) except NULL
cdef int load_calling_code(int code) except -1


cdef inline int match_start(const Table *table, const uint8_t *digits, int count,
                            bint *last_group) noexcept nogil:
    """Where re.match ends, -1 for no match; and whether its last group is set."""
    cdef int end = -1
    cdef int state = 1
    cdef int index = 0
    while state:
        if table.verdict[state]:
            end = min(index, count)
            last_group[0] = table.verdict[state] == MATCH_LAST_GROUP
        if index > count:
            break
        state = table.following[state * COLUMNS + (digits[index] if index < count else END)]
        index += 1
    return end


cdef inline bint match_whole(const Table *table, const uint8_t *digits, int count) noexcept nogil:
    cdef int state = 1
    cdef int index
    if table.following == NULL:
        return False
    for index in range(count):
        state = table.following[state * COLUMNS + digits[index]]
    return table.verdict[state] or table.verdict[table.following[state * COLUMNS + END]]


cdef inline bint has_shape(const Range *range_, const uint8_t *digits, int count) noexcept nogil:
    """Whether the digits are one of the range's numbers with digits too many or too few."""
    cdef int state = 1
    cdef int index, digit
    if range_.pattern.following == NULL:
        return False
    for index in range(count):
        if range_.lengths >> index & 1 and (
            range_.pattern.verdict[state]
            or range_.pattern.verdict[range_.pattern.following[state * COLUMNS + END]]
        ):
            return True
        state = range_.pattern.following[state * COLUMNS + digits[index]]
        if state == 0:
            return False
    if range_.lengths >> count >> 1:
        for digit in range(10):
            if range_.pattern.following[state * COLUMNS + digit]:
                return True
    return False


cdef inline bint in_range(const Range *range_, const uint8_t *digits, int count) noexcept nogil:
    return range_.lengths >> count & 1 and match_whole(&range_.pattern, digits, count)


cdef inline Length length_of(const Plan *plan, int count) noexcept nogil:
    if count > plan.longest:
        return TOO_LONG
    return POSSIBLE if plan.possible >> count & 1 else UNFIT


cdef inline bint in_use(const Area *area, const uint8_t *digits, int count) noexcept nogil:
    cdef int index
    cdef int state = 1
    if area.any_kind.following != NULL:
        for index in range(count):
            if area.free_tails[state]:
                return area.free_tails[state] == 1 + count - index
            state = area.any_kind.following[state * COLUMNS + digits[index]]
        return area.any_kind.verdict[state] or (
            area.any_kind.verdict[area.any_kind.following[state * COLUMNS + END]]
        )
    if in_range(&area.numbers, digits, count):
        for index in range(area.kinds):
            if in_range(&area.kind[index], digits, count):
                return True
    return False


cdef inline int strip_prefix(const Plan *plan, const uint8_t *digits, int count) noexcept nogil:
    """Digits of the national prefix and carrier code at the start, -1 when they are rewritten."""
    cdef bint last_group = False
    cdef int end
    if count == 0 or plan.national_prefix.following == NULL:
        return 0
    end = match_start(&plan.national_prefix, digits, count, &last_group)
    if end < 0:
        return 0
    if last_group and plan.transforms:
        return -1
    if (match_whole(&plan.numbers, digits, count)
            and not match_whole(&plan.numbers, digits + end, count - end)):
        return 0
    return end


cdef inline int strip_if_possible(const Plan *plan, const uint8_t *digits,
                                  int count) noexcept nogil:
    """The same, 0 when too little would be left."""
    cdef int end = strip_prefix(plan, digits, count)
    if end > 0 and length_of(plan, count - end) == UNFIT:
        return 0
    return end
