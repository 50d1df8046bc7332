"""A number list as one immutable file that every process maps and shares."""

import secrets
from array import array
from pathlib import Path

from lookup_core.address_rows import address_rows, changed_addresses, is_address
from lookup_core.errors import CorruptSnapshotError

cimport cython
from cpython.array cimport array as c_array
from cpython.array cimport resize, resize_smart
from cpython.long cimport PyLong_AsUnsignedLongLong
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from lookup_core.entry_ends cimport (
    NEVER,
    UNASKED,
    EndRow,
    Ends,
    clock_microseconds,
    end_rows,
    sorted_rows,
)
from lookup_core.list_files cimport (
    Sets,
    counts,
    end_of,
    has,
    has_ended,
    has_entry,
    has_many,
    has_number,
    longest_prefix,
)
from lookup_core.number_set cimport cs_set_has, cs_set_slots
from lookup_core.packing cimport (
    ANONYMOUS,
    KEYS,
    NUMBERLESS,
    PREFIX_BIT,
    is_word,
    pack_entry_text,
    pack_text,
    text_key,
    unpack_entry_key,
    unpack_key,
)
from lookup_core.snapshot_building cimport as_keys, number_keys, prefix_keys
from lookup_core.snapshot_file cimport SnapshotFile
from lookup_core.snapshot_writing cimport changed_keys, write, write_delta

# Drawing a number hits an empty slot now and then; a list of which nearly all was removed, often.
_DRAWS = 1000


