"""The fast path of registry files: rows such as `201,5550123`, hundreds of millions of them, and the
tags that they are in XML.
"""

from cpython.array cimport array as c_array
from cpython.array cimport resize, resize_smart
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from loader.key_table cimport KeyTable
from loader.plain_rows cimport PlainReader, PlainRow, Walk, line_size, walk_from
from lookup_core.packing cimport is_e164

cdef enum:
    ROW = 11            # 3 digits, a comma, 7 digits
    LOCAL = 7           # digits behind the area code
    TAG = 19            # <ph val='5550123'/>
    COMMA = 3

cdef extern from *:
    """
    #include "digits.h"

    #define CALLSIEVE_NORTH_AMERICA UINT64_C(10000000000)

    /* Whether the first 11 characters are 201,5550123 or the like. */
    static inline int cs_is_area_code_row(const char *text) {
        const uint64_t comma = ',' ^ '0';
        uint64_t first, last; /* 8 each, with the comma in the middle of both */
        memcpy(&first, text, 8);
        memcpy(&last, text + 3, 8);
        return text[3] == ',' && text[0] >= '2' && cs_are_digits(first ^ comma << 24) &&
               cs_are_digits(last ^ comma);
    }
    """
    const uint64_t NORTH_AMERICA "CALLSIEVE_NORTH_AMERICA"  # calling code 1 before 10 digits
    int cs_is_area_code_row(const char *text) noexcept nogil


cdef inline uint64_t north_american(const char *text, Py_ssize_t size,
                                    Py_ssize_t *taken) noexcept nogil:
    """The key of the row at the start; 0 when it is not whole or not of that form."""
    cdef uint64_t value = 0
    cdef unsigned int digit
    cdef Py_ssize_t i
    if size <= ROW:
        return 0
    taken[0] = ROW + 1
    if text[ROW] != c'\n' and line_size(text, size, taken) != ROW:
        return 0
    if not c'2' <= text[0] <= c'9' or text[COMMA] != c',':
        return 0
    for i in range(ROW):
        if i != COMMA:
            digit = <unsigned int> (<unsigned char> text[i]) - 48
            if digit > 9:
                return 0
            value = value * 10 + digit
    return NORTH_AMERICA + value


def count_north_american(bytes buffer not None, Py_ssize_t at):
    """What collect_north_american gives, without the keys."""
    cdef const char *text = PyBytes_AS_STRING(buffer)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(buffer)
    cdef Py_ssize_t taken
    cdef int lines = 0
    while end - at > ROW:
        taken = ROW + 1
        if text[at + ROW] != c'\n' and line_size(text + at, end - at, &taken) != ROW:
            break
        if not cs_is_area_code_row(text + at):
            break
        at += taken
        lines += 1
    return at, lines


