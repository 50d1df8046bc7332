"""A number list as one immutable file that every process maps and shares."""

import mmap
import secrets
from array import array
from pathlib import Path

from lookup_core import snapshot_format
from lookup_core.errors import CorruptSnapshotError

cimport cython
from cpython.array cimport array as c_array
from cpython.array cimport resize
from cpython.long cimport PyLong_AsUnsignedLongLong
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from lookup_core.number_set cimport (
    cs_problem,
    cs_set,
    cs_set_close,
    cs_set_has,
    cs_set_has_many,
    cs_set_open,
    cs_set_slot,
    cs_set_slots,
)
from lookup_core.packing cimport ANONYMOUS, KEYS, is_e164, is_number, pack_text, text_key, unpack_key
from lookup_core.snapshot_building cimport as_keys, build_set, number_keys, prefix_keys

_HUGE_PAGE_BYTES = 2 * 2**20
# Drawing a number hits an empty slot now and then; a list of which nearly all was removed, often.
_DRAWS = 1000


@cython.final
cdef class _File:
    """A mapped file and the sets in it, for as long as anybody uses them."""

    cdef object path, data, layout
    cdef cs_set numbers, prefixes

    def __dealloc__(self):
        cs_set_close(&self.numbers)
        cs_set_close(&self.prefixes)

    cdef int open(self, path) except -1:
        self.path = Path(path)
        with self.path.open("rb") as file:
            # mmap refuses an empty file with an error of its own.
            head = file.read(1)
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if head else b""
        self.data = memoryview(mapped)
        self.layout = snapshot_format.read_layout(self.path, self.data)
        if len(self.data) >= _HUGE_PAGE_BYTES:
            # Where the file system has huge pages (tmpfs), fewer look-ups wait for the page table.
            mapped.madvise(mmap.MADV_HUGEPAGE)
        self._open_set(&self.numbers, 0)
        self._open_set(&self.prefixes, 2)

    cdef int _open_set(self, cs_set *opened, int index) except -1:
        """The set whose structure is section `index` and whose lines are the next one."""
        structure = self.layout.sections[index]
        lines = self.layout.sections[index + 1]
        snapshot_format.check_section(self.path, self.data, index, structure)
        # Sections start at multiples of 64 in a mapping that starts on a page.
        cdef const uint8_t[::1] data = self.data
        cdef uint64_t structure_offset = structure.offset
        cdef uint64_t lines_offset = lines.offset
        cdef const uint8_t *start = &data[0]
        cdef cs_problem problem
        cdef int result = cs_set_open(
            opened,
            start + structure_offset,
            structure.length,
            start + lines_offset,
            lines.length,
            &problem,
        )
        if result < 0:
            raise MemoryError(f"{self.path}: {structure.name}")
        if result > 0:
            place = structure.name if problem.row < 0 else f"{structure.name}[{problem.row}]"
            expected = problem.least
            if problem.least != problem.most:
                expected = f"{problem.least} to {problem.most}"
            field = problem.field.decode("ascii")
            raise CorruptSnapshotError(self.path, f"{place}.{field}", expected, problem.found)

    cdef int verify(self) except -1:
        for index, section in enumerate(self.layout.sections):
            snapshot_format.check_section(self.path, self.data, index, section)

    cdef set keys(self, const cs_set *of):
        """All keys of one of the sets. Raises CorruptSnapshotError."""
        cdef uint64_t key, slot
        cdef uint64_t slots = cs_set_slots(of)
        found = set()
        for slot in range(slots):
            if self.slot(of, slot, &key):
                found.add(key)
        return found

    cdef int slot(self, const cs_set *of, uint64_t index, uint64_t *key) except -1:
        """Whether there is something in the slot. Raises CorruptSnapshotError for what cannot be."""
        cdef int result = cs_set_slot(of, index, key)
        if result == 0:
            return 0
        if result < 0 or not (is_number(key[0]) or of is &self.prefixes):
            name = "prefixes" if of is &self.prefixes else "numbers"
            raise CorruptSnapshotError(
                self.path, f"{name}.lines", "a number that was written", f"another in slot {index}"
            )
        return 1


cdef struct Sets:
    # The sets of a snapshot. What is in `changed` is in the list when it is not in `numbers`, and
    # the other way round; without a delta both `changed` are NULL. `lengths`: of all prefixes.
    const cs_set *numbers
    const cs_set *prefixes
    const cs_set *changed
    const cs_set *changed_prefixes
    uint32_t lengths


cdef inline bint _has_number(const Sets *sets, uint64_t key) noexcept nogil:
    if sets.changed is NULL:
        return cs_set_has(sets.numbers, key)
    # The delta, which is in the cache, goes first: what is asked after a line that comes from memory
    # is asked twice, as the processor guesses wrong half of the time what that line has.
    cdef bint changed = cs_set_has(sets.changed, key)
    return cs_set_has(sets.numbers, key) != changed


