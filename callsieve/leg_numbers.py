"""From the texts of a leg to its numbers: what is taken off them, how they are read, what they are.

What is dialled can have more before it than a number: the digit for an outside line, a carrier's
tech prefix, the code of a calling feature. The rules name what a trunk takes off (`strip`); the
codes that withhold or show the caller's number for one call, and a digit and a comma (a pause after
the outside line), are known. They are taken off only where a full number is behind them and the
whole is none: a listed number must not pass because nobody saw it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

from loader.national_numbers import (
    MAX_EMERGENCY_DIGITS,
    NationalPlan,
    is_emergency_number,
    national_plan,
)
from loader.numbers import Reading, read_number
from screening import Party, Standing

# A caller's number for one call: 3GPP TS 22.030 (#31#, *31#); the vertical service codes of North
# America (*67, *82, and 11 for the * on a telephone with a dial); Australia's ACMA (1831, 1832);
# the United Kingdom's operators (141, 1470).
_EVERYWHERE = r"[*#]31#|\*67|\*82|[0-9],+"
_OF_COUNTRIES = {"1": "1167|1182", "61": "183[12]", "44": "1470|141"}
_MAX_DIGITS = 32  # more are no number, with whatever stands before it

_MIN_NATIONAL = 7  # fewer digits are an extension or a short number in any country
_WRITTEN_PLUS = re.compile(r"\s*(?:tel:|sips?:)?[\s(]*\+", re.IGNORECASE)

NO_NUMBER = "no number"
NO_REGION = "national number and no region to read it in"

_STANDINGS: dict[str, Standing] = {
    "valid": "in use",
    "possible": "unassigned",
    "impossible": "impossible",
    "dialled": "short",
    "withheld": "withheld",
    "unreadable": "unreadable",
}


def caller_party(source: str, text: str, region: str | None) -> Party:
    """A number that the caller gives for its own."""
    reading = read_number(text, region)
    if region is None and _lacks_region(reading):
        return Party(source, text, None, NO_REGION, "unreadable")
    _, number, kind, how, tier = reading
    return Party(source, text, number, how, _STANDINGS[tier or kind])


def called_party(text: str, region: str | None, strip: Sequence[str]) -> Party:
    """The number that an inbound leg is for; a withheld one there is none."""
    taken = _without(text, region, strip) if strip else text
    party = caller_party("called number", taken, region)
    return party if taken is text else _behind(party, text, taken)


def dialled_party(text: str, region: str | None, strip: Sequence[str]) -> Party:
    """The number that we dial."""
    taken = _without(text, region, strip) if strip else text
    reading = read_number(taken, region)
    number = reading.number
    plan = national_plan(region)
    if reading.tier == "valid" and (taken == number or _is_own(taken, number or "", plan)):
        # Nearly always, so it is worth a look of its own.
        party = Party("called number", text, number, reading.how, "in use")
        return party if taken is text else _behind(party, text, taken)
    further = _without_codes(taken, reading, region, plan.code[1:])
    if further is not None:
        taken, reading = further, read_number(further, region)
    party = _judged(taken, reading, region, plan)
    return party if taken is text else _behind(party, text, taken)


def _judged(text: str, reading: Reading, region: str | None, plan: NationalPlan) -> Party:
    number, how = reading.number, reading.how
    standing = _STANDINGS[reading.tier or reading.kind]
    within: tuple[str, ...] = ()
    if number is None or reading.kind == "withheld":
        number, standing = None, "unreadable"
        how = NO_NUMBER if reading.kind == "withheld" else how
    elif reading.kind == "dialled" and is_emergency_number(number, region):
        standing = "emergency"
    elif region is None and _lacks_region(reading):
        number, how, standing = None, NO_REGION, "unreadable"
    elif reading.kind == "e164" and not (
        standing == "in use" and _is_sure(text, number, plan, region)
    ):
        within = tuple(one for one in plan.within(_digits(text)) if one != number)
    return Party("called number", text, number, how, standing, within)


def _without(text: str, region: str | None, strip: Sequence[str]) -> str:
    """The text without what the rules say is before it. The longest comes first in `strip`."""
    if len(text) <= MAX_EMERGENCY_DIGITS and is_emergency_number(text, region):
        return text
    return next((text[len(prefix) :] for prefix in strip if text.startswith(prefix)), text)


@cache
def _codes(country: str) -> re.Pattern[str]:
    """One or several codes at the beginning of a text that is dialled in the country."""
    known = "|".join(filter(None, (_EVERYWHERE, _OF_COUNTRIES.get(country))))
    return re.compile(rf"\s*(?:(?:{known})\s*){{1,3}}")


def _without_codes(text: str, reading: Reading, region: str | None, country: str) -> str | None:
    """The text without the codes before it; None when there are none, or a number begins so."""
    codes = _codes(country).match(text)
    if codes is None:
        return None
    rest = text[codes.end() :]
    behind = read_number(rest, region)
    if behind.number is None or not (
        behind.kind == "e164" or is_emergency_number(behind.number, region)
    ):
        return None
    whole = read_number(_digits(text), region) if "," in codes[0] else reading
    if whole.tier == "valid" and whole.number != behind.number:
        return None
    return rest


def _behind(party: Party, text: str, taken: str) -> Party:
    """The party as it came, with what was before its number."""
    before = text[: len(text) - len(taken)].strip()
    safe = re.sub(r"[^0-9*#+,]", "", before)
    return party._replace(original=text, how=f"{party.how}, behind {safe}")


def _lacks_region(reading: Reading) -> bool:
    """Whether what was read without a region is digits that are a number somewhere."""
    number = reading.number
    return (
        reading.kind == "dialled"
        and number is not None
        and number.isdecimal()
        and len(number) >= _MIN_NATIONAL
    )


def _is_sure(text: str, number: str, plan: NationalPlan, region: str | None) -> bool:
    """Whether it was dialled so that it can be no other number with digits before or behind it."""
    if _WRITTEN_PLUS.match(text):
        return True
    digits = _digits(text)
    if _is_own(digits, number, plan):
        return True
    prefixes = ("00", plan.international)
    is_abroad = any(digits.startswith(prefix + number[1:]) for prefix in prefixes)
    return is_abroad and not _is_behind_a_digit(digits, plan, region)


def _is_behind_a_digit(digits: str, plan: NationalPlan, region: str | None) -> bool:
    """Whether an outside-line digit before a national number makes the digits of a number abroad,
    as 0 before Germany's 01512... does.
    """
    rest = digits[1:]
    return (
        plan.trunk != ""
        and rest.startswith(plan.trunk)
        and read_number(rest, region).tier == "valid"
    )


def _is_own(digits: str, number: str, plan: NationalPlan) -> bool:
    """Whether these are the digits of the region's number with what belongs before them alone."""
    if not number.startswith(plan.code):
        return False
    national = number[len(plan.code) :]
    return digits.endswith(national) and digits[: -len(national)] in plan.before


def _digits(text: str) -> str:
    if text.isdecimal() and text.isascii():
        return text[:_MAX_DIGITS]
    digits = (str(unicodedata.decimal(one)) for one in text if one.isdecimal())
    return "".join(digits)[:_MAX_DIGITS]
