"""The fast path of reading rows: those that csv_rows.py would read in one way only.

A plain row is one line of printable ASCII and European letters without quotes, whose number
plain_numbers reads, whose date is an ISO day (or one of `days`) and whose expiry is blank or as the
CSV store writes it.
Whatever else is left to csv_rows.py; a test compares the two over rows of every kind.
"""

from cpython.array cimport array as c_array
from cpython.array cimport resize_smart
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t, uint8_t
from libc.string cimport memchr

from loader.numbering_plans cimport load_calling_code
from loader.plain_numbers cimport DECLINED_, IMPOSSIBLE_, NEEDS_CODE, VALID_, WITHOUT_PLUS_
from lookup_core.packing cimport NO_NUMBER, pack_chars

cdef enum:
    MAX_DESCRIPTION = 500   # of store.py
    NATIONAL_DIGITS = 7     # of numbers.py: so many digits are no extension


cdef Py_ssize_t line_size(const char *text, Py_ssize_t size, Py_ssize_t *taken) noexcept nogil:
    """The size of the first line without its end, -1 when it is not whole; taken: with its end."""
    cdef const char *end = <const char *> memchr(text, c'\n', size)
    if end == NULL:
        return -1
    taken[0] = end - text + 1
    if end > text and end[-1] == c'\r':
        end -= 1
    return end - text


cdef Walk walk_from(bytes buffer, Py_ssize_t at) noexcept:
    """Through the rows from buffer[at] on, for PlainReader.next; the buffer has to outlive it."""
    cdef Walk walk
    walk.text = PyBytes_AS_STRING(buffer)
    walk.end = PyBytes_GET_SIZE(buffer)
    walk.at = at
    walk.taken = 0
    walk.lines = 0
    return walk


cdef inline Text stripped(Text cell) noexcept nogil:
    while cell.size and cell.start[0] == c' ':
        cell.start += 1
        cell.size -= 1
    while cell.size and cell.start[cell.size - 1] == c' ':
        cell.size -= 1
    return cell


cdef inline bint is_letter(uint8_t first, uint8_t second) noexcept nogil:
    """Whether two bytes are a character from U+00A1 to U+07FF: no space and no control character.

    So are the letters of European languages; what has more bytes is left to Python.
    """
    return (0xc3 <= first <= 0xdf and 0x80 <= second <= 0xbf) or (
        first == 0xc2 and 0xa1 <= second <= 0xbf
    )


cdef inline int number_at(const char *text, int count) noexcept nogil:
    """The value of `count` digits, -1 when they are not digits."""
    cdef int value = 0
    cdef int i
    for i in range(count):
        if not c'0' <= text[i] <= c'9':
            return -1
        value = value * 10 + text[i] - c'0'
    return value


cdef inline bint is_day(Text cell, int *year, int *month, int *day) noexcept nogil:
    """Whether it is YYYY-MM-DD and there is such a day."""
    cdef int last
    if cell.size != 10 or cell.start[4] != c'-' or cell.start[7] != c'-':
        return False
    year[0] = number_at(cell.start, 4)
    month[0] = number_at(cell.start + 5, 2)
    day[0] = number_at(cell.start + 8, 2)
    if year[0] < 1 or not 1 <= month[0] <= 12 or day[0] < 1:
        return False
    if month[0] == 2:
        last = 29 if year[0] % 4 == 0 and (year[0] % 100 != 0 or year[0] % 400 == 0) else 28
    else:
        last = 30 if month[0] in (4, 6, 9, 11) else 31
    return day[0] <= last


cdef inline int64_t days_since_1970(int year, int month, int day) noexcept nogil:
    """Of the Gregorian calendar, in whole eras of 400 years that begin in March."""
    cdef int64_t shifted = year - (month <= 2)
    cdef int64_t era = shifted // 400
    cdef int64_t of_era = shifted - era * 400
    cdef int64_t of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


cdef inline bint read_expiry(Text cell, PlainRow *row) noexcept nogil:
    cdef int year, month, day, hour, minute, second
    cdef Text date
    row.expires = cell
    row.expires_at = NEVER
    if cell.size == 0:
        return True
    if cell.size != 20 or cell.start[10] != c'T' or cell.start[19] != c'Z':
        return False
    if cell.start[13] != c':' or cell.start[16] != c':':
        return False
    date.start = cell.start
    date.size = 10
    hour = number_at(cell.start + 11, 2)
    minute = number_at(cell.start + 14, 2)
    second = number_at(cell.start + 17, 2)
    if not is_day(date, &year, &month, &day):
        return False
    if not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 59):
        return False
    row.expires_at = days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    return True


