"""Whether text is one whole number, as seen from a region: the ends of ranges, filled masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import phonenumbers

from loader.number_spelling import squeeze

_MAX_EXTENSION = 6  # from 7 digits on it was meant as a number


class Reading(Protocol):
    """What is used here of loader.numbers.Reading."""

    @property
    def number(self) -> str | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def tier(self) -> str | None: ...


ReadNumber = Callable[[str, str | None], Reading]
"""loader.numbers.read_number."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads numbers in a region, or in none."""

    region: str | None
    read: ReadNumber

    @property
    def country_code(self) -> str:
        """Of the region; "0" without one."""
        return str(phonenumbers.country_code_for_region(self.region or ""))

    def whole(self, text: str, *, in_use: bool = False) -> str:
        """The digits of the E.164 number that text is, "" when it is none that can exist.

        Only with + or 00 before it is it a number of another country: national digits that are too
        few or too many would else be somebody's abroad. in_use: only a number that is.
        """
        reading = self.read(text, self.region)
        if reading.kind != "e164" or not reading.number:
            return ""
        if reading.tier != "valid" and (in_use or reading.tier != "possible"):
            return ""
        foreign = (squeeze(text) or "").startswith(("+", "00"))
        own = reading.number.startswith(f"+{self.country_code}")
        return reading.number[1:] if own or foreign else ""

    def extension(self, digits: str) -> bool:
        """Whether the digits are an extension or a short number, as dialled."""
        reading = self.read(digits, self.region)
        return (
            len(digits) <= _MAX_EXTENSION and reading.kind == "dialled" and reading.number == digits
        )

    def no_number(self, text: str) -> str:
        """What a text is that is no whole number, for messages."""
        if (squeeze(text) or "").startswith(("+", "00")):
            return "no number that can exist"
        return f"no whole number {self._where}"

    @property
    def _where(self) -> str:
        return f"in {self.region}" if self.region else "without a default_region in the rules"
