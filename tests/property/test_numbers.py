"""The fast path of number reading against phonenumbers, and what holds for every text."""

import os
import re
from collections import Counter

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import ValidationResult

from loader.numbers import EntryError, read_entry, read_number, read_with_phonenumbers
from loader.plain_numbers import read_plain, reader_for
from tests.support.number_spellings import (
    REGIONS,
    e164,
    example_numbers,
    plain_spellings,
    spellings,
)

# CALLSIEVE_SPELLINGS=2000000 for a long run of the comparison; each batch is another seed.
BATCH = 250
BATCHES = int(os.environ.get("CALLSIEVE_SPELLINGS", "40000")) // BATCH

CANONICAL = re.compile(r"\+[1-9][0-9]{1,14}|[0-9*#]{1,15}|anonymous")
ANY_REGION = st.sampled_from([*REGIONS, None])
# Dialled digits, and what else comes near them.
NEAR_NUMBERS = st.text("0123456789" * 2 + "+ -.()/*#x,;:@=~\u00a0\uff0b\u0661\u202a", max_size=24)
ANY_TEXT = st.one_of(
    NEAR_NUMBERS, st.text(max_size=80), st.text(st.characters(exclude_categories=()), max_size=80)
)


@settings(max_examples=BATCHES, deadline=None)
@given(seed=st.integers(0, 2**64))
def test_the_fast_path_agrees_with_phonenumbers(seed: int) -> None:
    for text, region in spellings(seed, BATCH):
        assert read_number(text, region) == read_with_phonenumbers(text, region), (text, region)


@settings(max_examples=300, deadline=None)
@given(text=ANY_TEXT, region=ANY_REGION)
def test_any_text_is_read_alike_and_never_raises(text: str, region: str | None) -> None:
    reading = read_number(text, region)
    assert reading == read_with_phonenumbers(text, region)
    assert reading.original == text
    assert (reading.number is None) == (reading.kind == "unreadable")
    if reading.number is not None:
        assert CANONICAL.fullmatch(reading.number)
        assert (reading.kind == "e164") == reading.number.startswith("+")
        assert (reading.kind == "withheld") == (reading.number == "anonymous")


def test_the_fast_path_takes_the_plain_spellings() -> None:
    taken: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for region, number in example_numbers():
        reader = reader_for(None if region == "001" else region)
        for name, text in plain_spellings(region, number).items():
            seen[name] += 1
            taken[name] += read_plain(text, reader) is not None
    assert set(seen) == {"e164", "international", "bare", "00", "national"}
    for name, count in seen.items():
        # Argentina's 15 within a number is rewritten by phonenumbers, the rest is plain.
        assert taken[name] >= 0.99 * count, (name, taken[name], count)


def present_form(number: phonenumbers.PhoneNumber) -> str | None:
    """Of a few countries' numbers the other form that is one line with it, else the number."""
    found = read_with_phonenumbers(e164(number), None).number
    assert found == e164(number) or number.country_code in (33, 39, 54, 241, 377, 381), number
    return found


def test_every_plain_spelling_of_a_number_is_that_number() -> None:
    short = 0
    for region, number in example_numbers():
        if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
            continue  # +1 310 1234: phonenumbers measures Canada's numbers by those of the US
        for name, text in plain_spellings(region, number).items():
            if region == "001" and name == "bare":
                continue  # without a region, digits are not taken for an international number
            reading = read_number(text, None if region == "001" else region)
            digits = [character for character in text if character.isdecimal()]
            if name == "national" and len(digits) < 7 and reading.kind == "dialled":
                short += 1
            else:
                assert reading.number == present_form(number), (text, region)
    assert short < 15  # Niue, Tokelau and others: as short as extensions


@settings(max_examples=BATCHES // 4, deadline=None)
@given(seed=st.integers(0, 2**64), other=ANY_REGION)
def test_reading_a_canonical_number_gives_it_back(seed: int, other: str | None) -> None:
    for text, region in spellings(seed, BATCH // 5):
        number = read_number(text, region).number
        if number is None:
            continue
        assert read_number(number, region).number == number, (text, region)
        if number.startswith("+") or number == "anonymous":
            assert read_number(number, other).number == number, (text, region)


@given(text=ANY_TEXT.map(lambda text: text + "caller's own text"), region=ANY_REGION)
def test_how_holds_no_text_of_the_caller(text: str, region: str | None) -> None:
    assert "caller's own" not in read_number(text, region).how


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(ANY_TEXT, NEAR_NUMBERS.map(lambda text: f"+{text}*")), region=ANY_REGION)
def test_an_entry_is_canonical_or_an_entry_error(text: str, region: str | None) -> None:
    try:
        entry = read_entry(text, region)
    except EntryError as error:
        message = str(error)
    else:
        assert CANONICAL.fullmatch(entry) or re.fullmatch(r"\+[1-9][0-9]{0,13}\*", entry)
        assert read_entry(entry, region) == entry
        return
    assert len(message) < 1000
    assert message.isprintable()


BROKEN = [
    "\ud800",
    "\x00",
    "9" * 100_000,
    "+" * 100_000,
    "tel:" + ";" * 100_000,
    "x" * 1_000_000,
    "sip:" + "a" * 100,
    "tel:a;phone-context=" + "a-" * 200 + "!",
    "1 " * 60,
    "(0)" * 40,
    ",1" * 30,
]


@pytest.mark.parametrize("region", [None, "PL"])
@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_long_and_broken_texts_are_unreadable(text: str, region: str | None) -> None:
    assert read_number(text, region).kind == "unreadable"
