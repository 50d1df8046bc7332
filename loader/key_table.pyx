"""A hash table from entry keys to 64-bit values: what is known of a list while it is changed.

16 bytes a slot and at most 80 slots in a hundred taken, so 20 to 40 bytes an entry.
"""

from array import array

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free, qsort
from libc.string cimport memcmp

from lookup_core.packing cimport DIALLED, pack_chars, prefix_chars, unpack_key

cdef enum:
    FIRST_BITS = 10
    LARGE = 1 << 24

# The bit of prefix entries. Packed numbers are below both bits; DIALLED with the other is an address.
cdef extern from *:
    """
    #define CALLSIEVE_PREFIX_ENTRY (UINT64_C(1) << 62)
    #define CALLSIEVE_ADDRESS_ENTRY (UINT64_C(1) << 61 | UINT64_C(1) << 60)
    #define CALLSIEVE_GOLDEN UINT64_C(0x9E3779B97F4A7C15)
    """
    const uint64_t PREFIX_ENTRY "CALLSIEVE_PREFIX_ENTRY"
    const uint64_t ADDRESS_ENTRY "CALLSIEVE_ADDRESS_ENTRY"
    const uint64_t GOLDEN "CALLSIEVE_GOLDEN"

# SIP addresses do not fit into a key: each gets the next number, for as long as the process lives.
cdef dict address_keys = {}
cdef list addresses = []


cdef uint64_t address_key(bytes text) except 0:
    found = address_keys.get(text)
    if found is None:
        found = address_keys[text] = len(addresses)
        addresses.append(text)
    return ADDRESS_ENTRY | <uint64_t> found


cdef uint64_t entry_key(const char *text, Py_ssize_t length) except? 0 nogil:
    """The key of canonical text, a prefix and a SIP address included; 0 for no entry."""
    cdef uint64_t key = pack_chars(text, length)
    if key == 0:
        key = prefix_chars(text, length)
        if key:
            key |= PREFIX_ENTRY
        elif length > 4 and memcmp(text, b"sip:", 4) == 0:
            with gil:
                key = address_key(text[:length])
    return key


def count_distinct(keys) -> int:
    """How many different keys a contiguous buffer of uint64 has."""
    cdef const uint64_t[::1] given = keys
    cdef uint64_t[::1] ordered
    cdef Py_ssize_t size = given.shape[0]
    cdef Py_ssize_t count = size > 0
    cdef Py_ssize_t i
    cdef KeyTable table
    for i in range(1, size):
        if given[i] < given[i - 1]:
            break
        count += given[i] != given[i - 1]
    else:
        return count
    if size < LARGE:
        table = KeyTable()
        table.add_all(given)
        return len(table)
    # In half the memory of a table.
    ordered = array("Q", keys)
    qsort(&ordered[0], size, sizeof(uint64_t), ascending)
    count = 1
    for i in range(1, size):
        count += ordered[i] != ordered[i - 1]
    return count


cdef int ascending(const void *a, const void *b) noexcept nogil:
    cdef uint64_t left = (<const uint64_t *> a)[0]
    cdef uint64_t right = (<const uint64_t *> b)[0]
    return (left > right) - (left < right)


cdef class KeyTable:
    """key -> value; keys are never taken out."""

    def __cinit__(self):
        self.shift = 64 - FIRST_BITS
        self.mask = (1 << FIRST_BITS) - 1
        self.slots = <Slot *> calloc(self.mask + 1, sizeof(Slot))
        if self.slots == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.slots)

    def __len__(self) -> int:
        return self.used

    def add(self, uint64_t key) -> None:
        """Have `key`, with the value 0 when it is new."""
        self.place(key)
        if key & PREFIX_ENTRY and not key & DIALLED:
            self.has_prefixes = True

    def add_all(self, const uint64_t[::1] keys) -> None:
        """Have these packed numbers; a contiguous buffer of uint64."""
        cdef Py_ssize_t i
        for i in range(keys.shape[0]):
            self.place(keys[i])

    def has(self, uint64_t key) -> bool:
        """Whether this very key is here."""
        return self.find(key) != NULL

    def numbers(self, int limit) -> list[str]:
        """At most so many of the entries, as canonical text, in no order."""
        cdef list found = []
        cdef uint64_t i, key
        for i in range(self.mask + 1):
            key = self.slots[i].key
            if len(found) == limit:
                break
            if key & PREFIX_ENTRY and not key & DIALLED:
                found.append(f"+{key & ~PREFIX_ENTRY}*")
            elif key & ADDRESS_ENTRY == ADDRESS_ENTRY:
                found.append(addresses[key ^ ADDRESS_ENTRY].decode())
            elif key:
                found.append(unpack_key(key))
        return found

    def covers(self, uint64_t key) -> bool:
        """Whether the entry with this key is here, or is under a prefix that is."""
        return self.covering(key)

    def any_below(self, uint64_t prefix) -> bool:
        """Whether a number or a longer prefix here begins with these digits."""
        cdef uint64_t i, key
        for i in range(self.mask + 1):
            key = self.slots[i].key
            if key & DIALLED:
                continue
            key &= ~PREFIX_ENTRY
            while key > prefix:
                key //= 10
            if key == prefix:
                return True
        return False

    cdef bint covering(self, uint64_t key) noexcept nogil:
        if self.find(key) != NULL:
            return True
        if self.has_prefixes and not key & DIALLED:
            key &= ~PREFIX_ENTRY
            while key:
                if self.find(key | PREFIX_ENTRY) != NULL:
                    return True
                key //= 10
        return False

    cdef uint64_t *find(self, uint64_t key) noexcept nogil:
        """Where the value of `key` is, until the next place(); NULL for an unknown key."""
        cdef uint64_t at = (key * GOLDEN) >> self.shift
        while self.slots[at].key != key:
            if self.slots[at].key == 0:
                return NULL
            at = (at + 1) & self.mask
        return &self.slots[at].value

    cdef uint64_t *place(self, uint64_t key) except NULL:
        """Where the value of `key` is, which is 0 when it is new."""
        cdef uint64_t at = (key * GOLDEN) >> self.shift
        while self.slots[at].key != key:
            if self.slots[at].key == 0:
                if (self.used + 1) * 5 > (self.mask + 1) * 4:
                    self.grow()
                    return self.place(key)
                self.slots[at].key = key
                self.used += 1
                break
            at = (at + 1) & self.mask
        return &self.slots[at].value

    cdef int grow(self) except -1:
        cdef Slot *old = self.slots
        cdef uint64_t count = self.mask + 1
        cdef Slot *slots = <Slot *> calloc(2 * count, sizeof(Slot))
        cdef uint64_t i, at
        if slots == NULL:
            raise MemoryError
        self.mask = 2 * count - 1
        self.shift -= 1
        for i in range(count):
            if old[i].key:
                at = (old[i].key * GOLDEN) >> self.shift
                while slots[at].key:
                    at = (at + 1) & self.mask
                slots[at] = old[i]
        self.slots = slots
        free(old)
        return 0
