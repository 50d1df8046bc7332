"""A number list as one immutable file that every process maps and shares."""

import mmap
from array import array
from pathlib import Path

from lookup_core import snapshot_format
from lookup_core.errors import CorruptSnapshotError

cimport cython
from cpython.array cimport array as c_array
from cpython.array cimport resize, resize_smart
from cpython.buffer cimport PyObject_CheckBuffer
from cpython.long cimport PyLong_AsUnsignedLongLong
from libc.stdint cimport uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcpy

from lookup_core.packing cimport (
    ANONYMOUS,
    MAX_PREFIX,
    is_e164,
    is_number,
    pack_text,
    prefix_chars,
    unpack_key,
)

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    const unsigned char *PyUnicode_1BYTE_DATA(object text)

_EXPECTED_PREFIX = "'+', 1 to 14 digits of which the first is 1-9, and '*'"


cdef struct Table:
    # Pointers into the mapped file; the keys of each are ascending.
    const uint64_t *numbers
    Py_ssize_t number_count
    const uint64_t *prefixes
    Py_ssize_t prefix_count


cdef inline bint _find(const uint64_t *keys, Py_ssize_t count, uint64_t key) noexcept nogil:
    """Whether the ascending `keys` have `key`. Reads keys[0 .. count - 1] only, whatever they hold."""
    cdef Py_ssize_t half
    if count == 0:
        return False
    while count > 1:
        half = count >> 1
        # One conditional move: the outcome is random, so a branch would be mispredicted half the time.
        keys = keys + half if keys[half] <= key else keys
        count -= half
    return keys[0] == key


cdef inline bint _has_number(const Table *table, uint64_t key) noexcept nogil:
    return _find(table.numbers, table.number_count, key)


cdef inline uint64_t _longest_prefix(const Table *table, uint64_t key) noexcept nogil:
    """The longest prefix that the number is under, as the value of its digits; 0 for none."""
    if table.prefix_count and is_e164(key):
        while key:
            if _find(table.prefixes, table.prefix_count, key):
                return key
            key //= 10
    return 0


cdef inline bint _has(const Table *table, uint64_t key) noexcept nogil:
    return _has_number(table, key) or _longest_prefix(table, key) != 0