cdef class PlainReader:
    """Reads plain rows of one layout.

    delimiter: one ASCII character. columns: where number, date, description and expires are, from
    0; -1 for one that is not there. width: how many cells a row has at most.
    days: None for ISO days; else the only ones that are plain: cell -> its ISO day.
    quote: another character than " that cells may be quoted with. stored: the rows are of a list,
    as numbers.read_stored reads them. full_only: extensions and short numbers are not plain, nor is
    a line that begins with #, as comments do. valid_only: nor are numbers in no range in use.
    """

    def __cinit__(self, bytes delimiter, columns, int width, RegionReader region, dict days=None,
                  str quote='"', bint stored=False, bint full_only=False, bint valid_only=False):
        cdef int i
        self.delimiter = delimiter
        self.width = min(width, MAX_CELLS)
        self._delimiter = delimiter[0]
        for i in range(4):
            self._columns[i] = columns[i]
        self._region = region
        self._full_only = full_only
        self._valid_only = valid_only
        self._days = days
        self._stored = stored
        for i in range(256):
            self._special[i] = not 32 <= i < 127
        self._special[<int> c'"'] = True
        if quote:
            self._special[<uint8_t> ord(quote)] = True
        self._special[<uint8_t> self._delimiter] = False

    cdef bint read(self, const char *line, Py_ssize_t size, PlainRow *row) except -1:
        """Whether this line, without its end, is a plain row, and what it says.

        The texts point into `line`, or are kept by this reader.
        """
        cdef Text cells[MAX_CELLS]
        cdef Text wanted[4]
        cdef int count = 0
        cdef Py_ssize_t start = 0
        cdef Py_ssize_t i = -1
        cdef uint8_t character
        if self._full_only and size and line[0] == c'#':
            return False
        while i + 1 < size:
            i += 1
            character = line[i]
            if character == <uint8_t> self._delimiter:
                if count + 1 >= self.width:
                    return False
                cells[count].start = line + start
                cells[count].size = i - start
                count += 1
                start = i + 1
            elif character >= 0x80:
                i += 1
                if i == size or not is_letter(character, line[i]):
                    return False
            elif self._special[character]:
                return False
        cells[count].start = line + start
        cells[count].size = size - start
        count += 1
        for i in range(4):
            if 0 <= self._columns[i] < count:
                wanted[i] = stripped(cells[self._columns[i]])
            else:
                wanted[i].start = line
                wanted[i].size = 0
        if wanted[2].size > MAX_DESCRIPTION or not read_expiry(wanted[3], row):
            return False
        row.description = wanted[2]
        if not (self._read_date(wanted[1], row) and self._read_number(wanted[0], row)):
            return False
        if row.number.text[0] != c'+':
            return not self._full_only
        return row.number.tier == VALID_ or not self._valid_only

    cdef bint next(self, Walk *walk, PlainRow *row) except -1:
        """Read the row behind the one that was read last.

        False: it is not plain or not whole, or there is none; walk.at is where it would be.
        """
        cdef Py_ssize_t size, taken
        if walk.taken:
            walk.at += walk.taken
            walk.lines += 1
            walk.taken = 0
        if walk.at >= walk.end:
            return False
        size = line_size(walk.text + walk.at, walk.end - walk.at, &taken)
        if size < 0 or not self.read(walk.text + walk.at, size, row):
            return False
        walk.taken = taken
        return True

    cdef bint _read_number(self, Text cell, PlainRow *row) except -1:
        if cell.size == 0:
            return False
        if cell.size == 10 and cell.start[4] == c'-' and cell.start[7] == c'-':
            return False  # it may be a date
        while True:
            self._region.read(
                <const uint8_t *> cell.start, cell.size, &row.number, self._stored
            )
            if row.number.how != NEEDS_CODE:
                break
            load_calling_code(row.number.missing_code)
        if row.number.how == DECLINED_:
            return False
        # What numbers.read_entries refuses.
        if row.number.text[0] != c'+':
            if row.number.length >= NATIONAL_DIGITS:
                return False
        elif row.number.tier != VALID_ and (
            row.number.tier == IMPOSSIBLE_ or row.number.how == WITHOUT_PLUS_
        ):
            # Canonical text has no marks that were left out.
            if not (self._stored and cell.start[0] == c'+' and cell.size == row.number.length):
                return False
        row.key = pack_chars(row.number.text, row.number.length)
        return row.key != NO_NUMBER

    cdef bint _read_date(self, Text cell, PlainRow *row) except -1:
        cdef int year, month, day
        cdef bytes iso
        row.date = cell
        if cell.size == 0:
            return True
        if self._days is None:
            return is_day(cell, &year, &month, &day)
        iso = self._days.get(cell.start[:cell.size])
        if iso is None:
            return False
        row.date.start = PyBytes_AS_STRING(iso)
        row.date.size = PyBytes_GET_SIZE(iso)
        return True

    def collect(self, bytes buffer, Py_ssize_t at, c_array keys):
        """Put the keys of the plain rows from `at` on into keys, an array("Q").

        Gives where the first row is that is not plain or not whole, or that does not count for
        ever, and the lines before it.
        """
        cdef Walk walk = walk_from(buffer, at)
        cdef Py_ssize_t count = len(keys)
        cdef PlainRow row
        while self.next(&walk, &row) and row.expires_at == NEVER:
            resize_smart(keys, count + 1)
            keys.data.as_ulonglongs[count] = row.key
            count += 1
        return walk.at, walk.lines

    def find(self, bytes buffer, Py_ssize_t at, uint64_t number):
        """Look for the number with this key in the plain rows from `at` on.

        Gives where the first row is that is not plain or not whole, or is just behind the number's,
        the lines before that place, and where the number's row is (None: not found).
        """
        cdef Walk walk = walk_from(buffer, at)
        cdef PlainRow row
        while self.next(&walk, &row):
            if row.key == number:
                return walk.at + walk.taken, walk.lines + 1, walk.at
        return walk.at, walk.lines, None
