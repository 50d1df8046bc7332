"""Counts of numbers in use against phonenumbers, asked number by number."""

from __future__ import annotations

import itertools
from random import Random

import phonenumbers
import pytest

from loader.numbers_in_use import (
    MAX_E164,
    country_code,
    counts_by_length,
    groups,
    lengths_matching,
    possible_lengths,
)
from tests.support.number_spellings import e164, example_numbers, neighbour

PLACES = 3  # a thousand strings of digits behind a prefix are asked about one by one


def is_valid(digits: str) -> bool:
    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return False
    return e164(number) == f"+{digits}" and phonenumbers.is_valid_number(number)


def starts(seed: int, count: int) -> list[str]:
    """The first digits, all but a few, of numbers in use and of others near them."""
    rng = Random(seed)
    found: list[str] = []
    while len(found) < count:
        _, number = rng.choice(example_numbers())
        digits = e164(neighbour(rng, number) if rng.random() < 0.6 else number)[1:]
        start = digits[: -rng.randint(1, PLACES)]
        if len(digits) <= MAX_E164 and len(start) > len(country_code(digits)):
            found.append(start)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_counts_are_those_of_numbers_that_phonenumbers_calls_valid(seed: int) -> None:
    valid = 0
    for start in starts(seed, 6):
        counts = counts_by_length(start)
        for more in range(min(PLACES, MAX_E164 - len(start)) + 1):
            expected = sum(
                is_valid(start + "".join(digits))
                for digits in itertools.product("0123456789", repeat=more)
            )
            assert counts.get(len(start) + more, 0) == expected, (start, more)
            valid += expected
    assert valid


@pytest.mark.parametrize("start", ["48", "492", "1", "35", "4", "88"])
def test_groups_hold_all_numbers_in_use(start: str) -> None:
    total = dict.fromkeys(counts_by_length(start), 0)
    for group in groups(start):
        assert group.counts == group.below
        for length, count in group.below.items():
            total[length] += group.alike * count
    for length, count in counts_by_length(start).items():
        # Numbers of fewer than four national digits are in no group.
        assert total[length] == count or length < 3 + 4


def test_lengths_of_masked_numbers_are_those_of_the_numbers_that_they_stand_for() -> None:
    rng = Random(5)
    several = 0
    for start in starts(5, 150):
        places = [*start, *("".join(rng.sample("0123456789", 2)) for _ in range(PLACES))]
        fixed = len(start)
        lengths = lengths_matching(places, fixed)
        expected = {
            length
            for more in range(PLACES + 1)
            for digits in itertools.product(*places[fixed : fixed + more])
            for length in [fixed + more]
            if is_valid(start + "".join(digits))
        }
        assert {length for length in lengths if length < fixed + PLACES} == {
            length for length in expected if length < fixed + PLACES
        }
        longer: set[int] = set()
        for digits in itertools.product(*places[fixed:]):
            longer |= set(counts_by_length(start + "".join(digits)))
        assert {length for length in lengths if length >= fixed + PLACES} == longer
        several += len(lengths) > 1
    assert several


@pytest.mark.parametrize(
    ("start", "lengths"),
    [("1202", {11}), ("48", {8, 9, 10, 11, 12}), ("48123456789", {11, 12}), ("999", range(3, 16))],
)
def test_possible_lengths_are_those_of_the_plan(start: str, lengths: set[int]) -> None:
    assert possible_lengths(start) == set(lengths)


@pytest.mark.parametrize(
    ("digits", "code"), [("48600100200", "48"), ("12025550123", "1"), ("99912345", ""), ("4", "")]
)
def test_country_codes(digits: str, code: str) -> None:
    assert country_code(digits) == code