@cython.final
cdef class Snapshot:
    """An exact set of numbers and prefixes in a memory-mapped file. Made by `Snapshot.open`.

    Lookups take no lock and may come from any thread. The file may be replaced or deleted while it is
    open, but never truncated or written in place. After close() every use raises ValueError.
    """

    cdef readonly object path
    cdef const unsigned char[::1] _data
    cdef Table _table

    @staticmethod
    def build(path, numbers, prefixes=()) -> None:
        """Writes the snapshot file of `numbers` and `prefixes`; it appears complete or not at all.

        numbers: canonical texts or packed keys in any order, or a contiguous buffer of uint64 keys;
        duplicates count once. prefixes: texts such as "+48700*".
        Raises ValueError or TypeError naming the place of a bad entry, OSError.
        """
        cdef c_array keys = _collect(numbers)
        cdef c_array stems = _collect_prefixes(prefixes)
        snapshot_format.write_snapshot(
            Path(path),
            len(keys),
            {
                snapshot_format.SECTION_NUMBERS: memoryview(keys).cast("B"),
                snapshot_format.SECTION_PREFIXES: memoryview(stems).cast("B"),
            },
        )

    @staticmethod
    def open(path) -> "Snapshot":
        """Maps a snapshot file and checks its header, structure and prefixes; see verify() for the rest.

        Raises CorruptSnapshotError, FormatVersionError, OSError.
        """
        path = Path(path)
        with path.open("rb") as file:
            # mmap refuses an empty file with an error of its own.
            head = file.read(1)
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if head else b""
        cdef Snapshot self = Snapshot.__new__(Snapshot)
        data = memoryview(mapped)
        layout = snapshot_format.read_layout(path, data)
        kinds = [section.kind for section in layout.sections]
        expected = [snapshot_format.SECTION_NUMBERS, snapshot_format.SECTION_PREFIXES]
        if kinds != expected:
            raise CorruptSnapshotError(path, "section.kind", expected, kinds)
        numbers, prefixes = layout.sections
        if numbers.length != 8 * layout.number_count:
            raise CorruptSnapshotError(
                path, "section[0].length", 8 * layout.number_count, numbers.length
            )
        if prefixes.length % 8:
            raise CorruptSnapshotError(
                path, "section[1].length", "a multiple of 8", prefixes.length
            )
        snapshot_format.check_section(path, data, 1, prefixes)
        self.path = path
        self._data = data
        # Offsets of sections are multiples of 64 in a mapping that starts on a page.
        cdef const unsigned char *start = &self._data[0]
        cdef Table table
        table.numbers = <const uint64_t *> (start + <Py_ssize_t> numbers.offset)
        table.number_count = layout.number_count
        table.prefixes = <const uint64_t *> (start + <Py_ssize_t> prefixes.offset)
        table.prefix_count = prefixes.length // 8
        cdef uint64_t before = 0
        cdef Py_ssize_t i
        for i in range(table.prefix_count):
            if not before < table.prefixes[i] <= MAX_PREFIX:
                raise CorruptSnapshotError(
                    path, f"prefixes[{i}]", f"{before + 1} to {MAX_PREFIX}", table.prefixes[i]
                )
            before = table.prefixes[i]
        self._table = table
        return self

    cdef inline int _check_open(self) except -1:
        if self._table.numbers is NULL:
            raise ValueError("the snapshot is closed")
        return 0

    cdef str _number(self, Py_ssize_t index):
        """The canonical text of one number of the table."""
        text = unpack_key(self._table.numbers[index])
        if text is None:
            raise CorruptSnapshotError(
                self.path, f"numbers[{index}]", "a packed number", hex(self._table.numbers[index])
            )
        return text

    def __contains__(self, number: str | int) -> bool:
        """Whether the number, as canonical text or packed key, is in the list or under a prefix."""
        self._check_open()
        if isinstance(number, str):
            return _has(&self._table, pack_text(number))
        if isinstance(number, int):
            # As for a set: an int that is no key is not an error, it is not there.
            if not 0 <= number <= ANONYMOUS:
                return False
            return _has(&self._table, PyLong_AsUnsignedLongLong(number))
        raise TypeError(f"expected str or int, found {type(number).__name__}")

    def match(self, str text not None) -> str | None:
        """The entry that the number matches: itself, else the longest prefix such as "+48700*".

        Raises ValueError for text that is no canonical number.
        """
        self._check_open()
        cdef uint64_t key = pack_text(text)
        if _has_number(&self._table, key):
            return text
        key = _longest_prefix(&self._table, key)
        return f"+{key}*" if key else None

    def contains_many(self, keys) -> bytearray:
        """One byte for each packed key of a contiguous uint64 buffer: 1 in the list, 0 not."""
        self._check_open()
        cdef const uint64_t[::1] queries = _as_keys(keys)
        # Another thread may close the snapshot: this reference keeps the file mapped until the end.
        cdef const unsigned char[::1] held = self._data
        cdef Table table = self._table
        cdef Py_ssize_t count = queries.shape[0]
        cdef bytearray found = bytearray(count)
        cdef unsigned char *answers = <unsigned char *> <char *> found
        cdef Py_ssize_t i
        with nogil:
            for i in range(count):
                answers[i] = _has(&table, queries[i])
        return found

    def __len__(self) -> int:
        self._check_open()
        return self._table.number_count

    def __iter__(self):
        """The canonical texts of the exact numbers, in no particular order."""
        self._check_open()
        return self._texts(self._table.number_count)

    def _texts(self, Py_ssize_t count):
        cdef Py_ssize_t i
        for i in range(count):
            self._check_open()
            yield self._number(i)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefix entries, such as "+48700*"."""
        self._check_open()
        return tuple([f"+{self._table.prefixes[i]}*" for i in range(self._table.prefix_count)])

    @property
    def nbytes(self) -> int:
        """Bytes of the file, and of memory when all of it is resident."""
        self._check_open()
        return self._data.shape[0]

    def random(self, rng) -> str | None:
        """One of the exact numbers, each as likely; never "anonymous"; None when there is none.

        rng: random.Random.
        """
        self._check_open()
        cdef Py_ssize_t count = self._table.number_count
        # The greatest key of all, so it is the last.
        if count and self._table.numbers[count - 1] == ANONYMOUS:
            count -= 1
        return self._number(rng.randrange(count)) if count else None

    def verify(self) -> None:
        """Reads the whole file and compares its checksums. Raises CorruptSnapshotError."""
        self._check_open()
        data = memoryview(self._data)
        layout = snapshot_format.read_layout(self.path, data)
        for index, section in enumerate(layout.sections):
            snapshot_format.check_section(self.path, data, index, section)

    def close(self) -> None:
        """Lets go of the file. The mapping ends with the last call that still uses it."""
        self._table.numbers = NULL
        self._table.number_count = 0
        self._table.prefixes = NULL
        self._table.prefix_count = 0
        self._data = None


cdef const uint64_t[::1] _as_keys(keys):
    try:
        return keys
    except (ValueError, TypeError, BufferError) as error:
        raise TypeError(f"expected a contiguous buffer of uint64, found {type(keys).__name__}: {error}")


cdef int _ascending(const void *a, const void *b) noexcept nogil:
    cdef uint64_t left = (<const uint64_t *> a)[0]
    cdef uint64_t right = (<const uint64_t *> b)[0]
    return (left > right) - (left < right)


cdef c_array _sorted_set(c_array keys):
    """Sorts in place and drops duplicates."""
    cdef Py_ssize_t count = len(keys)
    cdef uint64_t *values = <uint64_t *> keys.data.as_ulonglongs
    cdef Py_ssize_t kept = 0
    cdef Py_ssize_t i
    with nogil:
        qsort(values, count, sizeof(uint64_t), _ascending)
        for i in range(count):
            if i == 0 or values[i] != values[kept - 1]:
                values[kept] = values[i]
                kept += 1
    resize(keys, kept)
    return keys


cdef c_array _collect(numbers):
    """The packed keys of Snapshot.build's numbers, ascending, each once."""
    cdef c_array keys = array("Q")
    cdef const uint64_t[::1] given
    cdef Py_ssize_t count = 0
    cdef uint64_t key
    if isinstance(numbers, str):
        raise TypeError("numbers: expected an iterable of numbers, found one str")
    if PyObject_CheckBuffer(numbers):
        given = _as_keys(numbers)
        count = given.shape[0]
        for i in range(count):
            if not is_number(given[i]):
                raise ValueError(f"numbers[{i}]: expected a packed number, found {given[i]:#x}")
        if count:
            resize(keys, count)
            memcpy(keys.data.as_ulonglongs, &given[0], count * sizeof(uint64_t))
        return _sorted_set(keys)
    for number in numbers:
        if isinstance(number, str):
            try:
                key = pack_text(number)
            except ValueError as error:
                raise ValueError(f"numbers[{count}]: {error}") from None
        elif isinstance(number, int):
            key = PyLong_AsUnsignedLongLong(number) if 0 <= number <= ANONYMOUS else 0
            if not is_number(key):
                raise ValueError(
                    f"numbers[{count}]: expected a packed number, found {hex(number)[:40]}"
                )
        else:
            raise TypeError(
                f"numbers[{count}]: expected str or int, found {type(number).__name__}"
            )
        resize_smart(keys, count + 1)
        keys.data.as_ulonglongs[count] = key
        count += 1
    return _sorted_set(keys)


cdef c_array _collect_prefixes(prefixes):
    """The values of the prefixes' digits, ascending, each once."""
    cdef c_array stems = array("Q")
    cdef uint64_t stem
    if isinstance(prefixes, str):
        raise TypeError("prefixes: expected an iterable of prefixes, found one str")
    for i, prefix in enumerate(prefixes):
        if not isinstance(prefix, str):
            raise TypeError(f"prefixes[{i}]: expected str, found {type(prefix).__name__}")
        stem = 0
        if PyUnicode_IS_ASCII(prefix):
            stem = prefix_chars(<const char *> PyUnicode_1BYTE_DATA(prefix), len(prefix))
        if stem == 0:
            raise ValueError(f"prefixes[{i}]: expected {_EXPECTED_PREFIX}, found {prefix[:40]!r}")
        stems.append(stem)
    return _sorted_set(stems)
