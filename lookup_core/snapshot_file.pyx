"""One mapped file, a snapshot or a delta, as lookup_core.snapshot reads it."""

import mmap
import struct
from pathlib import Path

from lookup_core import snapshot_format
from lookup_core.address_rows import AddressRows
from lookup_core.errors import CorruptSnapshotError

from libc.stdint cimport uint8_t, uint64_t

from lookup_core.entry_ends cimport EndRow
from lookup_core.number_set cimport (
    cs_problem,
    cs_set,
    cs_set_close,
    cs_set_open,
    cs_set_slot,
    cs_set_slots,
)
from lookup_core.packing cimport is_number

_HUGE_PAGE_BYTES = 2 * 2**20
_ENDS_HEAD = struct.Struct("<Qq")


cdef class SnapshotFile:
    """A mapped file and the sets in it, for as long as anybody uses them."""

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
        self._open_ends(4)
        self._open_addresses(6)

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

    cdef int _open_ends(self, int index) except -1:
        """As _open_set(): when entries end."""
        head = self.layout.sections[index]
        rows = self.layout.sections[index + 1]
        snapshot_format.check_section(self.path, self.data, index, head)
        if head.length != _ENDS_HEAD.size:
            raise CorruptSnapshotError(self.path, "ends.length", _ENDS_HEAD.size, head.length)
        self.ends.count, self.ends.first = _ENDS_HEAD.unpack_from(self.data, head.offset)
        if rows.length % sizeof(EndRow) or rows.length // sizeof(EndRow) != self.ends.count:
            raise CorruptSnapshotError(
                self.path, "ends.row_count", rows.length / sizeof(EndRow), self.ends.count
            )
        cdef const uint8_t[::1] data = self.data
        cdef uint64_t offset = rows.offset
        if self.ends.count:
            self.ends.rows = <const EndRow *> (&data[0] + offset)

    cdef int _open_addresses(self, int index) except -1:
        section = self.layout.sections[index]
        snapshot_format.check_section(self.path, self.data, index, section)
        if section.length or not self.layout.base_identity:
            content = self.data[section.offset : section.offset + section.length]
            self.addresses = AddressRows(self.path, bytes(content))

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
