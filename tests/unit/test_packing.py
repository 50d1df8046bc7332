"""Canonical text and packed keys: pinned values, round trips, and what is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup_core import pack, pack_entry, unpack, unpack_entry
from tests.support.numbers import NUMBER

CANONICAL = re.compile(r"\+[1-9][0-9]{1,14}|[0-9*#]{1,15}|anonymous|no-number")

# Snapshot files hold these values: they never change.
PINNED = {
    "+10": 10,
    "+48600100200": 48600100200,
    "+999999999999999": 999999999999999,
    "0": 0x1000_0000_0000_0001,
    "9": 0x1000_0000_0000_000A,
    "*30": 0x1000_0000_0000_0B41,
    "#": 0x1000_0000_0000_000C,
    "00": 0x1000_0000_0000_0011,
    "112": 0x1000_0000_0000_0223,
    "1000": 0x1000_0000_0000_2111,
    "###############": 0x1CCC_CCCC_CCCC_CCCC,
    "anonymous": 0x1000_0000_0000_0000,
    "no-number": 0x1000_0000_0000_000D,
}


@pytest.mark.parametrize(("text", "key"), PINNED.items())
def test_pinned_keys(text: str, key: int) -> None:
    assert pack(text) == key
    assert unpack(key) == text


@given(NUMBER)
def test_every_canonical_number_comes_back(text: str) -> None:
    key = pack(text)
    assert 0 < key < 2**64
    assert unpack(key) == text


@given(st.one_of(st.text("+0123456789*#anoymus ", max_size=18), st.text(max_size=18)))
def test_only_canonical_text_packs(text: str) -> None:
    if CANONICAL.fullmatch(text):
        assert unpack(pack(text)) == text
    else:
        with pytest.raises(ValueError, match=r"expected '\+' and 2 to 15 digits.*, found "):
            pack(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "+", "+4", "+048", "+1234567890123456", "1234567890123456", "+48 600", "+48700*"),
        *("48a", "anonymou", "anonymouS", "anonymous1", "1\0", "+" + "1" * 10_000),
        *("no-numbe", "no-numbers", "No-number", "no number"),
        *("+48\N{ARABIC-INDIC DIGIT FOUR}", "\ud800"),
    ],
)
def test_refused_text(text: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        pack(text)
    assert repr(text[:40]) in str(caught.value)
    assert len(str(caught.value)) < 300


@given(
    st.one_of(
        st.integers(0, 2**64 - 1),
        st.integers(2**60, 2**61),
        st.integers(0, 10**16),
        st.integers(),
    )
)
def test_a_key_that_unpacks_is_the_key_of_its_text(key: int) -> None:
    try:
        text = unpack(key)
    except ValueError:
        return
    assert CANONICAL.fullmatch(text)
    assert pack(text) == key


@pytest.mark.parametrize(
    "key",
    [
        *(0, 1, 9, 10**15, 2**59, 2**61, 2**63, -1, 2**64, 2**20_000),
        *(2**60 + 0x0E, 2**60 + 0x1D, 2**60 + 0xD1, 2**60 + 0xDD),
        *(2**60 + 0x101, 2**60 + 0x10, 2**61 + 1, 2**61 - 1, 2**64 - 2),
    ],
    ids=lambda key: hex(key)[:20],
)
def test_refused_keys(key: int) -> None:
    with pytest.raises(ValueError, match="expected the packed key") as caught:
        unpack(key)
    assert hex(key)[:40] in str(caught.value)


@pytest.mark.parametrize("wrong", [None, b"+48600100200", 48600100200, 1.5])
def test_other_types(wrong: object) -> None:
    with pytest.raises(TypeError):
        pack(wrong)  # type: ignore[arg-type]
    if not isinstance(wrong, int):
        with pytest.raises(TypeError, match="expected int"):
            unpack(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [*PINNED, "+4*", "+48700*", "+99999999999999*"])
def test_an_entry_is_a_number_or_a_prefix(text: str) -> None:
    key = pack_entry(text)
    assert key == (PINNED[text] if text in PINNED else 1 << 62 | int(text[1:-1]))
    assert unpack_entry(key) == text


@pytest.mark.parametrize("text", ["", "*+", "+*", "+0*", "+123456789012345*", "48*+", "+48**", "x"])
def test_refused_entries(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        pack_entry(text)


@pytest.mark.parametrize(
    "key",
    [0, 2**62, 2**62 + 10**14, 2**62 + 2**60, 2**63, -1, 2**20_000],
    ids=lambda key: hex(key)[:20],
)
def test_refused_keys_of_entries(key: int) -> None:
    with pytest.raises(ValueError, match="expected the packed key of an entry"):
        unpack_entry(key)
