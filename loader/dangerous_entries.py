"""Entries that would cut off far more than somebody meant: held back unless the operator insists.

That is a prefix that covers more than a million numbers, an emergency or public short number, and
a number of our own: one that a route presents or that a forwarding is for.
"""

import re
from collections.abc import Iterable
from functools import cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from loader.digit_patterns import (
    COLUMNS,
    END,
    PatternTable,
    UnsupportedPatternError,
    compile_pattern,
)
from loader.edit_table import entry_key_of
from loader.key_table import KeyTable
from loader.list_keys import ListKeys
from loader.store import BadValueError, is_prefix

MAX_COVERED = 1_000_000
_EMERGENCY_EVERYWHERE = frozenset({"112", "911"})  # on every network: 3GPP TS 22.101, 10.1.1
_MAX_E164 = 15
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


class DangerousEntryError(BadValueError):
    """The entry was held back. The text says what it would do."""


class Guard:
    """Knows dangerous entries.

    region: whose short numbers count; None: emergency numbers of all regions.
    own: canonical numbers and prefixes that are ours. own_lists: what lists of our numbers have.
    keys: entry keys of all that are ours.
    """

    def __init__(
        self, region: str | None, own: Iterable[str] = (), own_lists: Iterable[ListKeys] = ()
    ) -> None:
        self._region = region
        self.keys = KeyTable()
        for number in own:
            self.keys.add(entry_key_of(number))
        for listed in own_lists:
            self.keys.add_all(listed.keys)
            for prefix in listed.prefixes:
                self.keys.add(entry_key_of(prefix))

    def check(self, number: str) -> None:
        """Raises DangerousEntryError for a canonical number, prefix or "anonymous" to hold back."""
        problem = self._problem(number)
        if problem:
            raise DangerousEntryError(f"held back: {number} {problem} (--yes-really takes it)")

    def _problem(self, number: str) -> str:
        if is_prefix(number):
            count = covered_numbers(number)
            if count > MAX_COVERED:
                return f"covers {count:,} numbers, more than {MAX_COVERED:,}"
            if self.keys.any_below(int(number[1:-1])):
                return "covers numbers of our own"
        elif number[0] != "+" and is_public_short_number(number, self._region):
            return "is an emergency or public short number"
        if self.keys.covers(entry_key_of(number)):
            return "is a number of our own: a route presents it or a forwarding is for it"
        return ""


@cache
def covered_numbers(prefix: str) -> int:
    """How many numbers of the world's numbering plans begin with a prefix such as "+48700*".

    Numbers in use by phonenumbers' metadata; where there are none under the prefix, possible ones.
    """
    digits = prefix[1:-1]
    in_use = possible = 0
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        if not (digits.startswith(str(code)) or str(code).startswith(digits)):
            continue
        national = digits[len(str(code)) :]
        for region in regions:
            metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
            general = metadata and metadata.general_desc
            assert metadata
            assert general
            kinds = [kind for name in _KINDS if (kind := getattr(metadata, name))]
            ranges = {(kind.national_number_pattern, tuple(kind.possible_length)) for kind in kinds}
            in_use += sum(_count(pattern, lengths, national) for pattern, lengths in ranges)
            possible += _possible(general.possible_length, national)
    return in_use or possible or 10 ** (_MAX_E164 - len(digits))


def _possible(lengths: Iterable[int], start: str) -> int:
    return sum(10 ** (length - len(start)) for length in lengths if length >= len(start))


def _count(pattern: str | None, lengths: Iterable[int], start: str) -> int:
    """How many numbers of these lengths match the pattern and begin with `start`."""
    if not pattern:
        return 0
    lengths = [length for length in lengths if length >= len(start)]
    try:
        table = compile_pattern(pattern, whole=True)
    except UnsupportedPatternError:
        return _possible(lengths, start)
    state = 1
    for digit in start:
        state = table.following[state * COLUMNS + int(digit)]
    return sum(_count_from(table, {state: 1}, length - len(start)) for length in lengths)


def _count_from(table: PatternTable, states: dict[int, int], digits: int) -> int:
    """How many strings of so many digits match from these states, each reached in so many ways."""
    for _ in range(digits):
        reached: dict[int, int] = {}
        for state, ways in states.items():
            for digit in range(10):
                target = table.following[state * COLUMNS + digit]
                if target:
                    reached[target] = reached.get(target, 0) + ways
        states = reached
    return sum(
        ways
        for state, ways in states.items()
        if table.verdict[state] or table.verdict[table.following[state * COLUMNS + END]]
    )


@cache
def is_public_short_number(dialled: str, region: str | None) -> bool:
    """Whether so dialled a number reaches an emergency or another public service of the region."""
    if dialled in _EMERGENCY_EVERYWHERE:
        return True
    metadata = PhoneMetadata.short_metadata_for_region(region) if region else None
    short = metadata.short_code if metadata else None
    pattern = short.national_number_pattern if short else None
    return pattern is not None and re.fullmatch(pattern, dialled) is not None
