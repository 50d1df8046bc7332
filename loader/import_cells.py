"""What the cells of an imported row mean. Pure: text in, entries or an error out."""

import re
import unicodedata
from typing import NamedTuple

from loader.country_codes import country_of
from loader.numbers import EntryReading, read_entries
from loader.store import ISO_DAY, MAX_DESCRIPTION, BadValueError, quoted

# Between the numbers of one cell in exports of Yeastar's PBXs; in no spelling of a number.
_BETWEEN_NUMBERS = re.compile("[&^]")
_MAX_NUMBERS = 1000  # of one cell
_INTERNATIONAL = ("+", "00", "\uff0b", "tel:+")
_TIERS = ("valid", "possible", "impossible")
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
# What a note's line breaks, tabs and control characters become: one space.
_SPACE = " "


class Note(NamedTuple):
    """A description as it is kept. cleaned: whether it is another text than what was there."""

    text: str
    cleaned: bool


def read_number_cell(text: str, region: str | None, country: str = "") -> EntryReading:
    """The entries that a cell for a number means; several of a range, or between `&` or `^`.

    country: what stands in a column for it, "" for nothing; then `region` does not matter.
    Raises ValueError.
    """
    text = text.strip()
    if len(text) == 10 and ISO_DAY.fullmatch(text):
        raise BadValueError(f"number: expected a number, found the date {text}")
    parts = [part for part in _BETWEEN_NUMBERS.split(text) if part.strip()]
    if len(parts) < 2:
        return _read(text, region, country)
    if len(parts) > _MAX_NUMBERS:
        raise BadValueError(
            f"number: expected at most {_MAX_NUMBERS} numbers in a cell, found {len(parts)}"
        )
    readings = [_read(part.strip(), region, country) for part in parts]
    tiers = [reading.tier for reading in readings if reading.tier is not None]
    return EntryReading(
        tuple(number for reading in readings for number in reading.numbers),
        max(tiers, key=_TIERS.index, default=None),
        next((reading.repaired for reading in readings if reading.repaired), ""),
    )


def _read(text: str, region: str | None, country: str) -> EntryReading:
    country = country.strip()
    if not country:
        return read_entries(text, region)
    home, code = country_of(country)
    if text.startswith(_INTERNATIONAL):
        return read_entries(text, home)
    if home is None:
        return read_entries(f"+{code}{text}", None)
    reading = read_entries(text, home)
    foreign = next((n for n in reading.numbers if n[0] == "+" and not n.startswith(f"+{code}")), "")
    if foreign:
        raise BadValueError(
            f"number: expected a number of country {country}, found {quoted(text)},"
            f" which would be {foreign}"
        )
    return reading


def is_short(number: str) -> bool:
    """Whether a canonical number is an extension or another short number: digits as dialled."""
    return number.isdecimal()


def read_note(text: str) -> Note:
    """The text on one line, without control characters, and cut at what a description may have."""
    stripped = text.strip()
    if len(stripped) <= MAX_DESCRIPTION and (stripped.isprintable() or not _has_bad(stripped)):
        return Note(stripped, False)
    kept = "".join(_SPACE if unicodedata.category(c) in _UNPRINTABLE else c for c in stripped)
    return Note(" ".join(kept.split())[:MAX_DESCRIPTION].rstrip(), True)


def _has_bad(text: str) -> bool:
    return any(unicodedata.category(character) in _UNPRINTABLE for character in text)
