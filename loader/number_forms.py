"""The forms of one line: how a canonical number is read now, and how older versions stored it.

A Redis store keeps numbers as they were read when they were put there. The table of renumberings
and phonenumbers' metadata change; what is stored does not.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from loader import renumbering
from loader.numbers import read_number
from loader.store import Entry, is_prefix

MAX_DIGITS = 15
# The shipped table gives a few; a table of nonsense must not make a lookup endless.
_MOST_FORMS = 50
_CODE_DIGITS = 2  # of a result, by which its rows are found


class _Inverse(NamedTuple):
    """What the result of a row looks like, and the old forms that it can come from: their digits,
    and slices of the result.
    """

    result: re.Pattern[str]
    olds: tuple[tuple[str | slice, ...], ...]


def present_form(number: str) -> str:
    """A canonical number as it is read now. Prefixes, dialled numbers and what is no longer read as
    a full number stay as they are.
    """
    if not number.startswith("+") or is_prefix(number):
        return number
    reading = read_number(number, None)
    return reading.number if reading.kind == "e164" and reading.number else number


def as_read(entry: Entry) -> Entry:
    """The entry with its number in the present form."""
    number = present_form(entry.number)
    return entry if number == entry.number else replace(entry, number=number)


def old_forms(number: str) -> tuple[str, ...]:
    """The forms that the table of renumberings reads as this canonical number, or might: whether it
    does is for present_form() to say of the few that are found stored.
    """
    if not number.startswith("+"):
        return ()
    found = [number[1:]]
    inverses = _inverses()
    for digits in found:  # a number may have been renumbered twice
        for inverse in inverses.get((len(digits), digits[:_CODE_DIGITS]), ()):
            if inverse.result.fullmatch(digits):
                for old in inverse.olds:
                    form = "".join([i if isinstance(i, str) else digits[i] for i in old])
                    if form not in found and len(found) < _MOST_FORMS:
                        found.append(form)
    return tuple(f"+{form}" for form in found[1:])


@cache
def _inverses() -> dict[tuple[int, str], tuple[_Inverse, ...]]:
    """By how many digits the result has, and its first ones."""
    found: dict[tuple[int, str], list[_Inverse]] = {}
    for row in renumbering.table().rows:
        if len(row.places) <= MAX_DIGITS:
            code = "".join(str(item) for item in row.result[:_CODE_DIGITS])
            found.setdefault((len(row.result), code), []).append(_inverse(row))
    return {key: tuple(rows) for key, rows in found.items()}


def _inverse(row: renumbering.Renumbering) -> _Inverse:
    pattern = ""
    come_from: dict[int, int] = {}  # place of the old form -> place of the result
    for at, item in enumerate(row.result):
        if isinstance(item, str):
            pattern += item
        elif item in come_from:
            raise ValueError(f"renumberings.csv: {row.example_old}: a group is used twice")
        else:
            come_from[item] = at
            pattern += f"[{row.places[item]}]"
    items: list[list[str | slice]] = []
    for place, may in enumerate(row.places):
        at = come_from.get(place, -1)
        if at < 0:
            items.append(list(may))
        elif come_from.get(place - 1) == at - 1 and isinstance(last := items[-1][0], slice):
            items[-1] = [slice(last.start, at + 1)]
        else:
            items.append([slice(at, at + 1)])
    olds = tuple(itertools.islice(itertools.product(*items), _MOST_FORMS))
    return _Inverse(re.compile(pattern, re.ASCII), olds)
