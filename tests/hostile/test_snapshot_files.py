"""Snapshot files cut, altered or made to mislead: an error naming the field, no wrong answer."""

import contextlib
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup_core import CorruptSnapshotError, FormatVersionError, Snapshot, SnapshotError

NUMBERS = ["+48600100200", "+48600100201", "1000", "*30", "anonymous"]
PREFIXES = ["+48700*", "+487*"]
KEYS = [48600100200, 48600100201, 0x8000_0000_0000_0B41, 0x8000_0000_0000_2111, 2**64 - 1]

# Offsets of docs/snapshot-format.md.
BYTE_ORDER, VERSION, FILE_LENGTH, NUMBER_COUNT, SECTION_COUNT, RESERVED, CHECKSUM = (
    (8, "I"),
    (12, "I"),
    (16, "Q"),
    (24, "Q"),
    (32, "I"),
    (36, "I"),
    (60, "I"),
)
TABLE, CONTENT, PREFIX_CONTENT, END = 64, 128, 192, 256
FIRST, SECOND = TABLE, TABLE + 24


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "list"
    Snapshot.build(path, NUMBERS, PREFIXES)
    return path.read_bytes()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad") / "list"


def opened(path: Path, data: bytes) -> Snapshot:
    path.write_bytes(data)
    return Snapshot.open(path)


def resealed(data: bytearray) -> bytes:
    """The same file with checksums that fit, as someone would make it who means harm."""
    for section, start, end in ((FIRST, CONTENT, PREFIX_CONTENT), (SECOND, PREFIX_CONTENT, END)):
        struct.pack_into("<I", data, section + 4, zlib.crc32(data[start:end]))
    struct.pack_into("<I", data, CHECKSUM[0], zlib.crc32(data[64:CONTENT], zlib.crc32(data[:60])))
    return bytes(data)


def use_everything(snapshot: Snapshot) -> None:
    """Answers nobody can predict, but no crash: the sanitizers watch this."""
    for number in (*NUMBERS, "+48700000000"):
        snapshot.match(number)
        assert isinstance(number in snapshot, bool)
    for each in (lambda: list(snapshot), lambda: snapshot.random(random.Random(1))):
        with contextlib.suppress(CorruptSnapshotError):
            each()
    assert len(snapshot.prefixes) == 2


def test_golden_bytes(good: bytes) -> None:
    """The whole file, byte by byte, made without the writer: the format does not drift."""
    numbers = struct.pack("<5Q", *KEYS).ljust(64, b"\0")
    prefixes = struct.pack("<2Q", 487, 48700).ljust(64, b"\0")
    table = struct.pack("<IIQQ", 1, zlib.crc32(numbers), CONTENT, 40)
    table += struct.pack("<IIQQ", 2, zlib.crc32(prefixes), PREFIX_CONTENT, 16)
    table = table.ljust(64, b"\0")
    header = b"CALLSIEV\x04\x03\x02\x01" + struct.pack("<IQQI24x", 1, END, 5, 2)
    header += struct.pack("<I", zlib.crc32(header + table))
    assert good == header + table + numbers + prefixes


def test_every_truncation(good: bytes, path: Path) -> None:
    for length in range(len(good)):
        with pytest.raises(CorruptSnapshotError) as caught:
            opened(path, good[:length])
        assert caught.value.field == "file_length", length


@pytest.mark.parametrize("extra", [b"\0", b"\0" * 64, b"CALLSIEV" * 100])
def test_trailing_bytes(good: bytes, path: Path, extra: bytes) -> None:
    with pytest.raises(CorruptSnapshotError, match="file_length"):
        opened(path, good + extra)


def test_every_flip_of_a_structure_byte(good: bytes, path: Path) -> None:
    structure = [*range(CONTENT), *range(PREFIX_CONTENT, END)]
    for offset in structure:
        for flip in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            data = bytearray(good)
            data[offset] ^= flip
            with pytest.raises(SnapshotError) as caught:
                opened(path, bytes(data))
            assert caught.value.field
            assert str(caught.value).startswith(f"{path}: {caught.value.field}: expected ")


