"""The layout of a snapshot file: header, section table, sections. See docs/snapshot-format.md.

This module knows fields, lengths and checksums; `lookup_core.snapshot` knows what is in a section.
"""

import hashlib
import os
import secrets
import struct
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lookup_core.errors import CorruptSnapshotError, FormatVersionError

if sys.byteorder != "little":
    raise ImportError("lookup_core maps little-endian files; this machine is big-endian")

MAGIC = b"CALLSIEV"
BYTE_ORDER_MARK = 0x01020304
FORMAT_VERSION = 4
ALIGNMENT = 64  # bytes; one cache line

# Section i has kind i + 1.
SECTIONS = (
    "numbers",
    "numbers.lines",
    "prefixes",
    "prefixes.lines",
    "ends",
    "ends.rows",
    "addresses",
)

# magic, byte_order, format_version, file_length, identity, base_identity, number_count,
# section_count, reserved
_HEADER = struct.Struct("<8sIIQQQQI8s")
_CHECKSUM = struct.Struct("<I")
_HEADER_BYTES = _HEADER.size + _CHECKSUM.size
# kind, checksum, offset, length
_SECTION = struct.Struct("<IIQQ")
_CHECKED_AT_ONCE = 2**20  # bytes; between two of them another thread gets its turn

assert _HEADER_BYTES == ALIGNMENT


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a file: `length` bytes at `offset`; its checksum also covers the padding."""

    name: str
    checksum: int
    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + _padded(self.length)


@dataclass(frozen=True, slots=True)
class Layout:
    """What the header of a file says. base_identity: 0, or the snapshot that a delta changes."""

    identity: int
    base_identity: int
    number_count: int
    sections: tuple[Section, ...]


def _padded(length: int) -> int:
    return -(-length // ALIGNMENT) * ALIGNMENT


def read_layout(path: Path, data: memoryview) -> Layout:
    """The layout of a mapped file, of which every header byte has been checked.

    data: the whole file as bytes. Raises CorruptSnapshotError, FormatVersionError.
    """

    def expect(field: str, expected: object, found: object) -> None:
        if found != expected:
            raise CorruptSnapshotError(path, field, expected, found)

    if len(data) < _HEADER_BYTES:
        raise CorruptSnapshotError(
            path, "file_length", f"at least {_HEADER_BYTES} bytes", f"{len(data)} bytes"
        )
    (
        magic,
        byte_order,
        version,
        file_length,
        identity,
        base_identity,
        number_count,
        section_count,
        reserved,
    ) = _HEADER.unpack_from(data)
    expect("magic", MAGIC, magic)
    if byte_order != BYTE_ORDER_MARK:
        swapped = byte_order == int.from_bytes(BYTE_ORDER_MARK.to_bytes(4, "little"), "big")
        error = FormatVersionError if swapped else CorruptSnapshotError
        raise error(path, "byte_order", hex(BYTE_ORDER_MARK), hex(byte_order))
    if version != FORMAT_VERSION:
        raise FormatVersionError(path, "format_version", FORMAT_VERSION, version)
    expect("file_length", f"{file_length} bytes", f"{len(data)} bytes")
    expect("section_count", len(SECTIONS), section_count)
    table_end = _HEADER_BYTES + len(SECTIONS) * _SECTION.size
    if _padded(table_end) > len(data):
        raise CorruptSnapshotError(
            path, "file_length", f"at least {_padded(table_end)} bytes", f"{len(data)} bytes"
        )
    (checksum,) = _CHECKSUM.unpack_from(data, _HEADER.size)
    computed = _header_checksum(data[: _padded(table_end)])
    expect("header_checksum", hex(computed), hex(checksum))
    expect("reserved", bytes(len(reserved)), reserved)

    sections = []
    end = _padded(table_end)
    for index, (name, row) in enumerate(
        zip(SECTIONS, _SECTION.iter_unpack(data[_HEADER_BYTES:table_end]), strict=True)
    ):
        kind, checksum, offset, length = row
        expect(f"section[{index}].kind", index + 1, kind)
        expect(f"section[{index}].offset", end, offset)
        section = Section(name, checksum, offset, length)
        end = section.end
        if end > len(data):
            raise CorruptSnapshotError(
                path, f"section[{index}].length", f"at most {len(data) - offset}", length
            )
        sections.append(section)
    expect("file_length", f"{end} bytes", f"{len(data)} bytes")
    return Layout(identity, base_identity, number_count, tuple(sections))


def check_section(path: Path, data: memoryview, index: int, section: Section) -> None:
    """Reads the whole section. Raises CorruptSnapshotError when it is not what was written."""
    computed = 0
    for start in range(section.offset, section.end, _CHECKED_AT_ONCE):
        stop = min(start + _CHECKED_AT_ONCE, section.end)
        computed = zlib.crc32(data[start:stop], computed)
    if computed != section.checksum:
        raise CorruptSnapshotError(
            path, f"section[{index}].checksum", hex(section.checksum), hex(computed)
        )


def _header_checksum(header: memoryview | bytes) -> int:
    """CRC-32 of header, section table and padding, without the checksum field itself."""
    return zlib.crc32(header[_HEADER_BYTES:], zlib.crc32(header[: _HEADER.size]))


def write_snapshot(
    path: Path, number_count: int, contents: Sequence[memoryview | bytes], base_identity: int = 0
) -> None:
    """Writes the file; it appears at `path` complete and on the disk, or not at all.

    contents: the bytes of each of SECTIONS. Raises OSError.
    """
    table_end = _HEADER_BYTES + len(SECTIONS) * _SECTION.size
    offset = _padded(table_end)
    table = b""
    chunks: list[bytes | memoryview] = []
    for kind, content in enumerate(contents, 1):
        padding = bytes(_padded(len(content)) - len(content))
        checksum = zlib.crc32(padding, zlib.crc32(content))
        table += _SECTION.pack(kind, checksum, offset, len(content))
        chunks += (content, padding)
        offset += _padded(len(content))
    # Of the contents by way of their checksums, among which are those of the seeds.
    identity = hashlib.blake2b(table + base_identity.to_bytes(8, "little"), digest_size=8)
    header = _HEADER.pack(
        MAGIC,
        BYTE_ORDER_MARK,
        FORMAT_VERSION,
        offset,
        int.from_bytes(identity.digest(), "little"),
        base_identity,
        number_count,
        len(SECTIONS),
        bytes(8),
    )
    table = table.ljust(_padded(table_end) - _HEADER_BYTES, b"\0")
    checksum = _header_checksum(header + bytes(_CHECKSUM.size) + table)
    replace_file(path, [header, _CHECKSUM.pack(checksum), table, *chunks])


def replace_file(path: Path, chunks: Sequence[bytes | memoryview]) -> None:
    """Puts a new file at `path` in one step: temporary name, fsync, rename, fsync of the directory.

    A killed writer leaves `path` as it was, and at most one file that is_temporary() beside it.
    """
    temporary = write_temporary(path, chunks)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_temporary(path: Path, chunks: Sequence[bytes | memoryview]) -> Path:
    """Writes and fsyncs a new file in the directory of `path`; its temporary name."""
    temporary = temporary_path(path.parent)
    try:
        with temporary.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def temporary_path(directory: Path) -> Path:
    """A name in the directory that nobody else uses."""
    return directory / f".{secrets.token_hex(8)}.tmp"


def is_temporary(name: str) -> bool:
    """Whether temporary_path() makes such names."""
    return name.startswith(".") and name.endswith(".tmp")


def sync_directory(directory: Path) -> None:
    """Makes renames in the directory survive a power failure."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
