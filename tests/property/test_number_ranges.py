"""Ranges and masks against every number that they stand for, one by one."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from random import Random

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat

from loader.number_ranges import RangeError, expand
from loader.number_sets import MAX_ENTRIES
from loader.numbers import read_number
from loader.numbers_in_use import counts_by_length, possible_lengths
from tests.support.number_spellings import REGIONS, e164, example_numbers, neighbour

BATCHES = 10
BATCH = 250
MIN_CERTAIN = 10  # with the country code; shorter ones may be extensions
DIGITS = "0123456789"
CANONICAL = re.compile(r"\+[1-9][0-9]{0,13}\*|\+[1-9][0-9]{6,14}|[0-9]{1,6}")
SIGNS = "0123456789" * 2 + "XNZx#[-]_+*/ .()!?$^\\{}|%,\u2013\u2026\u0664"


def usual(rng: Random) -> tuple[str, str, str]:
    """A number in use, near an example: its region, its digits, and a spelling of it."""
    while True:
        region, number = rng.choice(example_numbers())
        if rng.random() < 0.7:
            number = neighbour(rng, number)
        digits = e164(number)[1:]
        forms = [PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL]
        if region != "001":
            forms.append(PhoneNumberFormat.NATIONAL)
        text = phonenumbers.format_number(number, rng.choice(forms))
        reading = read_number(text, region)
        if reading.number == f"+{digits}" and reading.tier == "valid" and text[-4:].isdecimal():
            return region, digits, text


def only_length(start: str) -> int:
    """The length of all numbers in use that begin so, or of possible ones; 0 for several."""
    lengths = set(counts_by_length(start)) or set(possible_lengths(start))
    return lengths.pop() if len(lengths) == 1 else 0


def check(entries: Iterable[str], meant: set[str]) -> None:
    """The entries cover the digits meant and nothing else, and no fewer could."""
    length = len(next(iter(meant)))
    covered: Counter[str] = Counter()
    for entry in entries:
        if entry[-1] == "*":
            start = entry[1:-1]
            assert only_length(start) == length
            rest = itertools.product(DIGITS, repeat=length - len(start))
            covered.update(start + "".join(digits) for digits in rest)
        else:
            covered[entry[1:]] += 1
    assert set(covered) == meant
    assert set(covered.values()) == {1}
    below = Counter(number[:size] for number in meant for size in range(1, length))

    def widest(number: str) -> str:
        for size in range(1, length):
            start = number[:size]
            if below[start] == 10 ** (length - size) and only_length(start) == length:
                return f"+{start}*"
        return f"+{number}"

    assert list(entries) == sorted({widest(number) for number in meant}, key=lambda e: e.strip("*"))


def random_mask(rng: Random, digits: str, text: str) -> tuple[str, str]:
    """A mask, and the expression of what it stands for, around a number's last digits."""
    size = rng.randint(1, 3)
    mask, expression = text[:-size], digits[:-size]
    kind = rng.choice(["X", "x", "#", "asterisk", "class"])
    if kind in "Xx#":
        size = max(size, 1 if kind == "X" else 2)
        return text[:-size] + kind * size, digits[:-size] + f"[0-9]{{{size}}}"
    asterisk = [("N", "[2-9]"), ("Z", "[1-9]")] if kind == "asterisk" else []
    for at in range(-size, 0):
        low, high = sorted(rng.sample(DIGITS, 2))
        signs = [(f"[{low}-{high}]", f"[{low}-{high}]"), ("X", "[0-9]"), *asterisk]
        if asterisk:
            signs.append((digits[at], digits[at]))
        sign, meant = rng.choice(signs)
        mask += sign
        expression += meant
    return ("_" if kind == "asterisk" else "") + mask, expression


@pytest.mark.parametrize("seed", range(BATCHES))
def test_a_mask_is_every_number_that_its_expression_matches(seed: int) -> None:
    rng = Random(seed)
    taken = 0
    for _ in range(BATCH):
        region, digits, text = usual(rng)
        mask, expression = random_mask(rng, digits, text)
        try:
            entries = expand(mask, region, read_number)
        except RangeError:  # numbers of several lengths begin so
            stem = re.match(r"\d*", expression)
            assert stem
            assert len(counts_by_length(stem[0])) > 1, (mask, region)
            continue
        if entries is None:  # fewer keys with # are an extension or a code
            assert "#" in mask
            assert len(re.sub(r"[^\d#]", "", mask)) < 7
            continue
        pattern = re.compile(expression)
        start = digits[: len(digits) - 3]
        tried = (start + "".join(rest) for rest in itertools.product(DIGITS, repeat=3))
        check(entries, {number for number in tried if pattern.fullmatch(number)})
        taken += 1
    assert taken > BATCH // 3


@pytest.mark.parametrize("seed", range(BATCHES))
def test_a_range_is_every_number_between_its_ends(seed: int) -> None:
    rng = Random(seed)
    taken = short = 0
    for _ in range(BATCH):
        region, digits, text = usual(rng)
        size = rng.randint(1, 3)
        first = f"{rng.randrange(10**size):0{size}}"
        last = f"{rng.randrange(10**size):0{size}}"
        if rng.random() < 0.5:  # whole tens, which need not be written in full
            first, last = first[:-1] + "0", last[:-1] + "9"
        end = last if (size == 3 and rng.random() < 0.5) else text[:-size] + last
        written = f"{text[:-size]}{first}{rng.choice(['-', ' - ', chr(0x2013)])}{end}"
        try:
            entries = expand(written, region, read_number)
        except RangeError:
            assert first >= last or end == last or len(digits) < MIN_CERTAIN, (written, region)
            continue
        if entries is None:  # a number that has a dash before its last digits
            assert end == last, (written, region)
            assert read_number(written, region).tier == "valid"
            continue
        assert first < last, written
        numbers = range(int(digits[:-size] + first), int(digits[:-size] + last) + 1)
        check(entries, {str(number) for number in numbers})
        taken += 1
        short += end == last
    assert taken > BATCH // 4
    assert short


@settings(max_examples=400, deadline=None)
@given(
    text=st.one_of(st.text(SIGNS, max_size=24), st.text(max_size=80)),
    region=st.sampled_from([*REGIONS, None, "XX"]),
)
def test_any_text_is_entries_or_refused(text: str, region: str | None) -> None:
    try:
        entries = expand(text, region, read_number)
    except RangeError:
        return
    if entries is not None:
        assert 0 < len(entries) <= MAX_ENTRIES
        assert len(set(entries)) == len(entries)
        assert all(CANONICAL.fullmatch(entry) for entry in entries)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**64))
def test_a_number_with_dashes_in_it_is_no_range(seed: int) -> None:
    rng = Random(seed)
    for _ in range(BATCH):
        region, digits, text = usual(rng)
        places = sorted(rng.sample(range(1, len(text)), rng.randint(1, 3)), reverse=True)
        for place in places:
            if text[place - 1].isdecimal() and text[place].isdecimal():
                text = text[:place] + "-" + text[place:]
        reading = read_number(text, region)
        if reading.number == f"+{digits}":
            assert expand(text, region, read_number) is None, (text, region)
