"""The compiled reading of header blocks, against the same in a few lines of plain Python."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from esl_service.errors import RemoteProtocolError
from esl_service.headers import Wanted, decode_value, find_end, read_headers

NAMES = st.sampled_from([b"A", b"Aa", b"aA", b"Name", b"name", b"", b"x" * 63, b"x" * 64, b"\0"])
VALUES = st.binary(max_size=12).map(lambda value: value.replace(b"\n", b""))
LINES = st.builds(
    lambda name, space, value: name + b":" + space + value,
    NAMES,
    st.sampled_from([b"", b" ", b"  "]),
    VALUES,
)


def plainly(block: bytes) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        headers.setdefault(name, value.removeprefix(b" "))
    return headers


@given(st.lists(LINES, min_size=1, max_size=20), st.lists(NAMES, max_size=6))
def test_headers_are_those_of_the_lines_the_first_of_each_name(
    lines: list[bytes], names: list[bytes]
) -> None:
    block = b"\n".join(lines)
    expected = plainly(block)
    buffer = bytearray(block + b"\n\nmore: 1")
    assert read_headers(buffer, len(block), 100) == expected
    wanted = [name for name in names if 0 < len(name) <= 63]
    assert read_headers(buffer, len(block), 100, Wanted(wanted)) == {
        name: value for name, value in expected.items() if name in wanted
    }


@given(st.binary(max_size=60))
@example(b"%4")
@example(b"%")
@example(b"%4G%g0%%41")
@example(b"_undef_")
def test_values_are_decoded_as_urllib_does(value: bytes) -> None:
    expected = "" if value == b"_undef_" else unquote_to_bytes(value).decode("utf-8", "replace")
    assert decode_value(value) == expected


@given(st.lists(st.sampled_from([b"a", b"\n", b"\n\n", b"\r"]), max_size=12).map(b"".join))
def test_the_end_of_a_block_is_its_first_empty_line(data: bytes) -> None:
    for start in range(len(data) + 2):
        assert find_end(bytearray(data), start) == data.find(b"\n\n", start)


@pytest.mark.parametrize("wanted", [None, Wanted([b"A"])])
@pytest.mark.parametrize("block", [b"no colon", b"A: 1\n", b"A: 1\nno colon", b"", b"A: 1\n\nB: 2"])
def test_a_line_that_is_no_header_is_refused(block: bytes, wanted: Wanted | None) -> None:
    """Also where no line of the block is wanted."""
    with pytest.raises(RemoteProtocolError, match="expected 'Name: value'"):
        read_headers(bytearray(block), len(block), 100, wanted)


def test_more_lines_than_allowed_are_refused() -> None:
    block = bytearray(b"\n".join([b"B:"] * 5))
    assert read_headers(block, len(block), 5) == {b"B": b""}
    with pytest.raises(RemoteProtocolError, match="more than 4 lines"):
        read_headers(block, len(block), 4, Wanted([b"A"]))


@pytest.mark.parametrize("size", [-1, 5])
def test_a_size_beyond_the_buffer_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="within the buffer"):
        read_headers(bytearray(b"A: 1"), size, 100)


@pytest.mark.parametrize("name", [b"", b"x" * 64])
def test_a_name_that_no_header_has_cannot_be_wanted(name: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 63 bytes"):
        Wanted([name])
