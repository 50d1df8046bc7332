"""What becomes of the numbers of a list while many of them are changed: for each, where its row is.

No row is kept in memory. Rows stand in four files: the list as it is; `additions` for numbers that
the list does not have; `changes` for new rows of other numbers; `before` for what those numbers,
and numbers that are taken out, had. Rows of the last three are as csv_list.format_row writes them.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

from loader.key_table cimport KeyTable, entry_key
from loader.plain_numbers cimport POSSIBLE_
from loader.plain_rows cimport NEVER, PlainReader, PlainRow, Text, Walk, line_size, walk_from
from loader.row_file cimport RowFile

cdef enum:
    MAX_ROW = 1 << 13       # of a row that is put together here

# The value of a number: where its row is, and what is known about it.
cdef extern from *:
    """
    #define CALLSIEVE_OFFSET ((UINT64_C(1) << 48) - 1)
    #define CALLSIEVE_SIMPLE (UINT64_C(1) << 48)
    #define CALLSIEVE_SEEN (UINT64_C(1) << 49)
    #define CALLSIEVE_DONE (UINT64_C(1) << 50)
    #define CALLSIEVE_LISTED (UINT64_C(1) << 51)
    #define CALLSIEVE_TAG (UINT64_C(3) << 60)
    #define CALLSIEVE_IN_ADDITIONS (UINT64_C(1) << 60)
    #define CALLSIEVE_IN_CHANGES (UINT64_C(2) << 60)
    #define CALLSIEVE_GONE (UINT64_C(3) << 60)
    """
    const uint64_t OFFSET "CALLSIEVE_OFFSET"
    const uint64_t SIMPLE "CALLSIEVE_SIMPLE"    # a plain row without expiry
    const uint64_t SEEN "CALLSIEVE_SEEN"        # named since the list was read
    const uint64_t DONE "CALLSIEVE_DONE"        # its row is in the new list
    const uint64_t LISTED "CALLSIEVE_LISTED"    # the list had it
    # In which file the row is; none of these: in the list as it was.
    const uint64_t TAG "CALLSIEVE_TAG"
    const uint64_t IN_ADDITIONS "CALLSIEVE_IN_ADDITIONS"
    const uint64_t IN_CHANGES "CALLSIEVE_IN_CHANGES"
    const uint64_t GONE "CALLSIEVE_GONE"


def entry_key_of(str number) -> int:
    """The key of an entry's canonical text. Raises ValueError for other text."""
    cdef bytes text = number.encode()
    cdef uint64_t key = entry_key(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
    if key == 0:
        raise ValueError(f"expected a canonical number, found {number[:40]!r}")
    return key


cdef inline uint64_t key_of_row(Text line) except? 0 nogil:
    """The key of a row that was written here: its first cell is canonical text."""
    cdef const char *end = <const char *> memchr(line.start, c',', line.size)
    return entry_key(line.start, line.size if end == NULL else end - line.start)


cdef inline bint same(Text a, Text b) noexcept nogil:
    return a.size == b.size and memcmp(a.start, b.start, a.size) == 0


cdef class EditTable:
    """The numbers of a list, and what is to become of them.

    list_reader: as the list's rows are read. added, updated, present, removed: numbers so far.
    possible: rows that take() took whose number is in no range that is in use.
    """

    cdef readonly int64_t added, updated, present, removed, possible
    cdef KeyTable _table
    cdef RowFile _list, _additions, _changes, _before
    cdef PlainReader _reader
    cdef readonly int64_t superseded

    def __cinit__(self, RowFile list_file not None, PlainReader list_reader not None,
                  RowFile additions not None, RowFile changes not None, RowFile before not None):
        self._table = KeyTable()
        self._list = list_file
        self._reader = list_reader
        self._additions = additions
        self._changes = changes
        self._before = before

    def __len__(self):
        """Different numbers: of the list, and those that were put."""
        return len(self._table)

    def scan(self, bytes buffer not None, Py_ssize_t at, int64_t base):
        """Learn the plain rows of the list from buffer[at] on, which is at base + at in its file.

        Gives where the first row is that is not plain or not whole, and the lines before it.
        """
        cdef Walk walk = walk_from(buffer, at)
        cdef PlainRow row
        cdef uint64_t *value
        while self._reader.next(&walk, &row):
            value = self._table.place(row.key)
            if value[0] == 0:
                value[0] = LISTED | <uint64_t> (base + walk.at)
                if row.expires_at == NEVER:
                    value[0] |= SIMPLE
        return walk.at, walk.lines

    def learn(self, uint64_t key, int64_t offset) -> None:
        """Learn a row of the list that is not plain."""
        cdef uint64_t *value = self._table.place(key)
        if value[0] == 0:
            value[0] = LISTED | <uint64_t> offset

    def take(self, bytes buffer not None, Py_ssize_t at, PlainReader reader not None,
             bytes today not None, bytes line_end not None, KeyTable kept_out):
        """Put the plain rows from buffer[at] on into the list.

        today: the date of a new number that has none. kept_out: what it has or covers is not taken,
        nor is an extension or short number; None: all are.
        Gives where the first row is that is not plain, not whole or not for this method, and the
        lines before it.
        """
        cdef Walk walk = walk_from(buffer, at)
        cdef PlainRow row
        cdef uint64_t *value
        while reader.next(&walk, &row) and row.expires.size == 0:
            if kept_out is not None and (
                row.number.text[0] != c'+' or kept_out.covering(row.key)
            ):
                break
            value = self._table.place(row.key)
            if value[0] == 0:
                if row.date.size == 0:
                    row.date.start = PyBytes_AS_STRING(today)
                    row.date.size = PyBytes_GET_SIZE(today)
                value[0] = SEEN | IN_ADDITIONS | self._write(self._additions, &row, line_end)
                self.added += 1
            elif value[0] & SIMPLE and value[0] & TAG != GONE:
                if row.date.size == 0 and row.description.size == 0:
                    self.present += 1
                    value[0] |= SEEN
                else:
                    self._merge(value, &row, line_end)
            else:
                break
            self.possible += row.number.tier == POSSIBLE_
        return walk.at, walk.lines

    cdef int _merge(self, uint64_t *value, PlainRow *row, bytes line_end) except -1:
        """Change what a number has to what `row` says, if that is more than is there."""
        cdef uint64_t tag = value[0] & TAG
        cdef PlainRow old
        cdef Py_ssize_t taken
        cdef Text line = self._file_of(value[0]).line(value[0] & OFFSET, &taken)
        value[0] |= SEEN
        if not self._reader.read(line.start, line.size, &old):
            raise OSError("expected the list's file as it was when it was locked, found another")
        if row.date.size == 0:
            row.date = old.date
        if row.description.size == 0:
            row.description = old.description
        if same(row.date, old.date) and same(row.description, old.description):
            self.present += 1
            return 0
        # Written first: the texts of `old` are valid until another row is read.
        if tag == IN_ADDITIONS:
            self.superseded += 1
        elif tag == 0:
            self._write(self._before, &old, b"\n")
        value[0] = value[0] & LISTED | SEEN | IN_CHANGES | self._write(
            self._changes, row, line_end
        )
        self.updated += 1
        return 0

    cdef RowFile _file_of(self, uint64_t value):
        if value & TAG == IN_ADDITIONS:
            return self._additions
        return self._changes if value & TAG == IN_CHANGES else self._list

    cdef uint64_t _write(self, RowFile out, const PlainRow *row, bytes line_end) except? 0:
        """Add the row to `out`; its offset, with SIMPLE when it is."""
        cdef char text[MAX_ROW]
        cdef Py_ssize_t size = row.number.length
        cdef bint quoted = memchr(row.description.start, c',', row.description.size) != NULL
        cdef uint64_t simple = 0 if quoted or row.expires.size else SIMPLE
        memcpy(text, row.number.text, size)
        text[size] = c','
        size += 1
        memcpy(text + size, row.date.start, row.date.size)
        size += row.date.size
        text[size] = c','
        size += 1
        if quoted:
            text[size] = c'"'
            size += 1
        memcpy(text + size, row.description.start, row.description.size)
        size += row.description.size
        if quoted:
            text[size] = c'"'
            size += 1
        text[size] = c','
        size += 1
        memcpy(text + size, row.expires.start, row.expires.size)
        size += row.expires.size
        memcpy(text + size, PyBytes_AS_STRING(line_end), PyBytes_GET_SIZE(line_end))
        size += PyBytes_GET_SIZE(line_end)
        return simple | <uint64_t> out.append_text(text, size)

    def current(self, uint64_t key) -> bytes | None:
        """The row that a number has now, without its line end; None: it has none."""
        cdef uint64_t *value = self._table.find(key)
        cdef Py_ssize_t taken
        cdef Text line
        if value == NULL or value[0] & TAG == GONE:
            return None
        line = self._file_of(value[0]).line(value[0] & OFFSET, &taken)
        return line.start[:line.size]

    def keep(self, uint64_t key) -> None:
        """A number that has what it is to have."""
        self._table.place(key)[0] |= SEEN
        self.present += 1

    def put(self, uint64_t key, bytes row not None, bytes before) -> None:
        """Give a number this row. before: the row that the list has for it, if it has one."""
        cdef uint64_t *value = self._table.place(key)
        cdef uint64_t tag = value[0] & TAG
        cdef PlainRow read
        cdef Py_ssize_t taken
        cdef Py_ssize_t size = line_size(PyBytes_AS_STRING(row), PyBytes_GET_SIZE(row), &taken)
        cdef uint64_t flags = value[0] & LISTED | SEEN
        if self._reader.read(PyBytes_AS_STRING(row), size, &read) and read.expires_at == NEVER:
            flags |= SIMPLE
        if value[0] == 0:
            value[0] = flags | IN_ADDITIONS | <uint64_t> <int64_t> self._additions.append(row)
            self.added += 1
            return
        if tag == IN_ADDITIONS:
            self.superseded += 1
        elif tag == GONE:
            self.removed -= 1
        elif tag == 0:
            self._before.append(before)
        value[0] = flags | IN_CHANGES | <uint64_t> <int64_t> self._changes.append(row)
        self.updated += 1

    def drop(self, uint64_t key, bytes before not None) -> None:
        """Take a number out of the list, in which it has the row `before` and no new one."""
        self._table.place(key)[0] = LISTED | GONE
        self._before.append(before)
        self.removed += 1

    def drop_same(self, RowFile rows not None, KeyTable left not None) -> list[int]:
        """Take out every number that has the very row that a batch gave it.

        rows: what the batch gave. left: gets the keys of numbers that have no row any more.
        Gives where the other rows are: what those numbers have is other text.
        """
        cdef Py_ssize_t taken, current_taken
        cdef int64_t start = 0
        cdef uint64_t key
        cdef uint64_t *value
        cdef Text line, current
        cdef list others = []
        while True:
            line = rows.line(start, &taken)
            if taken == 0:
                return others
            key = key_of_row(line)
            value = self._table.find(key)
            if key == 0:
                pass  # the header
            elif value == NULL or value[0] & TAG == GONE:
                left.place(key)
            else:
                current = self._file_of(value[0]).line(value[0] & OFFSET, &current_taken)
                if same(line, current):
                    value[0] = LISTED | GONE
                    self._append_row(self._before, line, b"\n")
                    self.removed += 1
                else:
                    others.append(start)
            start += taken

    def put_back(self, RowFile rows not None, KeyTable left not None, bytes line_end not None):
        """Give every number its row of `rows`, but those in `left` and those that have a row now.

        The latter are put into `left`. Gives how many numbers got their row.
        """
        cdef Py_ssize_t taken
        cdef int64_t start = 0
        cdef int64_t count = 0
        cdef uint64_t key
        cdef uint64_t *value
        cdef Text line
        while True:
            line = rows.line(start, &taken)
            if taken == 0:
                return count
            start += taken
            key = key_of_row(line)
            if key == 0 or left.find(key) != NULL:
                continue
            value = self._table.place(key)
            if value[0] == 0:
                value[0] = SEEN | IN_ADDITIONS | <uint64_t> self._append_row(
                    self._additions, line, line_end
                )
                self.added += 1
            elif value[0] & TAG == GONE:
                value[0] = LISTED | SEEN | IN_CHANGES | <uint64_t> self._append_row(
                    self._changes, line, line_end
                )
                self.removed -= 1
                self.updated += 1
            else:
                left.place(key)
                continue
            count += 1

    cdef int64_t _append_row(self, RowFile out, Text line, bytes line_end) except -1:
        cdef char text[MAX_ROW]
        cdef Py_ssize_t end = PyBytes_GET_SIZE(line_end)
        if line.size + end > MAX_ROW:
            raise OSError(f"expected a row of at most {MAX_ROW} bytes, found {line.size}")
        memcpy(text, line.start, line.size)
        memcpy(text + line.size, PyBytes_AS_STRING(line_end), end)
        return out.append_text(text, line.size + end)

    def copy(self, bytes buffer not None, Py_ssize_t at, int64_t base, RowFile out not None,
             bint replace):
        """Write to `out` what becomes of the list's plain rows from buffer[at] on, as for scan().

        replace: numbers that nothing was said about go.
        """
        cdef Walk walk = walk_from(buffer, at)
        cdef PlainRow row
        cdef uint64_t *value
        while self._reader.next(&walk, &row):
            value = self._table.find(row.key)
            if self._copy(value, walk.text + walk.at, walk.taken, base + walk.at, out, replace):
                self._write(self._before, &row, b"\n")
        return walk.at, walk.lines

    def copy_one(self, uint64_t key, bytes raw not None, int64_t offset, RowFile out not None,
                 bint replace, bytes row not None) -> None:
        """The same for one row that is not plain. row: as it is written to `before`."""
        if self._copy(self._table.find(key), PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw),
                      offset, out, replace):
            self._before.append(row)

    cdef bint _copy(self, uint64_t *value, const char *raw, Py_ssize_t size, int64_t offset,
                    RowFile out, bint replace) except -1:
        """Whether the row was the number's first, and the number goes."""
        cdef Py_ssize_t taken
        cdef Text line
        if value == NULL:
            raise OSError("expected the list's file as it was when it was locked, found another")
        if value[0] & TAG == 0:
            if replace and not value[0] & SEEN:
                if value[0] & OFFSET != <uint64_t> offset:
                    return False
                self.removed += 1
                return True
            out.append_text(raw, size)
        elif value[0] & TAG == IN_CHANGES and not value[0] & DONE:
            value[0] |= DONE
            line = self._changes.line(value[0] & OFFSET, &taken)
            out.append_text(line.start, taken)
        return False

    def copy_additions(self, RowFile out not None, int64_t start) -> None:
        """Write the rows of the new numbers, as they are in the end, to `out`.

        start: where the rows begin in the file of additions.
        """
        cdef Py_ssize_t taken, size
        cdef Text line
        cdef uint64_t value
        cdef int64_t end = self._additions.size
        while start < end:
            line = self._additions.line(start, &taken)
            size = taken
            value = self._table.find(key_of_row(line))[0]
            if value & TAG == IN_CHANGES:
                line = self._changes.line(value & OFFSET, &taken)
            if value & TAG != GONE:
                out.append_text(line.start, taken)
            start += size

    def copy_changes(self, RowFile out not None) -> None:
        """Write the new rows of the numbers that the list had to `out`."""
        cdef Py_ssize_t taken
        cdef Text line
        cdef uint64_t value
        cdef int64_t start = 0
        cdef int64_t end = self._changes.size
        while start < end:
            line = self._changes.line(start, &taken)
            value = self._table.find(key_of_row(line))[0]
            if value & LISTED and value & TAG == IN_CHANGES and value & OFFSET == <uint64_t> start:
                out.append_text(line.start, taken)
            start += taken