cdef inline bint _has_prefix(const Sets *sets, uint64_t key) noexcept nogil:
    if sets.changed_prefixes is NULL:
        return cs_set_has(sets.prefixes, key)
    return cs_set_has(sets.prefixes, key) != cs_set_has(sets.changed_prefixes, key)


cdef inline uint64_t _longest_prefix(const Sets *sets, uint64_t key) noexcept nogil:
    """The longest prefix that the number is under, as the value of its digits; 0 for none."""
    cdef uint64_t rest = key
    cdef int digits = 0
    if sets.lengths == 0 or not is_e164(key):
        return 0
    while rest:
        digits += 1
        rest //= 10
    while digits:
        if sets.lengths >> digits & 1 and _has_prefix(sets, key):
            return key
        key //= 10
        digits -= 1
    return 0


cdef inline bint _has(const Sets *sets, uint64_t key) noexcept nogil:
    return _has_number(sets, key) or _longest_prefix(sets, key) != 0


cdef void _has_many(
    const Sets *sets, const uint64_t *keys, Py_ssize_t count, uint8_t *answers
) noexcept nogil:
    cdef Py_ssize_t i
    cs_set_has_many(sets.numbers, sets.changed, keys, count, answers)
    if sets.lengths:
        for i in range(count):
            if not answers[i]:
                answers[i] = _longest_prefix(sets, keys[i]) != 0


