"""What the numbering plan of a region says of the digits that are dialled there."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneMetadata

_MIN_DIGITS = 7  # with fewer, digits of a number would pass for another one by chance

_WORLDWIDE = frozenset({"112", "911"})
"""The emergency numbers of ITU-T E.161.1, for a leg whose region nobody knows."""

MAX_EMERGENCY_DIGITS = 6


@lru_cache(maxsize=1000)
def is_emergency_number(dialled: str, region: str | None) -> bool:
    """Whether these digits, as they are, reach an emergency service in the region."""
    if len(dialled) > MAX_EMERGENCY_DIGITS:
        return False
    if region is None:
        return dialled in _WORLDWIDE
    return phonenumbers.is_emergency_number(dialled, region)


class NationalPlan(NamedTuple):
    """code: the country code with its +, "" in no region. trunk: what is dialled before a national
    number. international: what is dialled before a country code. lengths: of national numbers.
    before: what may stand before a national number that is dialled so that it can be no other.
    """

    code: str
    trunk: str
    international: str
    lengths: tuple[int, ...]
    before: frozenset[str]

    def within(self, digits: str) -> tuple[str, ...]:
        """The full numbers of the region that `digits` hold, with others before or behind them."""
        return tuple(
            dict.fromkeys(
                f"{self.code}{digits[start : start + length]}"
                for length in self.lengths
                if length < len(digits)
                for start in range(len(digits) - length + 1)
            )
        )


@lru_cache(maxsize=300)
def national_plan(region: str | None) -> NationalPlan:
    """The plan of a region that phonenumbers knows; of no region, one that holds no number."""
    if region is None:
        return NationalPlan("", "", "00", (), frozenset())
    metadata = PhoneMetadata.metadata_for_region(region)
    general = metadata.general_desc if metadata else None
    possible = general.possible_length if general else ()
    lengths = tuple(length for length in possible if length >= _MIN_DIGITS)
    prefix = metadata.international_prefix if metadata else None
    international = prefix if prefix is not None and prefix.isdecimal() else "00"
    code = str(phonenumbers.country_code_for_region(region))
    trunk = phonenumbers.ndd_prefix_for_region(region, True) or ""
    # Without its trunk prefix a number can be a longer one's, unless all have the same length.
    alone = trunk if len(lengths) > 1 else ""
    before = frozenset({trunk, alone, code, f"+{code}", f"00{code}", international + code})
    return NationalPlan(f"+{code}", trunk, international, lengths, before)
