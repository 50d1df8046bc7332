"""Which extensions and short numbers may be dialled: `1XXX`, `19115`, `2000-2499`."""

from __future__ import annotations

import re
from typing import NamedTuple

_MASK = re.compile(r"[0-9XZN]{1,6}")
_RANGE = re.compile(r"([0-9]{1,6})-([0-9]{1,6})")
_CLASSES = {"X": ("0", "9"), "Z": ("1", "9"), "N": ("2", "9")}

EXPECTED_EXTENSIONS = (
    "1 to 6 digits, where X is any digit, Z one of 1 to 9 and N one of 2 to 9, or a range such as "
    "2000-2499"
)
"""Not longer: seven digits and more can be somebody's telephone number."""


class Extensions(NamedTuple):
    """Numbers of one length. by_digit: each digit is between those of `first` and `last`, as in a
    mask; otherwise the number is, as in a range.
    """

    first: str
    last: str
    by_digit: bool

    def cover(self, number: str) -> bool:
        if len(number) != len(self.first):
            return False
        if self.by_digit:
            digits = zip(self.first, number, self.last, strict=True)
            return all(first <= digit <= last for first, digit, last in digits)
        return number.isdecimal() and self.first <= number <= self.last


def read_extensions(text: str) -> Extensions | None:
    """What a mask or a range covers; None for what is neither."""
    if _MASK.fullmatch(text):
        bounds = [_CLASSES.get(sign, (sign, sign)) for sign in text]
        first, last = ("".join(side) for side in zip(*bounds, strict=True))
        return Extensions(first, last, by_digit=True)
    ends = _RANGE.fullmatch(text)
    if ends and len(ends[1]) == len(ends[2]) and ends[1] <= ends[2]:
        return Extensions(ends[1], ends[2], by_digit=False)
    return None
