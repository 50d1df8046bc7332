"""Makes snapshot files by hand, good and bad ones, from docs/snapshot-format.md alone."""

import hashlib
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tests.support.reference_reader import LINE, NEVER, Table

HEADER_BYTES, SECTION_BYTES, TABLE_END = 64, 24, 256
CHECKSUM = 60


def filled(table: Table, keys: Iterable[int]) -> tuple[Table, list[int]]:
    """The table with keys in its lines, ascending by mixed value; and those without room."""
    lines: list[list[int]] = [[] for _ in range(table.line_count)]
    left = []
    for key in sorted(set(keys), key=lambda key: table.mix(key - table.first)):
        line, remainder = table.place(key)
        if len(lines[line]) < table.slots:
            lines[line].append(remainder)
        else:
            pair = table.pair(remainder)
            lines[line][pair] = sorted(lines[line][pair], reverse=True)
            left.append(key)
    data = bytearray()
    for remainders in lines:
        bits = 0
        padded = remainders + [table.empty] * (table.slots - len(remainders))
        for slot, remainder in enumerate(padded):
            bits |= (remainder & (2**table.low_bits - 1)) << slot * table.low_bits
            high = table.slots * table.low_bits + slot * table.high_bits
            bits |= (remainder >> table.low_bits) << high
        data += bits.to_bytes(LINE, "little")
    return replace(table, lines=bytes(data), number_count=sum(map(len, lines))), left


def structure(tables: list[Table], digit_lengths: int = 0) -> bytes:
    head = struct.pack("<QII", sum(t.number_count for t in tables), len(tables), digit_lengths)
    return head + b"".join(
        struct.pack(
            "<QQQQQHHI",
            t.first,
            t.last,
            t.seed,
            t.line_count,
            t.number_count,
            t.slot_bits,
            t.role,
            0,
        )
        for t in tables
    )


def address_section(ends: dict[str, int]) -> bytes:
    """SIP addresses and their ends."""
    section = struct.pack("<Qq", len(ends), min(ends.values(), default=NEVER))
    at = 0
    for text in sorted(ends):
        at += len(text)
        section += struct.pack("<qQ", ends[text], at)
    return section + "".join(sorted(ends)).encode()


def snapshot_file(
    numbers: list[Table],
    prefixes: list[Table] = [],  # noqa: B006 - never changed
    *,
    prefix_lengths: int = 0,
    number_lengths: int = 0,
    base_identity: int = 0,
    number_count: int | None = None,
    ends: Sequence[tuple[int, int]] = (),
    first_end: int | None = None,
    addresses: bytes | None = None,
) -> bytes:
    """A whole file with the right checksums. number_count: None for the sum of the tables'.

    ends: rows as they stand in the file. first_end: None for the earliest of them. addresses: the
    section; None for none in a snapshot, and those of the snapshot in a delta.
    """
    if addresses is None:
        addresses = b"" if base_identity else address_section({})
    if first_end is None:
        first_end = min((end for _, end in ends), default=NEVER)
    table, body = b"", b""
    for kind, content in enumerate(
        (
            structure(numbers, number_lengths),
            b"".join(t.lines for t in numbers),
            structure(prefixes, prefix_lengths),
            b"".join(t.lines for t in prefixes),
            struct.pack("<Qq", len(ends), first_end),
            b"".join(struct.pack("<Qq", *row) for row in ends),
            addresses,
        ),
        1,
    ):
        padded = content.ljust(-(-len(content) // 64) * 64, b"\0")
        offset = TABLE_END + len(body)
        table += struct.pack("<IIQQ", kind, zlib.crc32(padded), offset, len(content))
        body += padded
    identity = hashlib.blake2b(table + struct.pack("<Q", base_identity), digest_size=8).digest()
    header = b"CALLSIEV\x04\x03\x02\x01"
    header += struct.pack("<IQ", 4, TABLE_END + len(body)) + identity
    if number_count is None:
        number_count = sum(t.number_count for t in numbers)
    header += struct.pack("<QQI8x", base_identity, number_count, 7)
    table = table.ljust(TABLE_END - HEADER_BYTES, b"\0")
    header += struct.pack("<I", zlib.crc32(header + table))
    return header + table + body


def resealed(data: bytes | bytearray) -> bytes:
    """The same file with checksums that fit, as someone would make it who means harm."""
    data = bytearray(data)
    for row in range(7):
        at = HEADER_BYTES + SECTION_BYTES * row
        offset, length = struct.unpack_from("<QQ", data, at + 8)
        end = offset + -(-length // 64) * 64
        if end <= len(data):
            struct.pack_into("<I", data, at + 4, zlib.crc32(data[offset:end]))
    checksum = zlib.crc32(data[HEADER_BYTES:TABLE_END], zlib.crc32(data[:CHECKSUM]))
    struct.pack_into("<I", data, CHECKSUM, checksum)
    return bytes(data)
