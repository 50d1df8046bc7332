"""Entries that would cut off far more than somebody meant: held back unless the operator insists.

That is what covers more than a million subscriber lines, an emergency or public short number, and a
number of our own: one that a route presents or that a forwarding is for.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache

from phonenumbers import PhoneMetadata

from loader.edit_table import entry_key_of
from loader.key_table import KeyTable
from loader.list_keys import ListKeys
from loader.numbers_in_use import groups, possible_lengths
from loader.store import BadValueError, is_prefix

MAX_COVERED = 1_000_000
_EMERGENCY_EVERYWHERE = frozenset({"112", "911"})  # on every network: 3GPP TS 22.101, 10.1.1


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
        self.check_all((number,))

    def check_all(self, numbers: Sequence[str]) -> None:
        """The same for all entries that one text stands for, such as those of a range.

        What they cover counts together: a range of several prefixes is held back as one prefix is.
        """
        lines = sum(covered_lines(number) if is_prefix(number) else 1 for number in numbers)
        if lines > MAX_COVERED:
            first, *others = numbers
            more = f" with {len(others):,} more" if others else ""
            raise DangerousEntryError(
                f"held back: {first}{more} covers {lines:,} numbers, more than {MAX_COVERED:,} "
                "(--yes-really takes it)"
            )
        for number in numbers:
            problem = self._problem(number)
            if problem:
                raise DangerousEntryError(f"held back: {number} {problem} (--yes-really takes it)")

    def _problem(self, number: str) -> str:
        if is_prefix(number):
            if self.keys.any_below(int(number[1:-1])):
                return "covers numbers of our own"
        elif number[0] != "+" and is_public_short_number(number, self._region):
            return "is an emergency or public short number"
        if self.keys.covers(entry_key_of(number)):
            return "is a number of our own: a route presents it or a forwarding is for it"
        return ""


@lru_cache(4096)
def covered_lines(prefix: str) -> int:
    """How many subscriber lines a prefix such as "+48700*" covers, by the world's numbering plans.

    Where all numbers in use that begin alike have one length, that is how many there are. Where
    they have several, as in Germany and Austria, the longer ones are extensions behind the shorter:
    they are other ways to divide the same numbers, and adding them up counts a line many times. So
    numbers are counted at one length, the middle one (of two, the longer) of all lengths in use
    among numbers with the same country code and the same first four national digits. It is the
    length of an ordinary line: 11 digits for +4930 (Berlin), of 7 to 15. Under a prefix that has no
    numbers of that length, the next longer length counts.

    Under a prefix without numbers in use, all that the plan allows are counted at their longest:
    nothing says how few of them there are.
    """
    start = prefix[1:-1]
    lines = sum(group.alike * _lines(group.counts, group.below) for group in groups(start))
    return lines or 10 ** (max(possible_lengths(start), default=len(start)) - len(start))


def _lines(counts: Mapping[int, int], below: Mapping[int, int]) -> int:
    if not below:
        return 0
    middle = sorted(counts)[len(counts) // 2]
    return below[min((length for length in below if length >= middle), default=max(below))]


@cache
def is_public_short_number(dialled: str, region: str | None) -> bool:
    """Whether so dialled a number reaches an emergency or another public service of the region."""
    if dialled in _EMERGENCY_EVERYWHERE:
        return True
    metadata = PhoneMetadata.short_metadata_for_region(region) if region else None
    short = metadata.short_code if metadata else None
    pattern = short.national_number_pattern if short else None
    return pattern is not None and re.fullmatch(pattern, dialled) is not None
