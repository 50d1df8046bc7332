"""One line, one key: numbers in a form that their country has given up, read as they are now.

renumberings.csv has a row for each change, with its date and source. A row of the form `e164` is
about the national number behind its calling code, with leading zeros, one of the form `dialled`
about what was dialled inside a region. `pattern` has digits, classes, `\\d`, `{n}` and groups, and
a fixed length; `replacement` gives the national number as it is now, or with + all of it. A
reference has one digit: `\\19` is the first group and a 9.

A row counts only where its result is a number in use (phonenumbers.is_valid_number). One whose
`when` is `invalid` counts only for numbers that are not in use. A `pair` is one line with two forms
that are both in use by the metadata, or both dialled.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

_ITEM = re.compile(r"(\d|\[[\d-]+\]|\\d)(?:\{(\d+)\})?|([()])")
_CLASS = re.compile(r"(\d)(?:-(\d))?")
DIGITS = "0123456789"
_OUT = re.compile(r"\\(\d)|(\d)")


@dataclass(frozen=True, slots=True)
class Renumbering:
    """One row, about what stands behind a + (`e164`), or was dialled.

    index: its place in Table.rows. date: of the change, ISO, or only the year or month.

    places: for each digit of the old form, the digits that may stand there. result: for each digit
    of the new form, that digit, or the place of the old form that it comes from.
    """

    index: int
    pair: bool
    date: str
    source: str
    example_old: str
    example_new: str
    places: tuple[str, ...]
    result: tuple[str | int, ...]

    def apply(self, digits: str) -> str | None:
        """The number as it is now, without +; None when the row is not about these digits."""
        if len(digits) != len(self.places):
            return None
        if any(digit not in may for digit, may in zip(digits, self.places, strict=True)):
            return None
        return "".join(item if isinstance(item, str) else digits[item] for item in self.result)


@dataclass(frozen=True, slots=True)
class Table:
    """rows: of the form e164. international: the same by calling code. dialled: the others, by
    region. version: names all that they say.
    """

    rows: tuple[Renumbering, ...]
    international: dict[int, tuple[Renumbering, ...]]
    dialled: dict[str, tuple[Renumbering, ...]]
    version: str


@cache
def table() -> Table:
    """The table that is shipped. Raises ValueError for one that was changed into nonsense."""
    text = resources.files("loader").joinpath("renumberings.csv").read_text("utf-8")
    rows: list[Renumbering] = []
    international: dict[int, list[Renumbering]] = {}
    dialled: dict[str, list[Renumbering]] = {}
    for fields in csv.DictReader(text.splitlines()):
        row = _renumbering(fields, len(rows))
        if fields["form"] == "e164":
            rows.append(row)
            international.setdefault(int(fields["calling_code"]), []).append(row)
        else:
            dialled.setdefault(fields["region"], []).append(row)
    return Table(
        tuple(rows),
        {code: tuple(found) for code, found in international.items()},
        {region: tuple(found) for region, found in dialled.items()},
        hashlib.sha256(text.encode()).hexdigest()[:8],
    )


def _renumbering(row: dict[str, str], index: int) -> Renumbering:
    code = row["calling_code"]
    pattern = row["pattern"] if row["form"] == "dialled" else code + row["pattern"]
    replacement = row["replacement"]
    replacement = replacement[1:] if replacement[0] == "+" else code + replacement
    places, groups = _places(pattern)
    return Renumbering(
        index,
        row["when"] == "pair",
        row["date"],
        row["source"],
        row["example_old"],
        row["example_new"],
        tuple(places),
        tuple(_result(replacement, groups)),
    )


def _places(pattern: str) -> tuple[list[str], list[range]]:
    """Which digits may stand at each place, and which places each group has."""
    places: list[str] = []
    groups: list[range] = []
    start = at = 0
    while at < len(pattern):
        item = _ITEM.match(pattern, at)
        if item is None:
            raise ValueError(f"renumberings.csv: unexpected {pattern[at:]!r} in {pattern!r}")
        at = item.end()
        if item[3] == "(":
            start = len(places)
        elif item[3] == ")":
            groups.append(range(start, len(places)))
        else:
            places += [_digits(item[1])] * int(item[2] or 1)
    return places, groups


def _digits(item: str) -> str:
    """Those that one item of a pattern stands for: `7`, `\\d` or `[13-5]`."""
    if item == "\\d":
        return DIGITS
    digits = ""
    for first, last in _CLASS.findall(item):
        digits += DIGITS[int(first) : int(last or first) + 1]
    return digits


def _result(replacement: str, groups: list[range]) -> Iterator[str | int]:
    """For each digit of the new form that digit, or its place in the old form."""
    for group, digit in _OUT.findall(replacement):
        if digit:
            yield digit
        else:
            yield from groups[int(group) - 1]
