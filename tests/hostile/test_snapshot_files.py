"""Snapshot files cut, altered or made to mislead: an error naming the field, no wrong answer."""

import contextlib
import random
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup_core import CorruptSnapshotError, FormatVersionError, Snapshot, SnapshotError
from tests.support.altered_files import (
    ADDRESS_SECTION,
    ADDRESSES,
    END,
    END_ROWS,
    ENDS,
    ENDS_HEAD,
    FLIPS,
    FUTURE,
    HEAD,
    LINES,
    NUMBERS,
    PREFIX_LINES,
    PREFIX_STRUCTURE,
    PREFIXES,
    ROW,
    SECTION_TABLE,
    SEED,
    STRUCTURE,
    opened,
    refused,
    use_everything,
)
from tests.support.reference_reader import NEVER, REST, SEGMENT, Table, packed, random_bits
from tests.support.reference_writer import address_section, filled, resealed, snapshot_file


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two segments with overflow, and a rest."""
    path = tmp_path_factory.mktemp("large") / "list"
    rng = random.Random(4)
    keys = [rng.randrange(48 * 10**9, 49 * 10**9) for _ in range(1500)]
    keys += [rng.randrange(49 * 10**10, 50 * 10**10) for _ in range(1500)]
    Snapshot.build(path, [*keys, *map(packed, NUMBERS)], PREFIXES, ends=ENDS, seed=SEED)
    return path.read_bytes()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad") / "list"


# The format does not drift


def test_golden_mix() -> None:
    """Values of the public splitmix64, and of the mix under them."""
    assert [random_bits(seed) for seed in (0, 1, SEED)] == [
        0xE220A8397B1DCDAF,
        0x910A2DEC89025CC1,
        0x63CBE1E459320DD7,
    ]
    table = Table(48 * 10**9, 49 * 10**9 - 1, random_bits(SEED), 1000, 1, 20, SEGMENT)
    assert table.mix(600100200) == 458648098
    assert table.unmix(458648098) == 600100200


def test_golden_bytes(good: bytes) -> None:
    """The whole file, byte by byte, made without the writer."""
    keys = [packed(text) for text in NUMBERS]
    seed = random_bits(SEED)
    numbers, left = filled(Table(min(keys), max(keys), seed, 1, 0, 61, REST), keys)
    assert not left
    prefixes, left = filled(Table(487, 48700, seed, 1, 0, 17, REST), [487, 48700])
    assert not left
    assert good == snapshot_file(
        [numbers],
        [prefixes],
        number_lengths=1 << 11,
        prefix_lengths=1 << 3 | 1 << 5,
        ends=[(48600100201, FUTURE), (1 << 62 | 487, FUTURE + 1)],
        addresses=address_section(
            {address: NEVER if end is None else end for address, end in ADDRESSES.items()}
        ),
    )


def test_golden_line(good: bytes) -> None:
    """One line in full: slots of 17 bits are 16 low bits each, then one high bit each."""
    assert good[PREFIX_LINES:ENDS_HEAD].hex() == "0000494a" + "ff" * 56 + "fcffff3f"


# Cut, extended, flipped


def test_every_truncation(good: bytes, path: Path) -> None:
    for length in range(len(good)):
        error = refused(path, good[:length])
        assert (type(error), error.field) == (CorruptSnapshotError, "file_length"), length


@pytest.mark.parametrize("extra", [b"\0", b"\0" * 64, b"CALLSIEV" * 100])
def test_trailing_bytes(good: bytes, path: Path, extra: bytes) -> None:
    assert refused(path, good + extra).field == "file_length"


def test_every_flip_of_a_header_or_structure_byte(good: bytes, path: Path) -> None:
    checked = [offset for places, _ in FLIPS for offset in places]
    structures = [*range(PREFIX_STRUCTURE, PREFIX_LINES), *range(ENDS_HEAD, END_ROWS)]
    structures += range(ADDRESS_SECTION, END)
    assert checked == [*range(LINES), *structures]
    for places, field in FLIPS:
        for offset in places:
            for flip in (1, 2, 4, 8, 16, 32, 64, 128, 255):
                data = bytearray(good)
                data[offset] ^= flip
                assert refused(path, bytes(data)).field == field, (offset, flip)


def test_every_flip_of_a_header_or_structure_byte_of_a_larger_file(
    large: bytes, path: Path
) -> None:
    structure_end = struct.unpack_from("<Q", large, SECTION_TABLE + 24 + 8)[0]
    prefixes, prefixes_end, ends, ends_end = (
        struct.unpack_from("<Q", large, SECTION_TABLE + 24 * row + 8)[0] for row in (2, 3, 4, 5)
    )
    structures = (*range(prefixes, prefixes_end), *range(ends, ends_end))
    for offset in (*range(structure_end), *structures):
        data = bytearray(large)
        data[offset] ^= 1 << offset % 8
        refused(path, bytes(data))


def test_every_flip_of_a_line_byte_is_found_by_verify(good: bytes, path: Path) -> None:
    for start, section in ((LINES, 1), (PREFIX_LINES, 3), (END_ROWS, 5)):
        for offset in range(start, start + 64):
            data = bytearray(good)
            data[offset] ^= 0xFF
            snapshot = opened(path, bytes(data))
            use_everything(snapshot)
            with pytest.raises(CorruptSnapshotError) as caught:
                snapshot.verify()
            assert caught.value.field == f"section[{section}].checksum"


# Fields that lie, with the right checksums


def head(offset: int) -> int:
    return STRUCTURE + offset


def row(offset: int) -> int:
    return STRUCTURE + HEAD + offset


def section(index: int, offset: int) -> int:
    return SECTION_TABLE + 24 * index + offset


@pytest.mark.parametrize(
    ("offset", "kind", "value", "error", "field"),
    [
        (0, "Q", 0, CorruptSnapshotError, "magic"),
        (8, "I", 0x04030201, FormatVersionError, "byte_order"),
        (8, "I", 0, CorruptSnapshotError, "byte_order"),
        (12, "I", 1, FormatVersionError, "format_version"),
        (12, "I", 2, FormatVersionError, "format_version"),
        (12, "I", 3, FormatVersionError, "format_version"),
        (12, "I", 0, FormatVersionError, "format_version"),
        (16, "Q", END - 64, CorruptSnapshotError, "file_length"),
        (16, "Q", 2**64 - 1, CorruptSnapshotError, "file_length"),
        (32, "Q", 1, CorruptSnapshotError, "base_identity"),
        (40, "Q", 6, CorruptSnapshotError, "number_count"),
        (40, "Q", 2**64 - 1, CorruptSnapshotError, "number_count"),
        (48, "I", 0, CorruptSnapshotError, "section_count"),
        (48, "I", 4, CorruptSnapshotError, "section_count"),
        (48, "I", 2**32 - 1, CorruptSnapshotError, "section_count"),
        (52, "Q", 1, CorruptSnapshotError, "reserved"),
        (section(0, 0), "I", 2, CorruptSnapshotError, "section[0].kind"),
        (section(5, 0), "I", 99, CorruptSnapshotError, "section[5].kind"),
        (section(0, 8), "Q", 0, CorruptSnapshotError, "section[0].offset"),
        (section(0, 8), "Q", 257, CorruptSnapshotError, "section[0].offset"),
        (section(1, 8), "Q", LINES + 64, CorruptSnapshotError, "section[1].offset"),
        (section(3, 8), "Q", 2**64 - 64, CorruptSnapshotError, "section[3].offset"),
        (section(0, 16), "Q", 2**64 - 1, CorruptSnapshotError, "section[0].length"),
        (section(0, 16), "Q", 2**64 - 65, CorruptSnapshotError, "section[0].length"),
        (section(6, 16), "Q", 129, CorruptSnapshotError, "section[6].length"),
        (section(6, 16), "Q", 0, CorruptSnapshotError, "file_length"),
        (section(6, 16), "Q", 85, CorruptSnapshotError, "addresses.length"),
        (section(6, 16), "Q", 87, CorruptSnapshotError, "addresses.length"),
        (ADDRESS_SECTION, "Q", 1, CorruptSnapshotError, "addresses.length"),
        (ADDRESS_SECTION, "Q", 3, CorruptSnapshotError, "addresses.row[2]"),
        (ADDRESS_SECTION, "Q", 5, CorruptSnapshotError, "addresses.length"),
        (ADDRESS_SECTION, "Q", 2**64 - 1, CorruptSnapshotError, "addresses.row_count"),
        (ADDRESS_SECTION + 24, "Q", 0, CorruptSnapshotError, "addresses.row[0]"),
        (ADDRESS_SECTION + 24, "Q", 2**64 - 1, CorruptSnapshotError, "addresses.row[0]"),
        (ADDRESS_SECTION + 40, "Q", 37, CorruptSnapshotError, "addresses.length"),
        (section(0, 16), "Q", 63, CorruptSnapshotError, "numbers.length"),
        (section(0, 16), "Q", 15, CorruptSnapshotError, "numbers.length"),
        (section(1, 16), "Q", 63, CorruptSnapshotError, "numbers[0].line_count"),
        (section(3, 16), "Q", 1, CorruptSnapshotError, "prefixes[0].line_count"),
        (head(0), "Q", 4, CorruptSnapshotError, "numbers.number_count"),
        (head(0), "Q", 2**64 - 1, CorruptSnapshotError, "numbers.number_count"),
        (head(8), "I", 0, CorruptSnapshotError, "numbers.length"),
        (head(8), "I", 2, CorruptSnapshotError, "numbers.length"),
        (head(8), "I", 2**32 - 1, CorruptSnapshotError, "numbers.length"),
        (head(12), "I", 2**16, CorruptSnapshotError, "numbers.digit_lengths"),
        (row(0), "Q", 2**61, CorruptSnapshotError, "numbers[0].first"),
        (row(0), "Q", 2**64 - 1, CorruptSnapshotError, "numbers[0].first"),
        (row(8), "Q", 48600100199, CorruptSnapshotError, "numbers[0].last"),
        (row(8), "Q", 2**61, CorruptSnapshotError, "numbers[0].last"),
        (row(8), "Q", 2**64 - 1, CorruptSnapshotError, "numbers[0].last"),
        (row(24), "Q", 0, CorruptSnapshotError, "numbers[0].line_count"),
        (row(24), "Q", 2, CorruptSnapshotError, "numbers[0].line_count"),
        (row(24), "Q", 2**58 + 1, CorruptSnapshotError, "numbers[0].line_count"),
        (row(24), "Q", 2**64 - 1, CorruptSnapshotError, "numbers[0].line_count"),
        (row(32), "Q", 0, CorruptSnapshotError, "numbers[0].number_count"),
        (row(32), "Q", 9, CorruptSnapshotError, "numbers[0].number_count"),
        (row(32), "Q", 4, CorruptSnapshotError, "numbers.number_count"),
        (row(40), "H", 7, CorruptSnapshotError, "numbers[0].slot_bits"),
        (row(40), "H", 63, CorruptSnapshotError, "numbers[0].slot_bits"),
        (row(40), "H", 2**16 - 1, CorruptSnapshotError, "numbers[0].slot_bits"),
        (row(40), "H", 60, CorruptSnapshotError, "numbers[0].slot_bits"),
        (row(42), "H", 1, CorruptSnapshotError, "numbers[0].role"),
        (row(42), "H", 3, CorruptSnapshotError, "numbers[0].role"),
        (row(44), "I", 1, CorruptSnapshotError, "numbers[0].reserved"),
        (PREFIX_STRUCTURE, "Q", 3, CorruptSnapshotError, "prefixes.number_count"),
        (PREFIX_STRUCTURE + 8, "I", 9, CorruptSnapshotError, "prefixes.length"),
        (PREFIX_STRUCTURE + 12, "I", 2**31, CorruptSnapshotError, "prefixes.digit_lengths"),
        (PREFIX_STRUCTURE + HEAD + 24, "Q", 2, CorruptSnapshotError, "prefixes[0].line_count"),
        (PREFIX_STRUCTURE + HEAD + 40, "H", 8, CorruptSnapshotError, "prefixes[0].slot_bits"),
        (section(4, 16), "Q", 15, CorruptSnapshotError, "ends.length"),
        (section(4, 16), "Q", 24, CorruptSnapshotError, "ends.length"),
        (section(5, 16), "Q", 33, CorruptSnapshotError, "ends.row_count"),
        (section(5, 16), "Q", 48, CorruptSnapshotError, "ends.row_count"),
        (ENDS_HEAD, "Q", 0, CorruptSnapshotError, "ends.row_count"),
        (ENDS_HEAD, "Q", 3, CorruptSnapshotError, "ends.row_count"),
        (ENDS_HEAD, "Q", 2**60 + 2, CorruptSnapshotError, "ends.row_count"),
        (ENDS_HEAD, "Q", 2**64 - 1, CorruptSnapshotError, "ends.row_count"),
    ],
)
def test_a_field_that_lies_with_the_right_checksums(
    good: bytes,
    path: Path,
    offset: int,
    kind: str,
    value: int,
    error: type[SnapshotError],
    field: str,
) -> None:
    data = bytearray(good)
    struct.pack_into(f"<{kind}", data, offset, value)
    found = refused(path, resealed(data))
    assert (type(found), found.field) == (error, field)


def test_rows_that_contradict_each_other(large: bytes, path: Path) -> None:
    """Rows as the builder made them: a segment and its overflow twice, then the rest."""
    count = struct.unpack_from("<I", large, STRUCTURE + 8)[0]
    starts = [STRUCTURE + HEAD + ROW * index for index in range(count)]
    roles = [struct.unpack_from("<H", large, start + 42)[0] for start in starts]
    assert roles[0] == SEGMENT
    second = roles.index(SEGMENT, 1)
    assert second >= 2, "the first segment has overflow"
    assert roles.index(REST) == count - 1
    first, last = struct.unpack_from("<QQ", large, starts[0])

    def lie(row: int, offset: int, kind: str, value: int) -> str:
        data = bytearray(large)
        struct.pack_into(f"<{kind}", data, starts[row] + offset, value)
        return refused(path, resealed(data)).field

    assert lie(second, 0, "Q", last) == f"numbers[{second}].first", "in the segment before"
    assert lie(second, 0, "Q", first) == f"numbers[{second}].first", "not ascending"
    assert lie(0, 42, "H", REST) == f"numbers[{second}].role", "a segment behind the rest"
    line_count = struct.unpack_from("<Q", large, starts[0] + 24)[0]
    assert lie(0, 24, "Q", line_count - 1) == "numbers.lines", "a line is left over"
    assert lie(0, 24, "Q", line_count + 1) == f"numbers[{count - 1}].line_count"


def test_a_lookup_reads_three_lines_at_most_in_any_file(path: Path) -> None:
    """However the rows are chained, and though every line is full."""
    keys = [48 * 10**9 + i for i in range(512)]
    tables, left = [], keys
    for level in range(4):
        table = Table(keys[0], keys[-1], level, 1, 0, 16, SEGMENT if level == 0 else 1)
        table, left = filled(table, left)
        tables.append(table)
    assert len(opened(path, snapshot_file(tables[:3]))) == 96
    assert refused(path, snapshot_file(tables)).field == "numbers[3].role"


@given(
    change=st.dictionaries(st.integers(0, END - 1), st.integers(0, 255), min_size=1, max_size=20),
    seal=st.sampled_from([bytes, resealed]),
)
def test_altered_bytes_never_crash(
    good: bytes,
    path: Path,
    change: dict[int, int],
    seal: Callable[[bytearray], bytes],
) -> None:
    data = bytearray(good)
    for offset, value in change.items():
        data[offset] = value
    with contextlib.suppress(SnapshotError):
        use_everything(opened(path, seal(data)))


@given(
    change=st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, ROW - 1), st.integers(0, 255)), max_size=6
    ),
    lines=st.none() | st.integers(0, 2**32),
)
def test_altered_rows_and_lines_never_crash(
    large: bytes, path: Path, change: list[tuple[int, int, int]], lines: int | None
) -> None:
    data = bytearray(large)
    for index, offset, value in change:
        data[STRUCTURE + HEAD + ROW * index + offset] = value
    if lines is not None:
        start, length = struct.unpack_from("<QQ", data, section(1, 8))
        data[start : start + length] = random.Random(lines).randbytes(length)
    with contextlib.suppress(SnapshotError):
        use_everything(opened(path, resealed(data)))


def test_more_numbers_than_were_counted(good: bytes, path: Path) -> None:
    data = bytearray(good)
    data[LINES : LINES + 64] = bytes(64)  # all slots the same number, and no empty one
    snapshot = opened(path, resealed(data))
    snapshot.verify()
    with pytest.raises(CorruptSnapshotError) as caught:
        snapshot.keys()
    assert caught.value.field == "numbers.lines"


@pytest.mark.parametrize(
    "kind", ["a remainder of another line", "behind the last mixed value", "behind the interval"]
)
def test_what_no_writer_puts_in_a_line(path: Path, kind: str) -> None:
    """Nobody is told of a number that is not in the table's interval."""
    last = 48 * 10**9 + 700
    table, _ = filled(Table(48 * 10**9, last, SEED, 3, 0, 12, SEGMENT), [last])
    assert (table.mask, table.per_line) == (1023, 342)
    line, value = {
        "a remainder of another line": (0, 342),
        "behind the last mixed value": (2, 340),
        "behind the interval": table.place(last + 1),
    }[kind]
    lines = bytearray(b"\xff" * 192)
    lines[64 * line] = value & 255
    high = 64 * line + table.slots
    lines[high] = lines[high] & 0xF0 | value >> 8
    snapshot = opened(path, snapshot_file([replace(table, lines=bytes(lines))]))
    snapshot.verify()
    uses: list[Callable[[], object]] = [
        snapshot.keys,
        lambda: list(snapshot),
        lambda: snapshot.random(random.Random(1)),
    ]
    for use in uses:
        with pytest.raises(CorruptSnapshotError) as caught:
            use()
        assert caught.value.field == "numbers.lines"


@given(st.binary(max_size=400), st.booleans())
def test_other_files(path: Path, data: bytes, magic: bool) -> None:
    refused(path, b"CALLSIEV" * magic + data)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Snapshot.open(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        Snapshot.open(tmp_path)
    with pytest.raises(FileNotFoundError):
        Snapshot.build(tmp_path / "missing" / "list", NUMBERS)