@cython.final
cdef class Snapshot:
    """An exact set of numbers, prefixes and SIP addresses in a memory-mapped file. Made by
    `Snapshot.open`.

    An entry may have an end, in microseconds since 1970. Asked for a number (`in`, match(),
    contains_many(), random()), an entry that has ended is not there: its end is before `now`, which
    is the system's clock unless it is given. What tells of the entries themselves has those too.

    Lookups take no lock and may come from any thread. The file may be replaced or deleted while it is
    open, but never truncated or written in place. After close() every use raises ValueError.
    """

    cdef readonly object path
    cdef SnapshotFile _base
    cdef SnapshotFile _delta
    cdef Sets _sets
    cdef Py_ssize_t _count
    cdef object _addresses

    @staticmethod
    def build(path, numbers, prefixes=(), *, ends=(), addresses={}, seed=None) -> None:
        """Writes the snapshot file of these entries; it appears complete or not at all.

        numbers: canonical texts or packed keys in any order, or a contiguous buffer of uint64 keys;
        duplicates count once. prefixes: texts such as "+48700*". ends: pairs of an entry that ends,
        as canonical text or packed by pack_entry(), and its end; it need not be among the others.
        addresses: texts such as "sip:alice@example.com", 100,000 at most, and their ends, or None.
        seed: 64 bits; the same entries with the same seed make the same file. Without it nobody can
        tell which numbers will share a line.
        Raises ValueError or TypeError naming the place of a bad entry, OSError, MemoryError.
        """
        cdef c_array keys = number_keys(numbers, "numbers")
        cdef c_array stems = prefix_keys(prefixes, "prefixes")
        cdef c_array rows = end_rows(ends, "ends")
        cdef const EndRow *ending = <const EndRow *> rows.data.as_ulonglongs
        cdef int64_t first = NEVER
        cdef Py_ssize_t i
        for i in range(len(rows) // 2):
            if ending[i].entry & PREFIX_BIT:
                stems.append(ending[i].entry ^ PREFIX_BIT)
            else:
                keys.append(ending[i].entry)
            first = min(first, ending[i].end)
        write(path, keys, stems, rows, first, address_rows(addresses), _seed(seed))

    @staticmethod
    def build_delta(
        path,
        Snapshot base not None,
        add=(),
        remove=(),
        add_prefixes=(),
        remove_prefixes=(),
        *,
        ends=(),
        add_addresses={},
        remove_addresses=(),
        seed=None,
    ) -> None:
        """Writes a delta file: what `base`, with its own delta if it has one, is to become.

        It is laid over the base file with `Snapshot.open(base.path, delta=path)`. What is removed
        and added is there; removing what is not there and adding what is changes nothing, except
        that what had an end has none. add, remove: as `numbers` of build(); the prefixes likewise.
        ends: as for build(): entries that are added with an end. Meant for thousands of changes,
        not millions. All addresses are written anew when one changes. Raises what build() raises.
        """
        # All that may run Python code, which may close the snapshot, comes before the first look at it.
        cdef c_array added = number_keys(add, "add")
        cdef c_array removed = number_keys(remove, "remove")
        cdef c_array added_prefixes = prefix_keys(add_prefixes, "add_prefixes")
        cdef c_array removed_prefixes = prefix_keys(remove_prefixes, "remove_prefixes")
        cdef c_array ending = end_rows(ends, "ends")
        base._check_open()
        addresses = changed_addresses(base.addresses, add_addresses, remove_addresses)
        base._check_open()
        cdef SnapshotFile file = base._base
        changed_ends = base._changed_ends()
        for key in (*removed, *[prefix | PREFIX_BIT for prefix in removed_prefixes]):
            changed_ends.pop(key, None)
        for key in (*added, *[prefix | PREFIX_BIT for prefix in added_prefixes]):
            changed_ends[key] = NEVER
        cdef const EndRow *row = <const EndRow *> ending.data.as_ulonglongs
        for _ in range(len(ending) // 2):
            changed_ends[row.entry] = row.end
            if row.entry & PREFIX_BIT:
                added_prefixes.append(row.entry ^ PREFIX_BIT)
            else:
                added.append(row.entry)
            row += 1
        changed = changed_keys(base._changed_numbers(), &file.numbers, added, removed)
        changed_prefixes = changed_keys(
            base._changed_prefixes(), &file.prefixes, added_prefixes, removed_prefixes
        )
        write_delta(
            path, file, changed, changed_prefixes, changed_ends, addresses, _seed(seed)
        )

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
        changed = before._changed_numbers() ^ after._changed_numbers()
        changed_prefixes = before._changed_prefixes() ^ after._changed_prefixes()
        # The ends that may differ, and those of what `onto` has not.
        entries = {*before._changed_ends(), *after._changed_ends(), *changed}
        entries.update([key | PREFIX_BIT for key in changed_prefixes])
        changed_ends = {key: end_of(&after._sets, key) for key in entries}
        write_delta(
            path,
            onto._base,
            changed,
            changed_prefixes,
            changed_ends,
            after.addresses,
            _seed(seed),
        )

    @staticmethod
    def open(path, *, delta=None) -> Snapshot:
        """Maps a snapshot file, and a delta over it; checks all but the snapshot's lines.

        Those are checked by verify(): opening takes no longer for a larger list.
        Raises CorruptSnapshotError, FormatVersionError, OSError, MemoryError.
        """
        cdef Snapshot self = Snapshot.__new__(Snapshot)
        cdef SnapshotFile base = SnapshotFile()
        base.open(path)
        _expect(base, "base_identity", 0, base.layout.base_identity)
        _expect(base, "number_count", base.numbers.number_count, base.layout.number_count)
        self.path = base.path
        self._count = base.numbers.number_count
        self._sets.numbers = &base.numbers
        self._sets.prefixes = &base.prefixes
        self._sets.lengths = base.prefixes.digit_lengths
        self._sets.ends = &base.ends
        self._sets.first_end = base.ends.first
        self._addresses = base.addresses
        cdef SnapshotFile changes
        if delta is not None:
            changes = SnapshotFile()
            changes.open(delta)
            _expect(changes, "base_identity", base.layout.identity, changes.layout.base_identity)
            changes.verify()
            self._count = _changed_count(base, changes)
            self._sets.changed = &changes.numbers
            self._sets.changed_prefixes = &changes.prefixes
            self._sets.lengths |= changes.prefixes.digit_lengths
            self._sets.changed_ends = &changes.ends
            self._sets.first_end = changes.ends.first
            self._delta = changes
            if changes.addresses is not None:
                self._addresses = changes.addresses
        self._base = base
        return self

    cdef inline int _check_open(self) except -1:
        if self._base is None:
            raise ValueError("the snapshot is closed")
        return 0

    def __contains__(self, number: str | int) -> bool:
        """Whether the number, as canonical text or packed key, is in the list or under a prefix."""
        cdef uint64_t key
        cdef int64_t now = UNASKED
        self._check_open()
        if isinstance(number, str):
            key = text_key(<str> number)
            return has(&self._sets, key if key else pack_text(number), &now)
        if isinstance(number, int):
            # As for a set: an int that is no key is not an error, it is not there.
            if not 0 <= number < KEYS:
                return False
            return has(&self._sets, PyLong_AsUnsignedLongLong(number), &now)
        raise TypeError(f"expected str or int, found {type(number).__name__}")

    def match(self, str text not None, now=None) -> str | None:
        """The entry that the number or SIP address matches: itself, else the longest prefix such as
        "+48700*"; of an address, else all users of its host, "sip:*@example.com".

        Raises ValueError for text that is neither canonical.
        """
        cdef int64_t moment = _moment(now)
        self._check_open()
        cdef uint64_t key = text_key(text)
        if key == 0:
            if is_address(text):
                return self._addresses.match(
                    text, clock_microseconds() if moment == UNASKED else moment
                )
            pack_text(text)  # says what was expected
        if counts(&self._sets, key, &moment):
            return text
        key = longest_prefix(&self._sets, key, &moment)
        return f"+{key}*" if key else None

    def contains_many(self, keys, now=None) -> bytearray:
        """One byte for each packed key of a contiguous uint64 buffer: 1 in the list, 0 not."""
        cdef const uint64_t[::1] queries = as_keys(keys)
        cdef int64_t moment = _moment(now)
        self._check_open()
        # Another thread may close the snapshot: these keep the files mapped until the end.
        held = (self._base, self._delta)
        cdef Sets sets = self._sets
        cdef Py_ssize_t count = queries.shape[0]
        cdef bytearray found = bytearray(count)
        cdef uint8_t *answers = <uint8_t *> <char *> found
        if count:
            with nogil:
                has_many(&sets, &queries[0], count, answers, moment)
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

    cdef dict _changed_ends(self):
        """What the delta says of ends: by entry, NEVER too."""
        cdef dict found = {}
        cdef uint64_t i
        if self._delta is not None:
            for i in range(self._delta.ends.count):
                found[self._delta.ends.rows[i].entry] = self._delta.ends.rows[i].end
        return found

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
        """Whether the two have the same numbers, prefixes and addresses, with the same ends.

        Raises CorruptSnapshotError.
        """
        cdef uint64_t slot, key
        if len(self) != len(other) or set(self.prefixes) != set(other.prefixes):
            return False
        if self.addresses != other.addresses:
            return False
        # As in contains_many().
        held = (self._base, self._delta)
        cdef Sets sets = self._sets
        cdef uint64_t slots = other._slots()
        for slot in range(slots):
            key = other._key_in(slot)
            if key and not has_number(&sets, key):
                return False
        del held
        return self._ending(NEVER) == other._ending(NEVER)

    def has_entry(self, str entry not None) -> bool:
        """Whether this very entry is in the list, ended or not. Raises ValueError."""
        self._check_open()
        if is_address(entry):
            return self._addresses.end_of(entry) is not None
        return has_entry(&self._sets, pack_entry_text(entry))

    @property
    def first_end(self) -> int | None:
        """When the first of the list's entries ends, or has; None when none does."""
        self._check_open()
        first = min(self._sets.first_end, self._addresses.first_end)
        return None if first == NEVER else first

    def ends(self):
        """Pairs of a packed entry that ends and its end, ended ones too; see unpack_entry(). When
        addresses end is in `addresses`.
        """
        rows = self._ending(NEVER)
        return zip(rows[::2], array("q", rows[1::2].tobytes()))

    def ended(self, now=None) -> list:
        """The entries that have ended. Raises CorruptSnapshotError."""
        cdef int64_t moment = _moment(now)
        if moment == UNASKED:
            moment = clock_microseconds()
        self._check_open()
        found = []
        if self._addresses.first_end < moment:
            for address, end in self._addresses.items().items():
                if end is not None and end < moment:
                    found.append(address)
        for key in self._ending(moment)[::2]:
            text = unpack_entry_key(key)
            if text is None:
                raise CorruptSnapshotError(self.path, "ends.rows", "entries", hex(key))
            found.append(text)
        return found

    cdef c_array _ending(self, int64_t before):
        """Sorted rows of the list's entries that end before this moment."""
        self._check_open()
        # As in contains_many().
        held = (self._base, self._delta)
        cdef Sets sets = self._sets
        cdef c_array rows = array("Q")
        if sets.first_end < before:
            _take_ending(&sets, sets.ends, before, rows)
            if sets.changed_ends is not NULL:
                _take_ending(&sets, sets.changed_ends, before, rows)
        del held
        return sorted_rows(rows)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefix entries, such as "+48700*"."""
        self._check_open()
        found = self._base.keys(&self._base.prefixes) ^ self._changed_prefixes()
        return tuple([f"+{key}*" for key in found])

    @property
    def addresses(self) -> dict:
        """The SIP addresses and their ends, None for no end. Raises CorruptSnapshotError."""
        self._check_open()
        return self._addresses.items()

    @property
    def nbytes(self) -> int:
        """Bytes of the files, and of memory when all of them is resident."""
        self._check_open()
        return len(self._base.data) + (len(self._delta.data) if self._delta is not None else 0)

    def random(self, rng, now=None) -> str | None:
        """One of the exact numbers, each as likely; never a word; None when there is none.

        rng: random.Random.
        """
        cdef uint64_t key
        cdef int64_t moment = _moment(now)
        self._check_open()
        words = has_number(&self._sets, ANONYMOUS) + has_number(&self._sets, NUMBERLESS)
        if self._count <= words:
            return None
        slots = self._slots()
        for _ in range(_DRAWS):
            key = self._key_in(rng.randrange(slots))
            if key and not is_word(key) and not has_ended(&self._sets, key, &moment):
                return unpack_key(key)
        pool = []
        for key in self.keys():
            if not is_word(key) and not has_ended(&self._sets, key, &moment):
                pool.append(key)
        return unpack_key(rng.choice(pool)) if pool else None

    def verify(self) -> None:
        """Reads the whole file and compares its checksums. Raises CorruptSnapshotError.

        May run in another thread: it lets others have their turn, and keeps the file mapped.
        """
        self._check_open()
        for file in (self._base, self._delta):
            if file is not None:
                (<SnapshotFile> file).verify()

    def close(self) -> None:
        """Lets go of the files. The mapping ends with the last call that still uses it."""
        self._base = None
        self._delta = None
        self._addresses = None


cdef int _expect(SnapshotFile file, str field, expected, found) except -1:
    if found != expected:
        raise CorruptSnapshotError(file.path, field, expected, found)


cdef Py_ssize_t _changed_count(SnapshotFile base, SnapshotFile changes) except -1:
    """How many numbers base and delta have together: what the delta says, if that can be."""
    cdef Py_ssize_t before = base.numbers.number_count
    cdef Py_ssize_t changed = changes.numbers.number_count
    count = changes.layout.number_count
    least, most = max(0, before - changed), before + changed
    if not least <= count <= most or (count - least) % 2 != (before - changed - least) % 2:
        raise CorruptSnapshotError(changes.path, "number_count", f"{least} to {most}", count)
    return count


cdef int _take_ending(const Sets *sets, const Ends *ends, int64_t before, c_array rows) except -1:
    """Of `ends`, one of the list's two, the rows that hold and end before this moment."""
    cdef const EndRow *row
    cdef Py_ssize_t count = len(rows)
    cdef uint64_t i
    for i in range(ends.count):
        row = &ends.rows[i]
        if row.end < before and has_entry(sets, row.entry) and end_of(sets, row.entry) == row.end:
            resize_smart(rows, count + 2)
            rows.data.as_ulonglongs[count] = row.entry
            rows.data.as_ulonglongs[count + 1] = <uint64_t> row.end
            count += 2


cdef inline int64_t _moment(now) except? -1:
    return UNASKED if now is None else now


cdef uint64_t _seed(seed) except? 0:
    return secrets.randbits(64) if seed is None else PyLong_AsUnsignedLongLong(seed)
