"""Masks: digits with signs in some places that stand for several digits.

X is any digit; in Asterisk patterns, which begin with _, Z is 1 to 9 and N 2 to 9 too. A class is
[0-4] or [0-46]. # is any digit where several end the text. Without the _ only what can be nothing
else is a mask: 600XXX200 is a number masked for privacy, 600100200x12 has an extension.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loader.number_sets import (
    DIGITS,
    Masked,
    RangeError,
    check_count,
    fewest_entries,
)
from loader.number_spelling import squeeze
from loader.numbers_in_use import lengths_matching
from loader.whole_numbers import Reader

_LETTERS = {"X": DIGITS, "Z": DIGITS[1:], "N": DIGITS[2:]}
_EXTENSION = re.compile(r"[^xX]*\d\s*[xX]\s*[.:]?\s*\d+")
_HASHES_AT_END = re.compile(r"[^#*]*\d[^#*\d]*#{2,}")
_MIN_WITH_HASHES = 7  # fewer keys are an extension, or a code that is dialled so
_CLASS = re.compile(r"\[((?:[0-9](?:-[0-9])?)+)\]")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A sign of the text, or a class. choices: the digits it stands for; "": it is as it is."""

    text: str
    choices: str

    @property
    def place(self) -> str:
        """The digits that may be in the place; "" for punctuation, which has none."""
        return self.choices or squeeze(self.text) or ""


class Mask:
    """A text as pieces, some of which stand for several digits."""

    def __init__(self, pieces: Sequence[_Piece]) -> None:
        self._pieces = pieces
        self._choices = [piece.choices for piece in pieces if piece.choices]

    def entries(self, reader: Reader) -> tuple[str, ...]:
        """The numbers and fewest prefixes that it stands for, or extensions. Raises RangeError."""
        stem = self._stem(reader)
        if stem is None:
            return self._extensions(reader)
        places = [*stem, *self._free_places()]
        if not self._choices:
            return (f"+{stem}",)
        lengths = lengths_matching(places, len(stem))
        if lengths - {len(places)}:
            raise RangeError(
                f"numbers that begin so have {_digits(lengths)} with the country code: write "
                f"a range of whole numbers, or +{stem}* for all that begin so"
            )
        return fewest_entries(Masked(places))

    def _filled(self, digits: Sequence[str]) -> str:
        """The text with these digits for the pieces that stand for some."""
        rest = iter(digits)
        return "".join(next(rest) if piece.choices else piece.text for piece in self._pieces)

    def _free_places(self) -> list[str]:
        """The places from the first that may have several digits on."""
        free = itertools.dropwhile(lambda piece: not piece.choices, self._pieces)
        return [piece.place for piece in free if piece.place]

    def _stem(self, reader: Reader) -> str | None:
        """The digits of the E.164 number before the free places, whatever is in these.

        None: what the mask stands for is dialled as it is. A number's reading depends on how it
        begins, so every digit is tried in every place with the lowest and with the highest
        elsewhere.
        """
        stems: set[str | None] = set()
        free = len(self._free_places())
        for digits in self._samples():
            text = self._filled(digits)
            dialled = squeeze(text) or ""
            whole = reader.whole(text)
            if whole and whole[len(whole) - free :] == dialled[len(dialled) - free :]:
                stems.add(whole[: len(whole) - free])
            elif reader.extension(dialled):
                stems.add(None)
            else:
                raise RangeError(_no_number(reader, text))
        if len(stems) > 1:
            raise RangeError(_no_number(reader, text))
        return stems.pop()

    def _samples(self) -> Iterator[list[str]]:
        for others in [place[0] for place in self._choices], [p[-1] for p in self._choices]:
            yield others
            for at, place in enumerate(self._choices):
                for digit in place:
                    yield [*others[:at], digit, *others[at + 1 :]]

    def _extensions(self, reader: Reader) -> tuple[str, ...]:
        found: list[str] = []
        for digits in itertools.product(*self._choices):
            text = self._filled(digits)
            extension = squeeze(text) or ""
            if not reader.extension(extension):
                raise RangeError(_no_number(reader, text))
            found.append(extension)
            check_count(found)
        return tuple(found)


def _digits(lengths: set[int]) -> str:
    lowest, highest = min(lengths), max(lengths)
    return f"{lowest} digits" if lowest == highest else f"{lowest} to {highest} digits"


def _no_number(reader: Reader, text: str) -> str:
    return (
        f"filled with digits it is {reader.no_number(text)}: write an X for each digit, and + and "
        "the country code before them"
    )


def parse_mask(text: str) -> Mask | None:
    """None: the text is no mask. Raises RangeError for one that is not certain, or not written as
    masks are.
    """
    if text.startswith("_"):
        pieces = _pieces(text[1:], "XxZzNn")
        if pieces is None:
            raise RangeError("an Asterisk pattern has digits, X, Z, N and classes like [0-4]")
        return Mask(pieces)
    if text[0] in "*#" or _EXTENSION.fullmatch(text):
        return None
    wild = "XZN"
    if text.count("x") > 1:  # one may be a mark behind a number
        wild += "x"
    if _HASHES_AT_END.fullmatch(text) and len(squeeze(text) or "") >= _MIN_WITH_HASHES:
        wild += "#"
    pieces = _pieces(text, wild)
    if pieces is None or not any(piece.choices for piece in pieces):
        return None
    return Mask(pieces) if _is_mask(pieces) else None


def _pieces(text: str, wild: str) -> list[_Piece] | None:
    """The text in pieces, `wild` being the signs that stand for digits; None: it has others."""
    pieces: list[_Piece] = []
    while text:
        sign = text[0]
        if sign in wild:
            pieces.append(_Piece(sign, _LETTERS.get(sign.upper(), DIGITS)))
        elif sign == "[":
            found = _CLASS.match(text)
            if not found:
                return None
            pieces.append(_Piece(found[0], _class(found[1])))
        elif squeeze(sign) in (None, "*", "#"):
            return None
        else:
            pieces.append(_Piece(sign, ""))
        text = text[len(pieces[-1].text) :]
    return pieces


def _class(inside: str) -> str:
    digits: set[str] = set()
    for first, last in re.findall(r"(\d)(?:-(\d))?", inside):
        if last and last < first:
            raise RangeError("a class of digits has the lower one first, as in [0-4]")
        digits.update(DIGITS[int(first) : int(last or first) + 1])
    return "".join(sorted(digits))


def _is_mask(pieces: Sequence[_Piece]) -> bool:
    """Whether a text without the mark of Asterisk patterns is a mask. RangeError: perhaps."""
    signs = {piece.text.upper() for piece in pieces if piece.choices}
    free = itertools.dropwhile(lambda piece: piece.text.upper() not in ("X", "#"), pieces)
    if any(piece.place and not piece.choices for piece in free):
        raise RangeError(
            "digits within the number are masked: write the number, or _ before an Asterisk pattern"
        )
    if signs & {"N", "Z"} and "X" not in signs:
        raise RangeError(
            "N is 2 to 9 and Z is 1 to 9 in Asterisk patterns: write _ before one, or X for any "
            "digit"
        )
    return any(piece.place and not piece.choices for piece in pieces)
