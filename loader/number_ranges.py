"""What stands for many numbers in people's lists, as canonical numbers and the fewest prefixes.

| written | stands for |
|---|---|
| `600100200-600100299`, `600100200-299` | both ends and all between |
| `600100XXX`, `600100###`, `600100[0-4]XX` | a mask: see number_masks |
| `_1727NXXXXXX` | the same as an Asterisk pattern |
| `0162*` in Germany | a prefix behind the national prefix |

It stands for exactly these, or a RangeError says why not and what to write. What could as well be
one number, an extension behind one, or two numbers is such an error, and never guessed.
"""

from __future__ import annotations

import re

import phonenumbers

from loader.number_masks import parse_mask
from loader.number_rules import MAX_TEXT
from loader.number_sets import DIGITS, Between, RangeError, fewest_entries
from loader.number_spelling import plain_marks, squeeze
from loader.numbers_in_use import country_code, counts_by_length
from loader.whole_numbers import Reader, ReadNumber

__all__ = ["RangeError", "expand"]

_MAX_FREE = 1_000  # numbers of a range whose ends are not at whole thousands
_MIN_TAIL = 3
_WORTH_A_LOOK = re.compile(r"[-/XZNx_*#\[\]^$\\{}|%!?\u2026]|\.$")
_SEPARATOR = re.compile(r"[-/]")
_WILD = re.compile(r"[\[\]XZNxzn_]")
_OPEN_END = re.compile(r"(.*?[\d\])XZNxzn])\s*([.!?%\u2026]+)", re.DOTALL)
_EXPRESSION = re.compile(r"(?=.*[\^$\\{}]|.*\(.*\|)[\d\sXNZxnzd+\[\]().?*\\{},^$|_-]*", re.DOTALL)
_ONE_DASH = re.compile(r"[^-]*?(\d+) *- *(\d+) *")


def expand(text: str, region: str | None, read: ReadNumber) -> tuple[str, ...] | None:
    """The canonical numbers and fewest prefixes that a range, mask or national prefix stands for.

    None: the text is none of these; a number with dashes in it is none. `region`: where national
    numbers are read; `read`: numbers.read_number. Raises RangeError for what is no exact set of
    numbers, or needs more than number_sets.MAX_ENTRIES entries.
    """
    if len(text) > MAX_TEXT:
        return None
    text = plain_marks(text).strip()
    if not _WORTH_A_LOOK.search(text) or not re.search(r"\d", text):
        return None
    reader = Reader(region.upper() if region else None, read)
    if text.endswith("*"):
        return _prefix(text[:-1], reader)
    if _EXPRESSION.fullmatch(text):
        raise RangeError("a regular expression: write X for any digit, or a prefix like +48600*")
    _refuse_open_end(text)
    mask = parse_mask(text)
    return mask.entries(reader) if mask else _range(text, reader)


def _refuse_open_end(text: str) -> None:
    """Asterisk's . and !, and the signs of other patterns for whatever may follow."""
    found = _OPEN_END.fullmatch(text)
    digits = squeeze(_WILD.sub("", found[1])) if found else None
    if digits and digits.lstrip("+").isdecimal():
        raise RangeError(
            "it leaves open what follows: write X for any digit, or a prefix like +48600*"
        )


# Prefixes


def _prefix(body: str, reader: Reader) -> tuple[str, ...] | None:
    digits = squeeze(_WILD.sub("", body))
    if not digits or "*" in digits or "#" in digits:
        return None
    if _WILD.search(body):
        raise RangeError("a mask or class before a *: write the prefixes one by one")
    if "+" in digits.lstrip("+"):
        raise RangeError("a range of prefixes: write them one by one")
    dash = _ONE_DASH.fullmatch(body)
    if dash and _ascends(*dash.groups()):
        raise RangeError(
            "either a range of prefixes or one prefix with a dash in it: write the prefix without "
            "the dash, or the prefixes one by one"
        )
    if digits.startswith(("+", "00")) or "(0)" in body or reader.region is None:
        return None
    return _national_prefix(digits, reader)


def _ascends(first: str, last: str) -> bool:
    """Whether last may be the end of a range of prefixes, whole or only its last digits."""
    if len(first) == len(last) and first[0] == "0" != last[0]:
        return False  # 0201-2464: an area code and what follows
    return len(first) >= len(last) and first[-len(last) :] < last


