"""The layout of a snapshot file: header, section table, sections. See docs/snapshot-format.md.

This module knows fields, lengths and checksums; `lookup_core.snapshot` knows what is in a section.
"""

import os
import secrets
import struct
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lookup_core.errors import CorruptSnapshotError, FormatVersionError

if sys.byteorder != "little":
    raise ImportError("lookup_core maps little-endian files; this machine is big-endian")

MAGIC = b"CALLSIEV"
BYTE_ORDER_MARK = 0x01020304
FORMAT_VERSION = 1
ALIGNMENT = 64  # bytes; one cache line

SECTION_NUMBERS = 1
SECTION_PREFIXES = 2

# magic, byte_order, format_version, file_length, number_count, section_count, reserved
_HEADER = struct.Struct("<8sIIQQI24s")
_CHECKSUM = struct.Struct("<I")
_HEADER_BYTES = _HEADER.size + _CHECKSUM.size
# kind, checksum, offset, length
_SECTION = struct.Struct("<IIQQ")
_MAX_SECTIONS = 1024

assert _HEADER_BYTES == ALIGNMENT


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a file: `length` bytes at `offset`; its checksum also covers the padding."""

    kind: int
    checksum: int
    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + _padded(self.length)


@dataclass(frozen=True, slots=True)
class Layout:
    """What the header of a file says."""

    number_count: int
    sections: tuple[Section, ...]


def _padded(length: int) -> int:
    return -(-length // ALIGNMENT) * ALIGNMENT


def read_layout(path: Path, data: memoryview) -> Layout:
    """The layout of a mapped file, of which every header byte has been checked.

    data: the whole file as bytes. Raises CorruptSnapshotError, FormatVersionError.
    """
    if len(data) < _HEADER_BYTES:
        raise CorruptSnapshotError(
            path, "file_length", f"at least {_HEADER_BYTES} bytes", f"{len(data)} bytes"
        )
    magic, byte_order, version, file_length, number_count, section_count, reserved = (
        _HEADER.unpack_from(data)
    )
    if magic != MAGIC:
        raise CorruptSnapshotError(path, "magic", MAGIC, magic)
    if byte_order != BYTE_ORDER_MARK:
        swapped = byte_order == int.from_bytes(BYTE_ORDER_MARK.to_bytes(4, "little"), "big")
        error = FormatVersionError if swapped else CorruptSnapshotError
        raise error(path, "byte_order", hex(BYTE_ORDER_MARK), hex(byte_order))
    if version != FORMAT_VERSION:
        raise FormatVersionError(path, "format_version", FORMAT_VERSION, version)
    if file_length != len(data):
        raise CorruptSnapshotError(
            path, "file_length", f"{file_length} bytes", f"{len(data)} bytes"
        )
    table_end = _HEADER_BYTES + section_count * _SECTION.size
    if section_count > _MAX_SECTIONS or _padded(table_end) > len(data):
        raise CorruptSnapshotError(
            path, "section_count", f"a table within the {len(data)} bytes", section_count
        )
    (checksum,) = _CHECKSUM.unpack_from(data, _HEADER.size)
    computed = _header_checksum(data[: _padded(table_end)])
    if checksum != computed:
        raise CorruptSnapshotError(path, "header_checksum", hex(computed), hex(checksum))
    if any(reserved):
        raise CorruptSnapshotError(path, "reserved", "zeros", reserved)

    sections = []
    end = _padded(table_end)
    for index, row in enumerate(_SECTION.iter_unpack(data[_HEADER_BYTES:table_end])):
        section = Section(*row)
        if section.offset != end:
            raise CorruptSnapshotError(path, f"section[{index}].offset", end, section.offset)
        end = section.end
        if end > len(data):
            raise CorruptSnapshotError(
                path,
                f"section[{index}].length",
                f"at most {len(data) - section.offset}",
                section.length,
            )
        sections.append(section)
    if end != len(data):
        raise CorruptSnapshotError(path, "file_length", f"{end} bytes", f"{len(data)} bytes")
    return Layout(number_count, tuple(sections))


def check_section(path: Path, data: memoryview, index: int, section: Section) -> None:
    """Reads the whole section. Raises CorruptSnapshotError when it is not what was written."""
    computed = zlib.crc32(data[section.offset : section.end])
    if computed != section.checksum:
        raise CorruptSnapshotError(
            path, f"section[{index}].checksum", hex(section.checksum), hex(computed)
        )


def _header_checksum(header: memoryview | bytes) -> int:
    """CRC-32 of header, section table and padding, without the checksum field itself."""
    return zlib.crc32(header[_HEADER_BYTES:], zlib.crc32(header[: _HEADER.size]))


def write_snapshot(path: Path, number_count: int, sections: Mapping[int, memoryview]) -> None:
    """Writes the file; it appears at `path` complete and on the disk, or not at all.

    sections: kind -> content as bytes. Raises OSError.
    """
    table_end = _HEADER_BYTES + len(sections) * _SECTION.size
    offset = _padded(table_end)
    table = b""
    chunks: list[bytes | memoryview] = []
    for kind, content in sections.items():
        padding = bytes(_padded(len(content)) - len(content))
        checksum = zlib.crc32(padding, zlib.crc32(content))
        table += _SECTION.pack(kind, checksum, offset, len(content))
        chunks += (content, padding)
        offset += _padded(len(content))
    header = _HEADER.pack(
        MAGIC, BYTE_ORDER_MARK, FORMAT_VERSION, offset, number_count, len(sections), bytes(24)
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
    temporary = path.parent / f".{secrets.token_hex(8)}.tmp"
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


def is_temporary(name: str) -> bool:
    """Whether write_temporary() makes such names."""
    return name.startswith(".") and name.endswith(".tmp")


def sync_directory(directory: Path) -> None:
    """Makes renames in the directory survive a power failure."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