def collect_north_american(bytes buffer not None, Py_ssize_t at, c_array keys not None):
    """Put the keys of the rows `areacode,number` from buffer[at] on into keys, an array("Q").

    Gives where the first row is that is not whole or not of that form, and the lines before it.
    """
    cdef const char *text = PyBytes_AS_STRING(buffer)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(buffer)
    cdef Py_ssize_t count = len(keys)
    cdef Py_ssize_t first = count
    cdef Py_ssize_t taken
    cdef uint64_t key
    # Room for all rows that there can be, so that none of them has to ask.
    resize_smart(keys, count + (end - at) // (ROW + 1) + 1)
    cdef uint64_t *values = <uint64_t *> keys.data.as_ulonglongs
    while True:
        key = north_american(text + at, end - at, &taken)
        if key == 0:
            break
        values[count] = key
        count += 1
        at += taken
    resize_smart(keys, count)
    return at, count - first


def find_north_american(bytes buffer not None, Py_ssize_t at, uint64_t number):
    """Look for the number with this key in such rows from buffer[at] on.

    Gives where the first row is that is not whole or not of that form, or is just behind the
    number's, the lines before that place, and where the number's row is (None: not found).
    """
    cdef const char *text = PyBytes_AS_STRING(buffer)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(buffer)
    cdef Py_ssize_t taken
    cdef uint64_t key
    cdef int lines = 0
    while True:
        key = north_american(text + at, end - at, &taken)
        if key == 0:
            return at, lines, None
        at += taken
        lines += 1
        if key == number:
            return at, lines, at - taken


def collect_numbers(PlainReader reader not None, bytes buffer not None, Py_ssize_t at,
                    c_array keys not None):
    """Put the keys of the plain rows from buffer[at] on that have a full number into keys.

    Gives where the first row is that is not plain, not whole or has no full number, and the lines
    before it. An extension is no full number.
    """
    cdef Walk walk = walk_from(buffer, at)
    cdef Py_ssize_t count = len(keys)
    cdef PlainRow row
    while reader.next(&walk, &row) and is_e164(row.key):
        resize_smart(keys, count + 1)
        keys.data.as_ulonglongs[count] = row.key
        count += 1
    return walk.at, walk.lines


cdef inline const char *behind_spaces(const char *text) noexcept nogil:
    while text[0] == c' ' or c'\t' <= text[0] <= c'\r':
        text += 1
    return text


cdef inline const char *behind(const char *text, const char *wanted) noexcept nogil:
    """What is behind `wanted`; NULL where something else is. Both end with a zero byte."""
    while wanted[0]:
        if text[0] != wanted[0]:
            return NULL
        text += 1
        wanted += 1
    return text


cdef inline const char *behind_phone_tag(const char *text, const char **digits) noexcept nogil:
    """What is behind <ph val='5550123' />, and where its digits are; NULL where something else is."""
    cdef char quote
    cdef int i
    text = behind(behind_spaces(text), b"<ph ")
    text = behind(behind_spaces(text), b"val=") if text else NULL
    if text == NULL or (text[0] != c"'" and text[0] != c'"'):
        return NULL
    quote = text[0]
    digits[0] = text + 1
    for i in range(1, 1 + LOCAL):
        if not c'0' <= text[i] <= c'9':
            return NULL
    if text[1 + LOCAL] != quote:
        return NULL
    return behind(behind_spaces(text + 2 + LOCAL), b"/>")


def rows_of_phone_tags(bytes buffer not None, Py_ssize_t at, bytes start not None,
                       bytes end not None):
    """The tags <ph val='5550123' /> from buffer[at] on, each as a row: start, its digits, end.

    Gives where something else is, or a tag that is not whole, and the rows.
    """
    # A bytes object ends with a zero byte, where every comparison stops.
    cdef const char *text = PyBytes_AS_STRING(buffer)
    cdef const char *next_tag
    cdef const char *digits = NULL
    cdef Py_ssize_t before = PyBytes_GET_SIZE(start)
    cdef Py_ssize_t size = before + LOCAL + PyBytes_GET_SIZE(end)
    cdef Py_ssize_t count = 0
    cdef bytearray rows
    cdef char *row
    next_tag = behind_phone_tag(text + at, &digits)
    if next_tag == NULL:
        return at, b""
    rows = bytearray(size * ((PyBytes_GET_SIZE(buffer) - at) // TAG + 1))
    row = rows
    while next_tag:
        memcpy(row, PyBytes_AS_STRING(start), before)
        memcpy(row + before, digits, LOCAL)
        memcpy(row + before + LOCAL, PyBytes_AS_STRING(end), PyBytes_GET_SIZE(end))
        row += size
        count += 1
        at = next_tag - text
        next_tag = behind_phone_tag(next_tag, &digits)
    return at, bytes(rows[:count * size])


def without(c_array keys not None, c_array dropped not None) -> None:
    """Take every key in `dropped` out of `keys`; both are array("Q")."""
    cdef KeyTable gone = KeyTable()
    cdef uint64_t *values = <uint64_t *> keys.data.as_ulonglongs
    cdef Py_ssize_t count = len(keys)
    cdef Py_ssize_t kept = 0
    cdef Py_ssize_t i
    gone.add_all(dropped)
    for i in range(count):
        if gone.find(values[i]) == NULL:
            values[kept] = values[i]
            kept += 1
    resize(keys, kept)
