"""Delta files cut, altered or laid over the wrong list."""

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup_core import Snapshot, SnapshotError
from tests.support.altered_files import (
    END,
    FLIPS,
    FUTURE,
    LINES,
    NUMBERS,
    PREFIXES,
    SEED,
    opened,
    refused,
    use_everything,
)
from tests.support.reference_writer import resealed


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad") / "delta"


@pytest.fixture
def base(good: bytes, tmp_path: Path) -> Snapshot:
    return opened(tmp_path / "base", good)


def delta_of(base: Snapshot, add: list[str], remove: list[str]) -> bytes:
    path = base.path.with_name("written")
    ends = [("+48600100201", FUTURE + 1)]
    addresses = {"sip:bob@example.com": None}
    Snapshot.build_delta(
        path,
        base,
        add,
        remove,
        ["+49*"],
        ["+487*"],
        ends=ends,
        add_addresses=addresses,
        seed=SEED,
    )
    return path.read_bytes()


def test_a_delta_is_only_for_its_base(base: Snapshot, path: Path) -> None:
    delta = delta_of(base, ["112"], [])
    assert refused(path, delta).field == "base_identity", "a delta is no list by itself"
    Snapshot.build(base.path, NUMBERS, PREFIXES, seed=SEED + 1)
    assert refused(path, delta, base).field == "base_identity"


def test_a_list_is_no_delta(base: Snapshot, good: bytes, path: Path) -> None:
    assert refused(path, good, base).field == "base_identity"


def test_a_delta_whose_count_cannot_be(base: Snapshot, path: Path) -> None:
    """Three entries differ from the base's five: 2, 4, 6 or 8 numbers are left."""
    delta = bytearray(delta_of(base, ["112", "113"], ["1000"]))
    assert struct.unpack_from("<Q", delta, 40)[0] == 6
    for number_count in (0, 1, 3, 5, 7, 9, 10, 2**63, 2**64 - 1):
        struct.pack_into("<Q", delta, 40, number_count)
        assert refused(path, resealed(delta), base).field == "number_count"
    for number_count in (2, 4, 6, 8):
        struct.pack_into("<Q", delta, 40, number_count)
        assert len(opened(path, resealed(delta), base)) == number_count


def test_every_truncation_and_flip_of_a_delta(base: Snapshot, path: Path) -> None:
    delta = delta_of(base, ["112", "113"], ["1000"])
    for length in range(len(delta)):
        assert refused(path, delta[:length], base).field == "file_length"
    for places, field in FLIPS:
        for offset in places:
            data = bytearray(delta)
            data[offset] ^= 1 << offset % 8
            assert refused(path, bytes(data), base).field == field, offset


@given(
    change=st.dictionaries(st.integers(0, END - 1), st.integers(0, 255), min_size=1, max_size=20)
)
def test_an_altered_delta_never_crashes(good: bytes, path: Path, change: dict[int, int]) -> None:
    base = opened(path, good)
    data = bytearray(delta_of(base, ["112", "113"], ["1000"]))
    for offset, value in change.items():
        data[offset] = value
    with contextlib.suppress(SnapshotError):
        use_everything(opened(path.with_name("altered"), resealed(data), base))


def test_every_byte_of_a_delta_is_checked_when_it_is_opened(base: Snapshot, path: Path) -> None:
    """It is small; its lines are as much the list as the base's."""
    delta = delta_of(base, ["112"], [])
    for offset in range(LINES, LINES + 64):
        data = bytearray(delta)
        data[offset] ^= 1 << offset % 8
        error = refused(path, bytes(data), base)
        assert (error.path, error.field) == (path, "section[1].checksum"), offset
