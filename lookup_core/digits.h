/* The value of decimal digits, eight at a time: a number is read before its line can be fetched. */
#ifndef CALLSIEVE_DIGITS_H
#define CALLSIEVE_DIGITS_H

#include <stdint.h>
#include <string.h>

/* Whether each of the 8 bytes is one of '0' to '9'. */
static inline int cs_are_digits(uint64_t eight) {
    const uint64_t high = UINT64_C(0xF0F0F0F0F0F0F0F0), zeros = UINT64_C(0x3030303030303030);
    /* With 6 more, what is above '9' leaves the sixteen from '0' on; what carries is outside itself. */
    return (eight & high) == zeros && ((eight + UINT64_C(0x0606060606060606)) & high) == zeros;
}

/* The value of 8 bytes of 0 to 9, the first digit in the lowest byte: pairs, then fours, then all. */
static inline uint64_t cs_value_of_8(uint64_t eight) {
    const uint64_t pairs = UINT64_C(0x000000FF000000FF);
    eight = eight * 10 + (eight >> 8);
    return ((eight & pairs) * (100 + (UINT64_C(1000000) << 32)) +
            ((eight >> 16) & pairs) * (1 + (UINT64_C(10000) << 32))) >> 32;
}

/* The value of 1 to 15 digits of which the first is 1 to 9, otherwise 0. */
static inline uint64_t cs_digits_value(const char *text, size_t length) {
    if (text[0] == '0')
        return 0;
    if (length > 8) {
        const uint64_t zeros = UINT64_C(0x3030303030303030);
        uint64_t first, last;
        memcpy(&first, text, 8);
        memcpy(&last, text + length - 8, 8);
        if (!cs_are_digits(first) || !cs_are_digits(last))
            return 0;
        /* Of the first 8, those that are not among the last 8 move to the end. */
        first = (first ^ zeros) << (8 * (16 - length));
        return cs_value_of_8(first) * 100000000 + cs_value_of_8(last ^ zeros);
    }
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        const unsigned digit = (unsigned char)text[i] - (unsigned)'0';
        if (digit > 9)
            return 0;
        value = value * 10 + digit;
    }
    return value;
}

#endif