def _national_prefix(digits: str, reader: Reader) -> tuple[str, ...] | None:
    code = reader.country_code
    dialled = phonenumbers.ndd_prefix_for_region(reader.region or "", True) or ""
    starts = []
    # Digits without a national prefix, or with an 8 for one, may be somebody's country code.
    if (dialled[:1] == "0" or dialled == code) and digits.startswith(dialled):
        starts.append(code + digits.removeprefix(dialled))
    if digits.startswith("0"):
        starts.append(code + digits)  # Italy's numbers have their 0 from abroad too
    for start in starts:
        if start != code and _is_start_of(digits, start, reader):
            return (f"+{start}*",)
    if starts:
        raise RangeError(
            f"no numbers in use begin so in {reader.region}: write a prefix with + and country code"
        )
    return None


def _is_start_of(dialled: str, start: str, reader: Reader) -> bool:
    """Whether a number in use that is dialled so at its start has this start in E.164."""
    lengths = counts_by_length(start)
    if not lengths:
        return False
    length = max(lengths)
    number = start
    while len(number) < length:
        longer = (number + digit for digit in DIGITS)
        number = next(number for number in longer if length in counts_by_length(number))
    return reader.whole(dialled + number[len(start) :]) == number


# Ranges


def _range(text: str, reader: Reader) -> tuple[str, ...] | None:
    characters = squeeze(text) or ""
    cuts = [
        (text[: found.start()], text[found.end() :])
        for found in _SEPARATOR.finditer(text)
        if characters.replace("+", "").isdecimal()
    ]
    if not cuts:
        return None
    slash = "/" in text
    ends = next(filter(None, (_whole_ends(left, right, reader) for left, right in cuts)), None)
    if reader.whole(text, in_use=True):
        if ends and ends[0][:-_MIN_TAIL] == ends[1][:-_MIN_TAIL]:
            raise RangeError(
                "either one number or a range: write the number without the dash, or the range as "
                f"+{ends[0]}-+{ends[1]}"
            )
        return None  # a number with dashes in it
    if ends:
        return None if slash else _between(*ends)  # with a slash between them they are two numbers
    left, right = cuts[-1]
    first, tail = reader.whole(left), squeeze(right) or ""
    if first and tail.isdecimal() and len(tail) < len(first) - len(country_code(first)):
        last = first[: -len(tail)] + tail
        if slash or len(tail) < _MIN_TAIL or (first[-1], last[-1]) != ("0", "9"):
            raise RangeError(
                "a partial range, an extension or another number: write a range as "
                f"+{first}-+{last}, and several numbers one by one"
            )
        return _between(first, last)
    _refuse_partial(cuts, reader)
    return None


def _whole_ends(left: str, right: str, reader: Reader) -> tuple[str, str] | None:
    first, last = reader.whole(left), reader.whole(right)
    return (first, last) if first and len(first) == len(last) else None


def _between(first: str, last: str) -> tuple[str, ...]:
    if last <= first:
        raise RangeError("a partial range, its end is not above its start: write both ends whole")
    if country_code(first) != country_code(last):
        raise RangeError("a range from one country to another: write a range of each")
    if int(last) - int(first) >= _MAX_FREE and (first[-3:], last[-3:]) != ("000", "999"):
        raise RangeError(
            "either two numbers or a range of more than 1,000: write two numbers one by one, and "
            "such a range from a number that ends in 000 to one that ends in 999"
        )
    return fewest_entries(Between(first, last))


def _refuse_partial(cuts: list[tuple[str, str]], reader: Reader) -> None:
    """Raises RangeError for ends that are no whole numbers, but no parts of one number either."""
    ends = [(squeeze(left) or "", squeeze(right) or "") for left, right in cuts]
    if any(first and last.startswith("+") for first, last in ends):
        raise RangeError("a partial range: write both ends whole, or prefixes like +48600*")
    first, last = ends[0]
    if len(cuts) > 1 or not first.isdecimal() or not len(first) == len(last) >= _MIN_TAIL:
        return
    if first < last and not _is_short_number(first + last, reader):
        raise RangeError(
            f"a partial range, its ends are {reader.no_number(first)}: write both whole with + and "
            "country code, and extensions one by one or as a mask like 10XX"
        )


def _is_short_number(digits: str, reader: Reader) -> bool:
    number = phonenumbers.PhoneNumber(
        country_code=int(reader.country_code), national_number=int(digits)
    )
    return phonenumbers.is_valid_short_number(number)
