"""Canonical number text <-> packed 64-bit key, over plain characters, for every module that cimports it.

The functions are inline and work without the GIL; `lookup_core.packing` is their Python surface.

    E.164      the integer value of its digits: 10 .. 999 999 999 999 999
    dialled    bit 60, and below it one value of 4 bits for each character: 0-9 are 1..10, * is 11,
               # is 12; the last character is in the lowest bits, so leading zeros and length count
    anonymous  ANONYMOUS, bit 60 alone: dialled, without a character
    no-number  NUMBERLESS, bit 60 and 13, which is no character: callers whose identity is no number
    0          nothing that packs (NO_NUMBER)

So every key is below KEYS, 2^61, which number_set.h relies on. A prefix has the value of its digits
in a set of its own; where an entry may be either, it is packed with PREFIX_BIT, bit 62.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcmp

# In packing.pyx: the same over Python text.
cdef uint64_t pack_text(str text) except 0
cdef str unpack_key(uint64_t key)
cdef uint64_t pack_entry_text(str text) except 0
cdef str unpack_entry_key(uint64_t key)

cdef enum:
    MAX_DIGITS = 15          # ITU-T E.164, section 6.2.1
    MAX_PREFIX_DIGITS = 14
    MAX_TEXT = 17            # the longest canonical text: "+", 15 digits; and a prefix's "*"

cdef extern from "digits.h" nogil:
    uint64_t cs_digits_value(const char *text, size_t length)

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    const unsigned char *PyUnicode_1BYTE_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

# Not in the enum: the compiler would have to find a type for all of an enum's values.
cdef extern from *:
    """
    #include <stdint.h>
    #define CALLSIEVE_NO_NUMBER UINT64_C(0)
    #define CALLSIEVE_DIALLED (UINT64_C(1) << 60)
    #define CALLSIEVE_ANONYMOUS CALLSIEVE_DIALLED
    #define CALLSIEVE_NUMBERLESS (CALLSIEVE_DIALLED | 13)
    #define CALLSIEVE_KEYS (UINT64_C(1) << 61)
    #define CALLSIEVE_PREFIX_BIT (UINT64_C(1) << 62)
    #define CALLSIEVE_MIN_E164 UINT64_C(10)
    #define CALLSIEVE_MAX_E164 UINT64_C(999999999999999)
    #define CALLSIEVE_MAX_PREFIX UINT64_C(99999999999999)
    """
    const uint64_t NO_NUMBER "CALLSIEVE_NO_NUMBER"
    const uint64_t ANONYMOUS "CALLSIEVE_ANONYMOUS"
    const uint64_t NUMBERLESS "CALLSIEVE_NUMBERLESS"
    const uint64_t KEYS "CALLSIEVE_KEYS"
    const uint64_t PREFIX_BIT "CALLSIEVE_PREFIX_BIT"
    const uint64_t DIALLED "CALLSIEVE_DIALLED"
    const uint64_t MIN_E164 "CALLSIEVE_MIN_E164"
    const uint64_t MAX_E164 "CALLSIEVE_MAX_E164"
    const uint64_t MAX_PREFIX "CALLSIEVE_MAX_PREFIX"


cdef inline uint64_t pack_chars(const char *text, Py_ssize_t length) noexcept nogil:
    """Canonical text of `length` characters -> key; NO_NUMBER when it is no canonical number."""
    cdef uint64_t value
    cdef unsigned int character
    cdef unsigned int digit
    cdef Py_ssize_t i
    if length < 1 or length > MAX_DIGITS + 1:
        return NO_NUMBER
    if text[0] == c"+":
        if length < 3:
            return NO_NUMBER
        return cs_digits_value(text + 1, length - 1)
    if text[0] == c"a":
        if length == 9 and memcmp(text, b"anonymous", 9) == 0:
            return ANONYMOUS
        return NO_NUMBER
    if text[0] == c"n":
        if length == 9 and memcmp(text, b"no-number", 9) == 0:
            return NUMBERLESS
        return NO_NUMBER
    if length > MAX_DIGITS:
        return NO_NUMBER
    value = 0
    for i in range(length):
        character = <unsigned char> text[i]
        digit = character - 48
        if digit <= 9:
            value = value << 4 | (digit + 1)
        elif character == c"*":
            value = value << 4 | 11
        elif character == c"#":
            value = value << 4 | 12
        else:
            return NO_NUMBER
    return value | DIALLED


cdef inline uint64_t text_key(str text) noexcept:
    """Canonical text -> key; NO_NUMBER when it is no canonical number."""
    if not PyUnicode_IS_ASCII(text):
        return NO_NUMBER
    return pack_chars(<const char *> PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text))


cdef inline uint64_t prefix_chars(const char *text, Py_ssize_t length) noexcept nogil:
    """"+48700*" -> 48700, the value of its 1 to 14 digits; 0 when the text is no prefix entry."""
    if length < 3 or length > MAX_PREFIX_DIGITS + 2:
        return 0
    if text[0] != c"+" or text[length - 1] != c"*":
        return 0
    return cs_digits_value(text + 1, length - 2)


cdef inline bint is_e164(uint64_t key) noexcept nogil:
    return MIN_E164 <= key <= MAX_E164


cdef inline bint is_word(uint64_t key) noexcept nogil:
    """Whether the key stands for callers and not for a number."""
    return key == ANONYMOUS or key == NUMBERLESS


cdef inline bint is_number(uint64_t key) noexcept nogil:
    """Whether some canonical text packs to this key."""
    cdef uint64_t rest
    if is_e164(key) or key == NUMBERLESS:
        return True
    rest = key ^ DIALLED  # nothing is left of ANONYMOUS
    if rest >> (4 * MAX_DIGITS):
        return False
    while rest:
        if not 1 <= rest & 15 <= 12:
            return False
        rest >>= 4
    return True


cdef inline bint is_entry(uint64_t key) noexcept nogil:
    """Whether some canonical number or prefix packs to this key."""
    if key & PREFIX_BIT:
        return 1 <= key ^ PREFIX_BIT <= MAX_PREFIX
    return is_number(key)


cdef inline Py_ssize_t unpack_chars(uint64_t key, char *text) noexcept nogil:
    """Key -> canonical text at `text` (room for MAX_TEXT characters); its length, 0 for no number."""
    cdef Py_ssize_t length = 0
    cdef Py_ssize_t i
    cdef uint64_t rest
    if not is_number(key):
        return 0
    if is_word(key):
        for i in range(9):
            text[i] = b"anonymous"[i] if key == ANONYMOUS else b"no-number"[i]
        return 9
    if key & DIALLED:
        key ^= DIALLED
        rest = key
        while rest:
            length += 1
            rest >>= 4
        for i in range(length - 1, -1, -1):
            text[i] = b"?0123456789*#"[key & 15]
            key >>= 4
        return length
    rest = key
    while rest:
        length += 1
        rest //= 10
    text[0] = c"+"
    for i in range(length, 0, -1):
        text[i] = <char> (48 + key % 10)
        key //= 10
    return length + 1
