# Digits behind a + as phonenumbers settles them: their calling code, whether the number is possible
# and in use, and what renumberings.csv says of it. A part of plain_numbers, which inlines it.

cdef enum Answer:
    REFUSED             # phonenumbers refuses it: the next rule is asked
    ACCEPTED
    UNCERTAIN           # not covered here
    CODE_MISSING        # the tables of out.missing_code are not loaded

cdef struct Digits:
    int count
    int how
    int code            # the calling code at the start
    int code_digits     # of it
    bint possible       # phonenumbers calls it so; its code is found and its plan loaded
    bint valid          # and it was found to be in use
    uint8_t digit[BUFFER]

cdef CallingCodes *codes = calling_codes()


cdef inline int read_code(const uint8_t *digits, int count) noexcept nogil:
    cdef int code = 0
    cdef int index
    for index in range(count):
        code = code * 10 + digits[index]
    return code


cdef inline int write_code(int code, uint8_t *digits) noexcept nogil:
    """Write a calling code as digits; how many they are."""
    cdef int count = 1 if code < 10 else 2 if code < 100 else 3
    cdef int index
    for index in range(count - 1, -1, -1):
        digits[index] = code % 10
        code //= 10
    return count


cdef inline int find_code(const uint8_t *digits, int count) noexcept nogil:
    """How many digits the calling code at the start has, 0 when there is none."""
    cdef int length
    if count and digits[0] == 0:
        return 0
    for length in range(1, min(count, 3) + 1):
        if codes.exists[read_code(digits, length)]:
            return length
    return 0


cdef inline void take(Digits *number, const uint8_t *digits, int count, int how) noexcept nogil:
    memcpy(number.digit, digits, count)
    number.count = count
    number.how = how
    number.possible = False
    number.valid = False


cdef inline Answer is_valid(Digits *number, PlainNumber *out) noexcept nogil:
    """phonenumbers.is_valid_number of a possible number; others are not valid."""
    cdef Answer answer
    if number.valid:
        return ACCEPTED
    answer = find_in_use(number, out)
    number.valid = answer == ACCEPTED
    return answer


cdef Answer find_in_use(const Digits *number, PlainNumber *out) noexcept nogil:
    cdef const uint8_t *national = number.digit + number.code_digits
    cdef int count = number.count - number.code_digits
    cdef const Plan *plan
    cdef const Area *area
    cdef bint last_group = False
    if not number.possible:
        return REFUSED
    out.missing_code = number.code
    plan = codes.plan[number.code]
    if not plan.usable:
        return UNCERTAIN
    area = plan.areas
    if area == NULL:
        return CODE_MISSING
    while area != NULL:
        if area.leading_digits.following == NULL:
            if in_use(area, national, count):
                return ACCEPTED
        elif match_start(&area.leading_digits, national, count, &last_group) >= 0:
            return ACCEPTED if in_use(area, national, count) else REFUSED
        area = area.following
    return REFUSED


cdef Answer settle(Digits *number, PlainNumber *out) noexcept nogil:
    """Read the digits behind a +, again and again until reading them changes nothing."""
    cdef int national, drop
    cdef const Plan *plan
    while True:
        if number.count <= MIN_NATIONAL:
            return REFUSED
        number.code_digits = find_code(number.digit, number.count)
        if number.code_digits == 0:
            return REFUSED
        number.code = read_code(number.digit, number.code_digits)
        out.missing_code = number.code
        plan = codes.plan[number.code]
        if plan == NULL:
            return CODE_MISSING
        if not plan.usable:
            return UNCERTAIN
        national = number.count - number.code_digits
        if national < MIN_NATIONAL:
            return REFUSED
        drop = strip_if_possible(plan, number.digit + number.code_digits, national)
        if drop < 0:
            return UNCERTAIN
        national -= drop
        if not MIN_NATIONAL <= national <= MAX_NATIONAL or length_of(plan, national) != POSSIBLE:
            return REFUSED
        if drop == 0:
            number.possible = number.count <= MAX_E164
            return ACCEPTED if number.possible else REFUSED
        memmove(number.digit + number.code_digits,
                number.digit + number.code_digits + drop, national)
        number.count -= drop


cdef Answer renumber(Digits *number, PlainNumber *out) noexcept nogil:
    """Read a number as renumberings.csv says that it is now; REFUSED when it says nothing of it."""
    cdef const OldForm *form
    cdef Digits new
    cdef Answer answer
    cdef bint valid = number.valid
    cdef int code_digits = find_code(number.digit, number.count)
    cdef int code = read_code(number.digit, code_digits)
    cdef int index, at
    if code_digits == 0:
        return REFUSED
    for index in range(codes.old_form_count[code]):
        form = &codes.old_forms[code][index]
        if form.count != number.count or (valid and not form.pair):
            continue
        for at in range(form.count):
            if not form.may[at] >> number.digit[at] & 1:
                break
        else:
            new.how = number.how
            new.valid = False
            new.count = form.new_count
            for at in range(form.new_count):
                new.digit[at] = (
                    form.new_digit[at] if form.new_digit[at] >= 0
                    else number.digit[-1 - form.new_digit[at]]
                )
            answer = settle(&new, out)
            if answer == ACCEPTED:
                answer = is_valid(&new, out)
            if answer == ACCEPTED:
                number[0] = new
                out.old_form = form.row + 1
            if answer != REFUSED:
                return answer
    return REFUSED


cdef Answer read_old_form(const uint8_t *digits, int count,
                          Digits *number, PlainNumber *out) noexcept nogil:
    """Read a number that is not in use, of these digits behind a +, as what it is now."""
    cdef Digits old
    cdef Answer answer
    take(&old, digits, count, INTERNATIONAL_ if number.how == UNKNOWN_RANGE_ else number.how)
    answer = renumber(&old, out)
    if answer == ACCEPTED:
        number[0] = old
    if answer == REFUSED and number.possible:
        return renumber(number, out)
    return answer


cdef Answer tier_of(Digits *number, PlainNumber *out) noexcept nogil:
    """Find out.tier."""
    cdef Answer valid = is_valid(number, out)
    if valid == UNCERTAIN or valid == CODE_MISSING:
        return valid
    out.tier = VALID_ if valid == ACCEPTED else IMPOSSIBLE_
    if valid == REFUSED and number.possible and not is_misshapen(number):
        out.tier = POSSIBLE_
    return ACCEPTED


cdef bint is_misshapen(const Digits *number) noexcept nogil:
    """Whether a possible number is one in use with digits too many or too few."""
    cdef const Area *area = codes.plan[number.code].areas
    cdef int index
    while area != NULL:
        for index in range(area.kinds):
            if has_shape(&area.kind[index], number.digit + number.code_digits,
                         number.count - number.code_digits):
                return True
        area = area.following
    return False
