"""The fast path of number reading: rules 5 to 7 of numbers.py for plain spellings.

It repeats what phonenumbers' parse, is_possible_number_with_reason and is_valid_number do with
ASCII digits, with phonenumbers' own patterns as tables (numbering_plans). Whatever it does not
cover it declines, and number_rules.py asks phonenumbers. A test compares the two over numbers of all
regions in all spellings.

The canonical text comes as plain characters. A compiled caller cimports RegionReader.read and gives
them to lookup_core.packing.pack_chars: no Python object is made, and no GIL is needed.
"""

from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.string cimport memcmp, memcpy, memmove

from loader.numbering_plans cimport (
    POSSIBLE, TOO_LONG, Area, CallingCodes, OldForm, calling_codes, has_shape, in_range, in_use,
    length_of, load_calling_code, match_start, match_whole, plan_of_region, strip_if_possible,
    strip_prefix,
)

cdef extern from "Python.h":
    int PyUnicode_1BYTE_KIND
    int PyUnicode_KIND(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    const uint8_t *PyUnicode_1BYTE_DATA(object text)

INTERNATIONAL = INTERNATIONAL_
UNKNOWN_RANGE = UNKNOWN_RANGE_
DIALLING_PREFIX = DIALLING_PREFIX_
ZERO_ZERO = ZERO_ZERO_
WITHOUT_PLUS = WITHOUT_PLUS_
OWN_CODE = OWN_CODE_
NATIONAL = NATIONAL_
SHORT = SHORT_
NOT_FULL = NOT_FULL_

cdef enum:
    TEXT_SIZE = 64      # longer texts are not plain
    MAX_DIGITS = 20     # with every prefix
    BUFFER = 24         # a calling code and all the digits
    # phonenumbers' own bounds of a national number.
    MIN_NATIONAL = 2
    MAX_NATIONAL = 17
    # These are in number_rules.py too, and their reasons in numbers.py.
    MAX_E164 = 15
    MAX_DIALLED = 15
    MIN_KEPT = 7
    MIN_AMBIGUOUS = 5
    MIN_CERTAIN = 7
    MIN_WITHOUT_PLUS = 8

include "plain_settling.pxi"
include "plain_marks.pxi"


cdef Answer settle_national(const Plan *main, const uint8_t *digits, int count,
                            Digits *number, PlainNumber *out) noexcept nogil:
    """Put the calling code before a national number whose prefixes are gone."""
    cdef int code_digits
    if not MIN_NATIONAL <= count <= MAX_NATIONAL or length_of(main, count) != POSSIBLE:
        return REFUSED
    code_digits = write_code(main.calling_code, number.digit)
    memcpy(number.digit + code_digits, digits, count)
    number.count = code_digits + count
    number.valid = False
    return settle(number, out)


cdef Answer read_in_region(const Plan *plan, const uint8_t *digits, int count,
                           Digits *number, PlainNumber *out) noexcept nogil:
    """phonenumbers.parse(digits, region), as rule 7c takes it."""
    cdef const Plan *main = codes.plan[plan.calling_code]
    cdef bint last_group = False
    cdef uint8_t code[3]
    cdef int end, drop, code_digits
    if main == NULL:
        out.missing_code = plan.calling_code
        return CODE_MISSING
    if not main.usable:
        return UNCERTAIN

    if plan.international_prefix.following != NULL:
        end = match_start(&plan.international_prefix, digits, count, &last_group)
        # No calling code begins with 0, so a 0 behind the prefix means that it is none.
        if end >= 0 and not (end < count and digits[end] == 0):
            take(number, digits + end, count - end, DIALLING_PREFIX_)
            return settle(number, out)

    code_digits = write_code(plan.calling_code, code)
    if memcmp(digits, code, code_digits) == 0:
        end = strip_prefix(plan, digits + code_digits, count - code_digits)
        if end < 0:
            return UNCERTAIN
        end += code_digits
        if length_of(plan, count) == TOO_LONG or (
            not match_whole(&plan.numbers, digits, count)
            and match_whole(&plan.numbers, digits + end, count - end)
        ):
            if count - end < MIN_NATIONAL:
                return REFUSED
            number.how = OWN_CODE_
            drop = strip_if_possible(main, digits + end, count - end)
            if drop < 0:
                return UNCERTAIN
            return settle_national(main, digits + end + drop, count - end - drop, number, out)

    number.how = NATIONAL_
    end = strip_if_possible(plan, digits, count)
    if end < 0:
        return UNCERTAIN
    if end == 0 and count < MIN_CERTAIN and plan.has_prefix:
        return REFUSED
    return settle_national(main, digits + end, count - end, number, out)


cdef inline bint is_abroad(const Plan *plan, const uint8_t *digits, int count) noexcept nogil:
    """Whether they begin with the region's international prefix."""
    cdef bint last_group = False
    return plan.international_prefix.following != NULL and (
        match_start(&plan.international_prefix, digits, count, &last_group) >= 0
    )


cdef inline bint looks_international(const Plan *plan, const uint8_t *digits, int count,
                                     const Digits *own) noexcept nogil:
    return (
        own.how == NATIONAL_
        and plan.has_prefix
        and own.count == own.code_digits + count
        and memcmp(digits, own.digit, own.code_digits) == 0
    )


cdef Answer read_plus(const uint8_t *digits, int count,
                      Digits *number, PlainNumber *out) noexcept nogil:
    cdef Answer answer = read_present_form(digits, count, number, out)
    cdef Answer valid
    if answer == ACCEPTED:
        valid = is_valid(number, out)
        if valid == REFUSED:
            valid = read_old_form(digits, count, number, out)
        if valid != REFUSED:
            return valid
    elif answer == REFUSED and count <= BUFFER:
        take(number, digits, count, INTERNATIONAL_)
        return read_old_form(digits, count, number, out)
    return answer


cdef Answer read_present_form(const uint8_t *digits, int count,
                              Digits *number, PlainNumber *out) noexcept nogil:
    cdef Answer answer
    take(number, digits, count, INTERNATIONAL_)
    answer = settle(number, out)
    if answer == REFUSED and MIN_KEPT <= count <= MAX_E164 and digits[0] != 0:
        take(number, digits, count, UNKNOWN_RANGE_)
        return ACCEPTED
    return answer


cdef Answer read_digits(const Plan *plan, const uint8_t *digits, int count,
                        Digits *number, PlainNumber *out) noexcept nogil:
    cdef Answer answer, valid
    cdef Answer own_answer = REFUSED
    cdef Answer own_valid = REFUSED
    cdef Digits own
    cdef bint short_number = False
    cdef bint zero_zero = count > 1 and digits[0] == 0 and digits[1] == 0
    if count == 0:
        return REFUSED
    if plan != NULL and count >= MIN_AMBIGUOUS:
        if not plan.usable:
            return UNCERTAIN
        short_number = in_range(&plan.short_numbers, digits, count) and in_range(
            &plan.short_codes, digits, count
        )
    if count < MIN_AMBIGUOUS or (short_number and count < MIN_CERTAIN):
        take(number, digits, count, SHORT_)
        return ACCEPTED

    if plan != NULL:
        own_answer = read_in_region(plan, digits, count, &own, out)
        if own_answer == UNCERTAIN or own_answer == CODE_MISSING:
            return own_answer
    if own_answer == ACCEPTED:
        own_valid = is_valid(&own, out)
        if own_valid == UNCERTAIN or own_valid == CODE_MISSING:
            return own_valid
        if own_valid == ACCEPTED and not looks_international(plan, digits, count, &own):
            number[0] = own
            return ACCEPTED
        if own_valid == REFUSED and (
            short_number or count < MIN_CERTAIN or (zero_zero and own.how == NATIONAL_)
        ):
            own_answer = REFUSED

    answer = REFUSED
    if not short_number and zero_zero and count >= MIN_CERTAIN:
        answer = read_plus(digits + 2, count - 2, number, out)
        number.how = ZERO_ZERO_
    elif not short_number and plan != NULL and count >= MIN_WITHOUT_PLUS:
        take(number, digits, count, WITHOUT_PLUS_)
        answer = settle(number, out)
        if answer == ACCEPTED:
            valid = is_valid(number, out)
            if valid == REFUSED:
                valid = read_old_form(digits, count, number, out)
            if valid != REFUSED:
                answer = valid
        elif answer == REFUSED:
            answer = read_old_form(digits, count, number, out)
    if answer == UNCERTAIN or answer == CODE_MISSING:
        return answer
    if answer == ACCEPTED and number.how == WITHOUT_PLUS_ and out.divided:
        return UNCERTAIN
    if plan != NULL and own_valid != ACCEPTED and not short_number and (
        count >= MIN_CERTAIN and not (answer == ACCEPTED and number.valid)
        and (plan.has_old_forms or is_abroad(plan, digits, count))
    ):
        return UNCERTAIN
    if own_answer == ACCEPTED:
        if answer == ACCEPTED:
            valid = is_valid(number, out)
            if valid != REFUSED:
                return valid
        out.old_form = 0
        number[0] = own
        return ACCEPTED
    if answer == ACCEPTED:
        return ACCEPTED

    if count > MAX_DIALLED:
        return REFUSED
    take(number, digits, count, SHORT_ if short_number or count < MIN_CERTAIN else NOT_FULL_)
    return ACCEPTED


cdef Answer read_without_zero(const Plan *plan, bint plus, const uint8_t *digits, int count,
                              int zero, Digits *number, PlainNumber *out) noexcept nogil:
    """Rule 4: digits of which one was written as (0), left out if they are valid only without."""
    cdef uint8_t fewer[MAX_DIGITS]
    cdef Digits other
    cdef Answer valid
    cdef Answer answer = read_keys(plan, plus, digits, count, number, out)
    if answer == ACCEPTED:
        valid = is_valid(number, out)
        if valid != REFUSED:
            return valid
    elif answer != REFUSED:
        return answer
    memcpy(fewer, digits, zero)
    memcpy(fewer + zero, digits + zero + 1, count - zero - 1)
    valid = read_keys(plan, plus, fewer, count - 1, &other, out)
    if valid == ACCEPTED:
        valid = is_valid(&other, out)
    if valid == ACCEPTED:
        number[0] = other
    return answer if valid == REFUSED else valid


cdef inline Answer read_keys(const Plan *plan, bint plus, const uint8_t *digits, int count,
                             Digits *number, PlainNumber *out) noexcept nogil:
    if plus:
        return read_plus(digits, count, number, out)
    return read_digits(plan, digits, count, number, out)


cdef inline bint is_canonical(const Spelt *spelt, const uint8_t *text,
                              PlainNumber *out) noexcept nogil:
    """Whether E.164 text is read as it is; `out` then says so."""
    cdef Digits number
    take(&number, spelt.digit, spelt.count, INTERNATIONAL_)
    if settle(&number, out) != ACCEPTED or number.count != spelt.count:
        return False
    if codes.has_pairs[number.code] or codes.old_lengths[number.code] >> number.count & 1:
        return False
    out.how = INTERNATIONAL_
    out.tier = VALID_
    out.length = spelt.count + 1
    memcpy(out.text, text, out.length)
    return True


cdef void read_spelt(const Plan *plan, const Spelt *spelt, Digits *number,
                     PlainNumber *out) noexcept nogil:
    cdef Answer answer
    cdef int written = 0
    cdef int index
    out.divided = spelt.divided
    if spelt.zero < 0:
        answer = read_keys(
            plan, spelt.plus, spelt.digit, spelt.count, number, out
        )
    else:
        answer = read_without_zero(
            plan, spelt.plus, spelt.digit, spelt.count, spelt.zero, number, out
        )
    if answer != ACCEPTED:
        if answer == CODE_MISSING:
            out.how = NEEDS_CODE
        return
    if number.valid and codes.has_pairs[number.code]:
        answer = renumber(number, out)
        if answer == UNCERTAIN or answer == CODE_MISSING:
            out.how = NEEDS_CODE if answer == CODE_MISSING else DECLINED_
            return
    out.how = number.how
    if number.valid:
        out.tier = VALID_
    elif number.how != SHORT_ and number.how != NOT_FULL_:
        answer = tier_of(number, out)
        if answer != ACCEPTED:
            out.how = NEEDS_CODE if answer == CODE_MISSING else DECLINED_
            return
    if number.how != SHORT_ and number.how != NOT_FULL_:
        out.text[0] = c'+'
        written = 1
    for index in range(number.count):
        out.text[written + index] = number.digit[index] + c'0'
    out.length = written + number.count


cdef class RegionReader:
    """Reads plain numbers as dialled in one region, or in none; made by reader_for."""

    cdef void read(self, const uint8_t *text, Py_ssize_t size, PlainNumber *out,
                   bint stored=False) noexcept nogil:
        """Read ASCII or Latin-1 text; DECLINED_ for all that is not plain.

        stored: of a list's row, whose tier is not asked for, and is VALID_ for a canonical number.
        """
        cdef Spelt spelt
        cdef Digits number
        out.how = DECLINED_
        out.tier = NO_TIER
        out.old_form = 0
        out.length = 0
        if is_e164(text, size, &spelt):  # as most lists and carriers have it
            if stored and is_canonical(&spelt, text, out):
                return
        elif not take_marks(text, size, &spelt):
            return
        read_spelt(self.plan, &spelt, &number, out)


cdef dict _readers = {}


cpdef RegionReader reader_for(str region):
    """The reader of a region that phonenumbers supports, or of None. KeyError for another."""
    cdef RegionReader reader = _readers.get(region)
    if reader is None:
        reader = RegionReader()
        if region is not None:
            reader.plan = plan_of_region(region)
        _readers[region] = reader
    return reader


TIERS = (None, "valid", "possible", "impossible")


def read_plain(str text not None, RegionReader reader not None):
    """Read text as in `reader`'s region: (canonical text, how, tier, row of renumberings.csv from 1
    on or 0), or None: ask phonenumbers.
    """
    cdef PlainNumber number
    if PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND:
        return None
    while True:
        reader.read(PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text), &number)
        if number.how != NEEDS_CODE:
            break
        load_calling_code(number.missing_code)
    if number.how == DECLINED_:
        return None
    canonical = PyUnicode_DecodeASCII(number.text, number.length, NULL)
    return canonical, number.how, TIERS[number.tier], number.old_form


def may_exist(str e164 not None):
    """Whether a possible number that is not in use could be: it is none in use with digits too many
    or too few. e164: canonical text.
    """
    cdef Digits number
    cdef PlainNumber out
    cdef Answer answer
    cdef bytes text = e164[1:].encode("ascii")
    cdef int index
    if len(text) > MAX_E164:
        return False
    number.count = len(text)
    number.how = INTERNATIONAL_
    number.valid = False
    for index in range(number.count):
        number.digit[index] = text[index] - c'0'
    while True:
        answer = settle(&number, &out)
        if answer == ACCEPTED:
            answer = find_in_use(&number, &out)
        if answer != CODE_MISSING:
            return answer == UNCERTAIN or (number.possible and not is_misshapen(&number))
        load_calling_code(out.missing_code)
