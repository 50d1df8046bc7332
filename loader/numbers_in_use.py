"""The numbers of the world's plans that are in use, by phonenumbers' metadata: counted, not listed.

In use is what phonenumbers calls valid; a number of two kinds counts once. Lengths are those of
E.164: the digits behind the +, with the country code, at most 15.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata
from phonenumbers.phonemetadata import PhoneNumberDesc

from loader.digit_patterns import (
    COLUMNS,
    END,
    PatternTable,
    UnsupportedPatternError,
    compile_pattern,
)

MAX_E164 = 15
_DIGITS = "0123456789"
_GROUP_DIGITS = 4
_KEPT = 4096  # answers
# In this order phonenumbers asks for them; see numbering_plans.
_KINDS = (
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
    "fixed_line",
    "mobile",
)


@dataclass(frozen=True, slots=True)
class Group:
    """Numbers in use that have the country code and the first four national digits in common.

    counts: how many, by length. below: how many of them begin with what was asked about.
    alike: how many groups have these very counts.
    """

    counts: Mapping[int, int]
    below: Mapping[int, int]
    alike: int = 1


@lru_cache(_KEPT)
def counts_by_length(start: str) -> Mapping[int, int]:
    """How many numbers in use begin with these digits, by length; only lengths that there are."""
    counts: dict[int, int] = {}
    for plan in _plans(start):
        for length, count in plan.counts(plan.walk(start), max(len(start), len(plan.code))).items():
            counts[length] = counts.get(length, 0) + count
    return counts


def lengths_matching(places: Sequence[str], shortest: int) -> set[int]:
    """The lengths of numbers in use that have in each place one of the digits given for it.

    places: for each place of the number, from the first digit of the country code on, the digits
    that may stand there. Longer numbers may go on with any; shorter ones count from `shortest`
    digits on. These first places have one digit each, and the whole country code is in them.
    """
    start = "".join(places[:shortest])
    return {length for plan in _plans(start) for length in plan.lengths(places, shortest)}


def groups(start: str) -> Iterator[Group]:
    """The groups of numbers in use of which some begin with these digits."""
    for plan in _plans(start):
        whole = len(plan.code) + _GROUP_DIGITS
        if len(start) >= whole:
            yield Group(counts_by_length(start[:whole]), counts_by_length(start))
            continue
        states = plan.walk(start)
        for _ in range(whole - max(len(start), len(plan.code))):
            states = plan.step(states, _DIGITS)
        for state, alike in states.items():
            counts = plan.counts({state: 1}, whole)
            yield Group(counts, counts, alike)


def possible_lengths(start: str) -> frozenset[int]:
    """The lengths that the plan allows for numbers that begin so, in use or not."""
    lengths = {length for plan in _plans(start) for length in plan.possible}
    return frozenset(length for length in lengths or range(1, MAX_E164 + 1) if length >= len(start))


def country_code(digits: str) -> str:
    """The country code at the start of a number; "" when nobody has it."""
    return next((plan.code for plan in _plans(digits) if digits.startswith(plan.code)), "")


def _plans(start: str) -> Iterable[_Plan]:
    """The plans of the country codes that the digits begin with, or are the beginning of."""
    for code in COUNTRY_CODE_TO_REGION_CODE:
        if start.startswith(str(code)) or str(code).startswith(start):
            yield _plan(code)


@cache
def _plan(code: int) -> _Plan:
    return _Plan(code)


class _Plan:
    """All pattern tables of a country code, run side by side as one.

    State 0 is dead; in state 1 the country code has been read. The metadata of phonenumbers 9.0
    gives 1,275 states for +1, and 22,000 for the whole world in 0.8 s.
    """

    def __init__(self, code: int) -> None:
        self.code = str(code)
        regions = [
            metadata
            for region in COUNTRY_CODE_TO_REGION_CODE[code]
            if (metadata := PhoneMetadata.metadata_for_region_or_calling_code(code, region))
        ]
        general = regions[0].general_desc  # the main region decides what is possible
        national = general.possible_length if general else ()
        self.possible = [n + len(self.code) for n in national if 0 < n <= MAX_E164 - len(self.code)]
        self._build([_kinds(metadata) for metadata in regions])

    def _build(self, regions: list[list[tuple[str, int]]]) -> None:
        """regions: of each the pattern and the lengths (bit n: n digits) of all, then of a kind."""
        patterns = list(dict.fromkeys(pattern for kinds in regions for pattern, _ in kinds))
        tables = [_table(pattern) for pattern in patterns]
        rules = [[(patterns.index(pattern), bits) for pattern, bits in kinds] for kinds in regions]
        start = tuple((at, 1) for at in range(len(tables)))
        numbers: dict[tuple[tuple[int, int], ...], int] = {(): 0, start: 1}
        self._following: list[int] = []
        self._accepted: list[int] = []  # bit n: national numbers of n digits may end here
        order = list(numbers)
        for running in order:
            ends = {at for at, state in running if _ends(tables[at], state)}
            self._accepted.append(_lengths(rules, ends))
            for digit in range(10):
                stepped = tuple(
                    (at, target)
                    for at, state in running
                    if (target := tables[at].following[state * COLUMNS + digit])
                )
                if stepped not in numbers:
                    numbers[stepped] = len(order)
                    order.append(stepped)
                self._following.append(numbers[stepped])

    def walk(self, start: str) -> dict[int, int]:
        """The states behind these digits, which may be fewer than the country code has."""
        states = {1: 1}
        for digit in start[len(self.code) :]:
            states = self.step(states, digit)
        return states

    def step(self, states: Mapping[int, int], digits: str) -> dict[int, int]:
        """The states one digit on, each with the number of ways to it."""
        reached: dict[int, int] = {}
        for state, ways in states.items():
            for digit in digits:
                target = self._following[state * 10 + int(digit)]
                if target:
                    reached[target] = reached.get(target, 0) + ways
        return reached

    def counts(self, states: Mapping[int, int], length: int) -> dict[int, int]:
        """How many numbers are in use behind these states, reached after `length` digits."""
        counts: dict[int, int] = {}
        while states and length <= MAX_E164:
            count = self._ending(states, length)
            if count:
                counts[length] = count
            states = self.step(states, _DIGITS)
            length += 1
        return counts

    def lengths(self, places: Sequence[str], shortest: int) -> set[int]:
        states = {1: 1}
        found: set[int] = set()
        for length in range(len(self.code), len(places)):
            if length >= shortest and self._ending(states, length):
                found.add(length)
            states = self.step(states, places[length])
        return found | set(self.counts(states, len(places)))

    def _ending(self, states: Mapping[int, int], length: int) -> int:
        national = length - len(self.code)
        return sum(ways for state, ways in states.items() if self._accepted[state] >> national & 1)


def _kinds(metadata: PhoneMetadata) -> list[tuple[str, int]]:
    descriptions = [metadata.general_desc, *(getattr(metadata, kind) for kind in _KINDS)]
    return [
        (description.national_number_pattern, _bits(description))
        for description in descriptions
        if description and description.national_number_pattern
    ]


def _bits(description: PhoneNumberDesc) -> int:
    if not description.possible_length:
        return (1 << (MAX_E164 + 1)) - 1
    return sum(1 << length for length in description.possible_length if length > 0)


def _table(pattern: str) -> PatternTable:
    try:
        return compile_pattern(pattern, whole=True)
    except UnsupportedPatternError:  # of metadata newer than this program: any number may be in use
        return compile_pattern(f"\\d{{0,{MAX_E164}}}", whole=True)


def _ends(table: PatternTable, state: int) -> bool:
    return bool(table.verdict[state] or table.verdict[table.following[state * COLUMNS + END]])


def _lengths(rules: list[list[tuple[int, int]]], ends: set[int]) -> int:
    accepted = 0
    for (general, possible), *kinds in rules:
        if general in ends:
            for kind, lengths in kinds:
                if kind in ends:
                    accepted |= possible & lengths
    return accepted