def test_every_flip_of_a_number_byte_is_found_by_verify(good: bytes, path: Path) -> None:
    for offset in range(CONTENT, PREFIX_CONTENT):
        data = bytearray(good)
        data[offset] ^= 0xFF
        snapshot = opened(path, bytes(data))
        use_everything(snapshot)
        with pytest.raises(CorruptSnapshotError, match=r"section\[0\]\.checksum"):
            snapshot.verify()


@pytest.mark.parametrize(
    ("place", "value", "error", "field"),
    [
        ((0, "Q"), 0, CorruptSnapshotError, "magic"),
        (BYTE_ORDER, 0x04030201, FormatVersionError, "byte_order"),
        (BYTE_ORDER, 0, CorruptSnapshotError, "byte_order"),
        (VERSION, 2, FormatVersionError, "format_version"),
        (VERSION, 0, FormatVersionError, "format_version"),
        (FILE_LENGTH, END - 64, CorruptSnapshotError, "file_length"),
        (FILE_LENGTH, 2**64 - 1, CorruptSnapshotError, "file_length"),
        (NUMBER_COUNT, 6, CorruptSnapshotError, "section[0].length"),
        (NUMBER_COUNT, 2**61 + 5, CorruptSnapshotError, "section[0].length"),
        (SECTION_COUNT, 0, CorruptSnapshotError, "header_checksum"),
        (SECTION_COUNT, 7, CorruptSnapshotError, "header_checksum"),
        (SECTION_COUNT, 1025, CorruptSnapshotError, "section_count"),
        (SECTION_COUNT, 2**32 - 1, CorruptSnapshotError, "section_count"),
        (RESERVED, 1, CorruptSnapshotError, "reserved"),
        ((FIRST, "I"), 2, CorruptSnapshotError, "section.kind"),
        ((SECOND, "I"), 99, CorruptSnapshotError, "section.kind"),
        ((FIRST + 8, "Q"), 0, CorruptSnapshotError, "section[0].offset"),
        ((FIRST + 8, "Q"), 129, CorruptSnapshotError, "section[0].offset"),
        ((SECOND + 8, "Q"), 2**64 - 64, CorruptSnapshotError, "section[1].offset"),
        ((FIRST + 16, "Q"), 48, CorruptSnapshotError, "section[0].length"),
        ((FIRST + 16, "Q"), 2**64 - 1, CorruptSnapshotError, "section[0].length"),
        ((SECOND + 16, "Q"), 65, CorruptSnapshotError, "section[1].length"),
        ((SECOND + 16, "Q"), 15, CorruptSnapshotError, "section[1].length"),
        ((SECOND + 16, "Q"), 0, CorruptSnapshotError, "file_length"),
        ((PREFIX_CONTENT, "Q"), 0, CorruptSnapshotError, "prefixes[0]"),
        ((PREFIX_CONTENT, "Q"), 48700, CorruptSnapshotError, "prefixes[1]"),
        ((PREFIX_CONTENT + 8, "Q"), 10**14, CorruptSnapshotError, "prefixes[1]"),
        ((PREFIX_CONTENT + 8, "Q"), 2**64 - 1, CorruptSnapshotError, "prefixes[1]"),
    ],
)
def test_a_field_that_lies_with_the_right_checksums(
    good: bytes,
    path: Path,
    place: tuple[int, str],
    value: int,
    error: type[SnapshotError],
    field: str,
) -> None:
    data = bytearray(good)
    struct.pack_into(f"<{place[1]}", data, place[0], value)
    with pytest.raises(error) as caught:
        opened(path, resealed(data))
    assert type(caught.value) is error
    assert caught.value.field == field


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


@given(st.binary(max_size=400), st.booleans())
def test_other_files(path: Path, data: bytes, magic: bool) -> None:
    with pytest.raises(SnapshotError):
        opened(path, b"CALLSIEV" * magic + data)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Snapshot.open(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        Snapshot.open(tmp_path)
    with pytest.raises(FileNotFoundError):
        Snapshot.build(tmp_path / "missing" / "list", NUMBERS)
