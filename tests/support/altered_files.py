"""A small snapshot file to alter, where its parts are, and what to do with an altered one."""

import contextlib
import random
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from lookup_core import CorruptSnapshotError, Snapshot, SnapshotError

NUMBERS = ["+48600100200", "+48600100201", "1000", "*30", "anonymous"]
PREFIXES = ["+48700*", "+487*"]
# In microseconds since 1970: long past, and in the year 2100.
PAST, FUTURE = 10**15, 4_102_444_800 * 10**6
ENDS = [("+48600100201", FUTURE), ("+487*", FUTURE + 1)]
ADDRESSES = {"sip:alice@example.com": None, "sip:*@example.com": FUTURE + 1}
SEED = 7

# Offsets of docs/snapshot-format.md.
SECTION_TABLE, END = 64, 768
STRUCTURE, LINES, PREFIX_STRUCTURE, PREFIX_LINES = 256, 320, 384, 448
ENDS_HEAD, END_ROWS, ADDRESS_SECTION = 512, 576, 640
HEAD, ROW = 16, 48

# What is said of a flip in each byte that is checked when a file is opened.
FLIPS = [
    (range(0, 8), "magic"),
    (range(8, 12), "byte_order"),
    (range(12, 16), "format_version"),
    (range(16, 24), "file_length"),
    (range(24, 48), "header_checksum"),
    (range(48, 52), "section_count"),
    (range(52, STRUCTURE), "header_checksum"),
    (range(STRUCTURE, LINES), "section[0].checksum"),
    (range(PREFIX_STRUCTURE, PREFIX_LINES), "section[2].checksum"),
    (range(ENDS_HEAD, END_ROWS), "section[4].checksum"),
    (range(ADDRESS_SECTION, END), "section[6].checksum"),
]


def small_file(directory: Path) -> bytes:
    Snapshot.build(directory / "list", NUMBERS, PREFIXES, ends=ENDS, addresses=ADDRESSES, seed=SEED)
    return (directory / "list").read_bytes()


def opened(path: Path, data: bytes, base: Snapshot | None = None) -> Snapshot:
    """The file of these bytes at the path, or as a delta over the base's file."""
    path.write_bytes(data)
    if base is None:
        return Snapshot.open(path)
    return Snapshot.open(base.path, delta=path)


def refused(path: Path, data: bytes, base: Snapshot | None = None) -> SnapshotError:
    """The error with which opened() refuses, which says all there is to say."""
    with pytest.raises(SnapshotError) as caught:
        opened(path, data, base)
    error = caught.value
    assert str(error) == f"{path}: {error.field}: expected {error.expected}, found {error.found}"
    return error


def use_everything(snapshot: Snapshot) -> None:
    """Answers nobody can predict, but no crash: the sanitizers watch this."""
    for address in (*ADDRESSES, "sip:bob@example.com", "sip:carol@example.net"):
        for now in (None, PAST, FUTURE, FUTURE + 2):
            snapshot.match(address, now)
        snapshot.has_entry(address)
    for number in (*NUMBERS, "+48700000000", "+4870", "#"):
        for now in (None, PAST, FUTURE, FUTURE + 2):
            snapshot.match(number, now)
        assert isinstance(number in snapshot, bool)
    keys = array("Q", [0, 10, 48600100200, 2**60, 2**61 - 1, 2**61, 2**64 - 1])
    assert set(snapshot.contains_many(keys)) <= {0, 1}
    uses: list[Callable[[], object]] = [
        lambda: list(snapshot),
        snapshot.keys,
        lambda: snapshot.random(random.Random(1)),
        lambda: snapshot.prefixes,
        lambda: snapshot.addresses,
        lambda: list(snapshot.ends()),
        lambda: snapshot.ended(FUTURE + 2),
        snapshot.verify,
    ]
    for use in uses:
        with contextlib.suppress(CorruptSnapshotError):
            use()
