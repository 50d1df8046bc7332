"""Writing the file of a snapshot or of a delta, once it is known what is to be in it."""

from array import array
from pathlib import Path

from lookup_core import snapshot_format
from lookup_core.address_rows import address_rows

from cpython.array cimport array as c_array
from libc.stdint cimport int64_t, uint64_t

from lookup_core.entry_ends cimport NEVER, EndRow, ends_head, row_of
from lookup_core.number_set cimport cs_set, cs_set_has
from lookup_core.packing cimport PREFIX_BIT
from lookup_core.snapshot_building cimport build_set
from lookup_core.snapshot_file cimport SnapshotFile


cdef set changed_keys(set changed, const cs_set *base, c_array add, c_array remove):
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


cdef int write_delta(
    path,
    SnapshotFile base,
    set changed,
    set changed_prefixes,
    dict changed_ends,
    dict addresses,
    uint64_t seed,
) except -1:
    """changed_ends: of all whose end is or may be another than the base has; NEVER for none.
    addresses: all that the list is to have.
    """
    cdef Py_ssize_t count = base.numbers.number_count
    cdef uint64_t key, i
    cdef const EndRow *row
    cdef int64_t first = NEVER
    for key in changed:
        count += -1 if cs_set_has(&base.numbers, key) else 1
    ends = {}
    for key, end in changed_ends.items():
        row = row_of(&base.ends, key)
        if end != (NEVER if row is NULL else row.end):
            ends[key] = end
        if end < first and _is_in(base, changed, changed_prefixes, key):
            first = end
    # The earliest first: few rows are earlier than all before them, and only those are looked for.
    for i in range(base.ends.count):
        row = &base.ends.rows[i]
        if row.end < first and row.entry not in ends:
            if _is_in(base, changed, changed_prefixes, row.entry):
                first = row.end
    write(
        path,
        array("Q", changed),
        array("Q", changed_prefixes),
        _rows(ends),
        first,
        b"" if addresses == base.addresses.items() else address_rows(addresses),
        seed,
        base.layout.identity,
        count,
    )


cdef bint _is_in(SnapshotFile base, set changed, set changed_prefixes, uint64_t entry) except -1:
    """Whether the entry is in the list that differs so from the base."""
    if entry & PREFIX_BIT:
        entry ^= PREFIX_BIT
        return cs_set_has(&base.prefixes, entry) != (entry in changed_prefixes)
    return cs_set_has(&base.numbers, entry) != (entry in changed)


cdef c_array _rows(dict ends):
    cdef c_array rows = array("Q")
    cdef int64_t end
    for key in sorted(ends):
        end = ends[key]
        rows.append(key)
        rows.append(<uint64_t> end)
    return rows


cdef int write(
    path,
    c_array keys,
    c_array prefixes,
    c_array rows,
    int64_t first_end,
    bytes addresses,
    uint64_t seed,
    base_identity=0,
    count=None,
) except -1:
    found, structure, lines = build_set(keys, seed, base_identity != 0)
    _, prefix_structure, prefix_lines = build_set(prefixes, seed, True)
    snapshot_format.write_snapshot(
        Path(path),
        found if count is None else count,
        (
            structure,
            lines,
            prefix_structure,
            prefix_lines,
            ends_head(rows, first_end),
            memoryview(rows).cast("B"),
            addresses,
        ),
        base_identity,
    )