@cython.final
cdef class Snapshot:
    """An exact set of numbers and prefixes in a memory-mapped file. Made by `Snapshot.open`.

    Lookups take no lock and may come from any thread. The file may be replaced or deleted while it is
    open, but never truncated or written in place. After close() every use raises ValueError.
    """

    cdef readonly object path
    cdef _File _base
    cdef _File _delta
    cdef Sets _sets
    cdef Py_ssize_t _count

    @staticmethod
    def build(path, numbers, prefixes=(), *, seed=None) -> None:
        """Writes the snapshot file of `numbers` and `prefixes`; it appears complete or not at all.

        numbers: canonical texts or packed keys in any order, or a contiguous buffer of uint64 keys;
        duplicates count once. prefixes: texts such as "+48700*". seed: 64 bits; the same entries
        with the same seed make the same file. Without it nobody can tell which numbers will share
        a line.
        Raises ValueError or TypeError naming the place of a bad entry, OSError, MemoryError.
        """
        cdef c_array keys = number_keys(numbers, "numbers")
        cdef c_array stems = prefix_keys(prefixes, "prefixes")
        _write(path, keys, stems, _seed(seed))

    @staticmethod
    def build_delta(
        path, Snapshot base not None, add=(), remove=(), add_prefixes=(), remove_prefixes=(), *, seed=None
    ) -> None:
        """Writes a delta file: what `base`, with its own delta if it has one, is to become.

        It is laid over the base file with `Snapshot.open(base.path, delta=path)`. What is removed
        and added is there; removing what is not there and adding what is changes nothing.
        add, remove: as `numbers` of build(); the prefixes likewise. Meant for thousands of changes,
        not millions. Raises what build() raises.
        """
        # All that may run Python code, which may close the snapshot, comes before the first look at it.
        cdef c_array added = number_keys(add, "add")
        cdef c_array removed = number_keys(remove, "remove")
        cdef c_array added_prefixes = prefix_keys(add_prefixes, "add_prefixes")
        cdef c_array removed_prefixes = prefix_keys(remove_prefixes, "remove_prefixes")
        base._check_open()
        cdef _File file = base._base
        changed = _changed(base._changed_numbers(), &file.numbers, added, removed)
        changed_prefixes = _changed(
            base._changed_prefixes(), &file.prefixes, added_prefixes, removed_prefixes
        )
        _write_delta(path, file, changed, changed_prefixes, _seed(seed))

    @staticmethod
    def build_delta_since(
        path, Snapshot onto not None, Snapshot before not None, Snapshot after not None, *, seed=None
    ) -> None:
        """Writes the delta that makes `onto`, which has the entries of `before`, those of `after`.

        before, after: one file with two deltas, or without one. Raises ValueError when they are not,
        and what build() raises.
        """
        for snapshot in (onto, before, after):
            (<Snapshot> snapshot)._check_open()
        if before._base.layout.identity != after._base.layout.identity:
            raise ValueError(f"expected deltas of one file, found {before.path} and {after.path}")
        _write_delta(
            path,
            onto._base,
            before._changed_numbers() ^ after._changed_numbers(),
            before._changed_prefixes() ^ after._changed_prefixes(),
            _seed(seed),
        )

    @staticmethod
    def open(path, *, delta=None) -> Snapshot:
        """Maps a snapshot file, and a delta over it; checks all but the snapshot's lines.

        Those are checked by verify(): opening takes no longer for a larger list.
        Raises CorruptSnapshotError, FormatVersionError, OSError, MemoryError.
        """
        cdef Snapshot self = Snapshot.__new__(Snapshot)
        cdef _File base = _File()
        base.open(path)
        _expect(base, "base_identity", 0, base.layout.base_identity)
        _expect(base, "number_count", base.numbers.number_count, base.layout.number_count)
        self.path = base.path
        self._count = base.numbers.number_count
        self._sets.numbers = &base.numbers
        self._sets.prefixes = &base.prefixes
        self._sets.lengths = base.prefixes.digit_lengths
        cdef _File changes
        if delta is not None:
            changes = _File()
            changes.open(delta)
            _expect(changes, "base_identity", base.layout.identity, changes.layout.base_identity)
            changes.verify()
            self._count = _changed_count(base, changes)
            self._sets.changed = &changes.numbers
            self._sets.changed_prefixes = &changes.prefixes
            self._sets.lengths |= changes.prefixes.digit_lengths
            self._delta = changes
        self._base = base
        return self

    cdef inline int _check_open(self) except -1:
        if self._base is None:
            raise ValueError("the snapshot is closed")
        return 0

    def __contains__(self, number: str | int) -> bool:
        """Whether the number, as canonical text or packed key, is in the list or under a prefix."""
        cdef uint64_t key
        self._check_open()
        if isinstance(number, str):
            key = text_key(<str> number)
            return _has(&self._sets, key if key else pack_text(number))
        if isinstance(number, int):
            # As for a set: an int that is no key is not an error, it is not there.
            if not 0 <= number < KEYS:
                return False
            return _has(&self._sets, PyLong_AsUnsignedLongLong(number))
        raise TypeError(f"expected str or int, found {type(number).__name__}")

    def match(self, str text not None) -> str | None:
        """The entry that the number matches: itself, else the longest prefix such as "+48700*".

        Raises ValueError for text that is no canonical number.
        """
        self._check_open()
        cdef uint64_t key = pack_text(text)
        if _has_number(&self._sets, key):
            return text
        key = _longest_prefix(&self._sets, key)
        return f"+{key}*" if key else None

    def contains_many(self, keys) -> bytearray:
        """One byte for each packed key of a contiguous uint64 buffer: 1 in the list, 0 not."""
        cdef const uint64_t[::1] queries = as_keys(keys)
        self._check_open()
        # Another thread may close the snapshot: these keep the files mapped until the end.
        held = (self._base, self._delta)
        cdef Sets sets = self._sets
        cdef Py_ssize_t count = queries.shape[0]
        cdef bytearray found = bytearray(count)
        cdef uint8_t *answers = <uint8_t *> <char *> found
        if count:
            with nogil:
                _has_many(&sets, &queries[0], count, answers)
        del held
        return found

    def __len__(self) -> int:
        self._check_open()
        return self._count

    def __iter__(self):
        """The canonical texts of the exact numbers, in no particular order."""
        self._check_open()
        return self._texts()

    def _texts(self):
        cdef uint64_t key, slot
        cdef uint64_t slots = self._slots()
        for slot in range(slots):
            key = self._key_in(slot)
            if key:
                yield unpack_key(key)

    cdef uint64_t _slots(self) except? 0:
        """The slots of the base file's numbers and, after those, of the delta's."""
        self._check_open()
        if self._sets.changed is NULL:
            return cs_set_slots(self._sets.numbers)
        return cs_set_slots(self._sets.numbers) + cs_set_slots(self._sets.changed)

    cdef uint64_t _key_in(self, uint64_t slot) except? 0:
        """The list's number in one of the _slots(); 0 for none."""
        # Between two slots the caller may have run Python code, which may have closed the snapshot.
        self._check_open()
        cdef uint64_t key
        cdef uint64_t base_slots = cs_set_slots(self._sets.numbers)
        if slot < base_slots:
            if self._base.slot(self._sets.numbers, slot, &key):
                if self._sets.changed is NULL or not cs_set_has(self._sets.changed, key):
                    return key
        elif self._delta.slot(self._sets.changed, slot - base_slots, &key):
            if not cs_set_has(self._sets.numbers, key):
                return key
        return 0

    cdef set _changed_numbers(self):
        return set() if self._delta is None else self._delta.keys(&self._delta.numbers)

    cdef set _changed_prefixes(self):
        return set() if self._delta is None else self._delta.keys(&self._delta.prefixes)

    def keys(self) -> array:
        """The packed keys of the exact numbers as array("Q"), in no particular order."""
        cdef c_array keys = array("Q")
        cdef uint64_t slots = self._slots()
        cdef uint64_t slot, key
        cdef Py_ssize_t count = 0
        resize(keys, self._count)
        for slot in range(slots):
            key = self._key_in(slot)
            if key:
                if count == self._count:
                    break
                keys.data.as_ulonglongs[count] = key
                count += 1
        else:
            if count == self._count:
                return keys
        raise CorruptSnapshotError(
            self.path, "numbers.lines", f"{self._count} numbers", "another number of them"
        )

    def has_entries_of(self, Snapshot other not None) -> bool:
        """Whether the two have the same numbers and prefixes. Raises CorruptSnapshotError."""
        cdef uint64_t slot, key
        if len(self) != len(other) or set(self.prefixes) != set(other.prefixes):
            return False
        # As in contains_many().
        held = (self._base, self._delta)
        cdef Sets sets = self._sets
        cdef uint64_t slots = other._slots()
        for slot in range(slots):
            key = other._key_in(slot)
            if key and not _has_number(&sets, key):
                return False
        del held
        return True

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefix entries, such as "+48700*"."""
        self._check_open()
        found = self._base.keys(&self._base.prefixes) ^ self._changed_prefixes()
        return tuple([f"+{key}*" for key in found])

    @property
    def nbytes(self) -> int:
        """Bytes of the files, and of memory when all of them is resident."""
        self._check_open()
        return len(self._base.data) + (len(self._delta.data) if self._delta is not None else 0)

    def random(self, rng) -> str | None:
        """One of the exact numbers, each as likely; never "anonymous"; None when there is none.

        rng: random.Random.
        """
        cdef uint64_t key
        self._check_open()
        if self._count <= _has_number(&self._sets, ANONYMOUS):
            return None
        slots = self._slots()
        for _ in range(_DRAWS):
            key = self._key_in(rng.randrange(slots))
            if key and key != ANONYMOUS:
                return unpack_key(key)
        return rng.choice([text for text in self if text != "anonymous"])

    def verify(self) -> None:
        """Reads the whole file and compares its checksums. Raises CorruptSnapshotError.

        May run in another thread: it lets others have their turn, and keeps the file mapped.
        """
        self._check_open()
        for file in (self._base, self._delta):
            if file is not None:
                (<_File> file).verify()

    def close(self) -> None:
        """Lets go of the files. The mapping ends with the last call that still uses it."""
        self._base = None
        self._delta = None


cdef int _expect(_File file, str field, expected, found) except -1:
    if found != expected:
        raise CorruptSnapshotError(file.path, field, expected, found)


cdef Py_ssize_t _changed_count(_File base, _File changes) except -1:
    """How many numbers base and delta have together: what the delta says, if that can be."""
    cdef Py_ssize_t before = base.numbers.number_count
    cdef Py_ssize_t changed = changes.numbers.number_count
    count = changes.layout.number_count
    least, most = max(0, before - changed), before + changed
    if not least <= count <= most or (count - least) % 2 != (before - changed - least) % 2:
        raise CorruptSnapshotError(changes.path, "number_count", f"{least} to {most}", count)
    return count


cdef set _changed(set changed, const cs_set *base, c_array add, c_array remove):
    """`changed`, in what a list differs from `base`, after these have been removed and added."""
    cdef uint64_t key
    for key in remove:
        if cs_set_has(base, key):
            changed.add(key)
        else:
            changed.discard(key)
    for key in add:
        if cs_set_has(base, key):
            changed.discard(key)
        else:
            changed.add(key)
    return changed


cdef int _write_delta(path, _File base, set changed, set changed_prefixes, uint64_t seed) except -1:
    cdef Py_ssize_t count = base.numbers.number_count
    cdef uint64_t key
    for key in changed:
        count += -1 if cs_set_has(&base.numbers, key) else 1
    _write(
        path, array("Q", changed), array("Q", changed_prefixes), seed, base.layout.identity, count
    )


cdef int _write(
    path, c_array keys, c_array prefixes, uint64_t seed, base_identity=0, count=None
) except -1:
    found, structure, lines = build_set(keys, seed, base_identity != 0)
    _, prefix_structure, prefix_lines = build_set(prefixes, seed, True)
    snapshot_format.write_snapshot(
        Path(path),
        found if count is None else count,
        (structure, lines, prefix_structure, prefix_lines),
        base_identity,
    )


cdef uint64_t _seed(seed) except? 0:
    return secrets.randbits(64) if seed is None else PyLong_AsUnsignedLongLong(seed)
