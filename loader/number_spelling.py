"""How people write one number: the spellings that are read, and names for those that are not.

A text is the keys of one telephone number with marks between them, or it is refused by name. Read
in this order, first rule wins; digits of any script are digits, and spaces and dashes of any kind
are spaces and dashes:

1. Taken off and said (`repaired`): the apostrophe and the `="..."` of spreadsheets, and `.0` or
   `.00` behind a whole number, which a spreadsheet's library writes for a number.
2. Taken off: a label in front (`Tel.`, `Phone:`, `Handy`).
3. Refused by name: scientific notation, dates, IP addresses, what is crossed out or commented out,
   two numbers, masked digits, parts of a range, dialplan patterns.
4. An extension behind the number: `ext. 5`, `x5`, `wew. 5`, `,5`.
5. What is left has the keys 0-9 + * # and between them spaces, dashes, dots, slashes and round
   brackets. Letters are never keypad digits.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_KEYS = {"\uff0b": "+", "\uff0a": "*", "\uff03": "#"}
# Marks that people set between digits and that belong to no Unicode class of their own.
_MARKS = {
    **dict.fromkeys("\u2053\u223c\uff5e", "~"),
    **dict.fromkeys("\u2212\u30fc", "-"),
    "\uff08": "(",
    "\uff09": ")",
    "\uff0e": ".",
    "\uff0f": "/",
}
_CLASSES = {"Zs": " ", "Pd": "-", "Cf": ""}  # spaces, dashes, invisible marks
_BETWEEN = str.maketrans("", "", " -./()~")

_MIN_NUMBER = 7  # digits of a number that could stand alone
_MAX_WITH_00 = 17  # digits
_FORMULA = re.compile(r'="([^"]*)"')
_DECIMAL = re.compile(r"([+(]?\d[\d ()-]{4,})\.00?")
_LABEL = re.compile(
    r"(?:tel[eé]fono|telefon|telephone|t[eé]l|phone|mobile?|mob|cell|handy|fax|kom(?:[oó]rka)?)"
    r"\b\.?:? *(?=[+(\d])",
    re.IGNORECASE,
)
_EXTENSION = re.compile(
    r"(?<=[\d)])[ .-]*(?:ext(?:ension|n)?|x|wewn|wew|w|int|anexo|доб|,+)[ .:]*\d{1,15}",
    re.IGNORECASE,
)
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d+)?e[+-]?\d{1,3}", re.IGNORECASE)
_TIME = r"(?:[ T]\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?)?"
_DATE = re.compile(
    r"(?:(?:19|20)\d\d-(?:0?[1-9]|1[0-2])-(?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])([./-])(?:0?[1-9]|[12]\d|3[01])\1(?:19|20)\d\d)" + _TIME
)
_ADDRESS = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?::\d+)?")
_CROSSED_OUT = re.compile(r"(?:/|[!;~>-]) *[/!;~>-]* *[+(\d]")
_SEPARATORS = re.compile(r"[;,|&/]|\s(?:or|and|lub|oder|und|ou|et|o|y|e|i)\s", re.IGNORECASE)
_MASKED = re.compile(r"[+(]?[\d][\d .()-]*[*xX?_\u2022\u25cf\u2026#]{2,}[ .()-]*\d[\d .()-]*")
_SHORT_WITH_MARKS = re.compile(r"[\d .,/()~-]+")
_DIVISION = re.compile(r"[-/]")


class SpellingError(ValueError):
    """The text is no spelling of one number. The message says what it is, and what to write."""


class LettersError(SpellingError):
    """There are letters where digits should be."""


class Spelling(NamedTuple):
    """keys: 0-9 + * #. without_zero: the keys without a `(0)`, "" where none is written.

    extension: something behind the number was taken off. repaired: what was taken off in front or
    behind that is no part of a spelling, for the operator. divided: the only dash or slash stands
    behind seven digits or more, as in a range. halved: as many stand behind it too.
    """

    keys: str
    without_zero: str = ""
    extension: bool = False
    repaired: str = ""
    divided: bool = False
    halved: bool = False


def plain_marks(text: str) -> str:
    """The text with ASCII digits, keys, spaces and dashes for all of their kind."""
    if text.isascii():
        return text
    return "".join(map(_plain, text))


def _plain(character: str) -> str:
    if character.isascii():
        return character
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    found = _KEYS.get(character) or _MARKS.get(character)
    return found or _CLASSES.get(unicodedata.category(character), character)


def squeeze(text: str) -> str | None:
    """The keys of a telephone in text, marks left out; None when something else is there."""
    keys = plain_marks(text).translate(_BETWEEN)
    return None if keys.strip("0123456789+*#") else keys


def spelled(text: str) -> Spelling:
    """How the text spells one number. Raises SpellingError."""
    text = plain_marks(text).strip()
    text, repaired = _repaired(text)
    text = _LABEL.sub("", text, count=1)
    _refuse(text)
    extension = False
    if found := _EXTENSION.search(text):
        extension = found.end() == len(text)
        text = text[: found.start()] if extension else text
    keys = text.translate(_BETWEEN)
    if keys.strip("0123456789+*#"):
        if any(character.isalpha() for character in keys):
            raise LettersError("letters are not digits here")
        raise SpellingError("no number")
    if keys.startswith("#") and keys[1:].isdecimal() and len(keys) > _MIN_NUMBER:
        raise SpellingError("crossed out or commented out with #")
    if keys[:1] not in "*#" and "*" in keys.rstrip("*"):
        raise SpellingError("digits of it are masked")
    without_zero = text.replace("(0)", "", 1).translate(_BETWEEN) if "(0)" in text else ""
    before, behind = (_digits(part) >= _MIN_NUMBER for part in _ends(text))
    return Spelling(keys, without_zero, extension, repaired, before, before and behind)


def is_plain_short(text: str) -> bool:
    """Whether a text that was read as a short number is not its digits with marks or more behind.

    Marks group the digits of full numbers. In 1000.0, 100,101 or 2/50 they are something else.
    """
    text, _ = _repaired(plain_marks(text).strip())
    is_marked = _SHORT_WITH_MARKS.fullmatch(text) and not text.isdecimal()
    return not is_marked and not _EXTENSION.search(text)


def _repaired(text: str) -> tuple[str, str]:
    repairs = []
    if found := _FORMULA.fullmatch(text):
        text = found[1].strip()
        repairs.append('the ="" of a spreadsheet taken off')
    elif text.startswith("'"):
        text = text[1:].strip()
        repairs.append("the apostrophe of a spreadsheet taken off")
    if found := _DECIMAL.fullmatch(text):
        text = found[1].rstrip()
        repairs.append("the .0 of a spreadsheet taken off")
    return text, ", ".join(repairs)


def _refuse(text: str) -> None:
    """Raises SpellingError for what has a name and is not one number."""
    if _SCIENTIFIC.fullmatch(text):
        raise SpellingError(
            "scientific notation, whose last digits are lost; format the column as text"
        )
    if _DATE.fullmatch(text):
        raise SpellingError("a date")
    address = _ADDRESS.fullmatch(text)
    if address and all(int(part) < 256 for part in address.groups()):
        # 20.12.34.56 is how Danes write a number.
        is_number = all(len(part) == 2 for part in address.groups())
        if not is_number:
            raise SpellingError("an IP address; a number is written without so many dots")
    if _CROSSED_OUT.match(text):
        raise SpellingError("crossed out or commented out")
    if _is_two(text):
        raise SpellingError("two numbers; write each in a row of its own")
    if _MASKED.fullmatch(text):
        raise SpellingError("digits of it are masked")
    if text[-1:] in ("-", "/", "~"):
        raise SpellingError("part of a range")
    if text[-1:] in (".", "!", "?"):
        raise SpellingError(f"a pattern that ends in {text[-1]} covers numbers of any length")


def _is_two(text: str) -> bool:
    parts = _SEPARATORS.split(text)
    if len(parts) > 1:
        return sum(_digits(part) >= _MIN_NUMBER for part in parts) > 1
    if text.rfind("+") > 0 and _digits(text.rpartition("+")[0]) >= _MIN_NUMBER:
        return True
    # 600100200 600100201, but not +48600100 2001234
    words = text.split()
    is_one = text.startswith(("+", "00")) and _digits(text) <= _MAX_WITH_00
    return len(words) > 1 and not is_one and all(_digits(word) >= _MIN_NUMBER for word in words)


def _digits(text: str) -> int:
    return sum(character.isdecimal() for character in text)


def _ends(text: str) -> tuple[str, str]:
    """What stands before and behind the only dash or slash; blank without one."""
    parts = _DIVISION.split(text)
    return (parts[0], parts[1]) if len(parts) == 2 else ("", "")
