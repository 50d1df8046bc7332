# The marks between the digits of a plain spelling. A part of plain_numbers, which inlines it.

cdef inline bint begins_or_ends_with_a_mark(const uint8_t *text, Py_ssize_t size) noexcept nogil:
    """Whether there is one that no number begins or ends with; there is a digit somewhere."""
    while text[0] == c' ':
        text += 1
        size -= 1
    while text[size - 1] == c' ':
        size -= 1
    return is_mark(text[0]) or is_mark(text[size - 1])


cdef inline bint is_mark(uint8_t character) noexcept nogil:
    return character == c'-' or character == c'/' or character == c'.'


cdef inline bint is_one_digit(const uint8_t *digits, int count) noexcept nogil:
    cdef int index
    for index in range(1, count):
        if digits[index] != digits[0]:
            return False
    return True


cdef uint8_t *WITHHELD_KEYS = [2, 6, 6, 6, 9, 6, 6, 8, 7]


cdef struct Spelt:
    # The keys of a text, as number_spelling.Spelling has them.
    bint plus
    bint divided
    int zero            # the place of a (0), -1 for none
    int count
    uint8_t digit[MAX_DIGITS]


cdef inline bint is_e164(const uint8_t *text, Py_ssize_t size, Spelt *spelt) noexcept nogil:
    """Whether it is + and digits and nothing else."""
    cdef Py_ssize_t index
    cdef uint8_t digit
    if not MIN_CERTAIN < size <= MAX_DIGITS or text[0] != c'+' or text[1] == c'0':
        return False
    for index in range(1, size):
        digit = text[index] - c'0'
        if digit > 9:
            return False
        spelt.digit[index - 1] = digit
    spelt.plus = True
    spelt.divided = False
    spelt.zero = -1
    spelt.count = size - 1
    return not is_withheld(spelt)


cdef inline bint is_withheld(const Spelt *spelt) noexcept nogil:
    return spelt.count == 9 and memcmp(spelt.digit, WITHHELD_KEYS, 9) == 0


cdef bint take_marks(const uint8_t *text, Py_ssize_t size, Spelt *spelt) noexcept nogil:
    """Take digits with marks between them. No: what they are is for number_spelling to say."""
    cdef int dots = 0
    cdef int dashes = 0
    cdef int before_dash = 0    # digits before the last dash or slash
    cdef int before_dot = 0
    cdef int before_space = 0   # before the first behind so many that it may end a number
    cdef int count = 0
    cdef Py_ssize_t index
    cdef uint8_t character
    spelt.plus = False
    spelt.zero = -1
    if size > TEXT_SIZE:
        return False
    for index in range(size):
        character = text[index]
        if c'0' <= character <= c'9':
            if count == MAX_DIGITS:
                return False
            spelt.digit[count] = character - c'0'
            count += 1
        elif character == c'+':
            if spelt.plus or count:
                return False
            spelt.plus = True
        elif character == c')':
            if spelt.zero < 0 and index > 1 and text[index - 1] == c'0' and text[index - 2] == c'(':
                spelt.zero = count - 1
        elif character == c'.':
            dots += 1
            before_dot = count
        elif character == c'-' or character == c'/':
            if character == c'/' and count >= MIN_CERTAIN:
                return False
            dashes += 1
            before_dash = count
        elif character == c' ':
            if count >= MIN_CERTAIN and before_space == 0:
                before_space = count
        elif character != c'(':
            return False
    spelt.count = count
    spelt.divided = dashes == 1 and before_dash >= MIN_CERTAIN
    return not (
        count == 0 or (before_space and count - before_space >= MIN_CERTAIN)
        or (spelt.divided and count - before_dash >= MIN_CERTAIN)
        or begins_or_ends_with_a_mark(text, size)
        or (dashes == 2 and count <= 8)
        or (dots and (dots != 2 or count <= 8)
            and (dots == 3 or count <= 8 or before_dot >= count - 2))
        or (count >= MIN_CERTAIN and is_one_digit(spelt.digit, count))
        or is_withheld(spelt)
    )
