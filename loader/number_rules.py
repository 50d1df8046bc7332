"""The rules of loader.numbers, in its numbering, as questions to phonenumbers.

Slow, 10 to 80 microseconds a number; plain_numbers does rules 5 to 7 faster for plain spellings and
must agree with this module on every text that it does not decline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Literal, NamedTuple

import phonenumbers
from phonenumbers import CountryCodeSource, NumberParseException, PhoneNumber, ValidationResult

from loader import plain_numbers, renumbering
from loader.number_spelling import LettersError, SpellingError, spelled, squeeze
from loader.plain_numbers import RegionReader, may_exist, reader_for
from loader.renumbering import Renumbering

Kind = Literal["e164", "dialled", "withheld", "unreadable"]

Tier = Literal["valid", "possible", "impossible"]
"""Of an E.164 number, by phonenumbers' metadata.

valid: in a range that is in use. possible: in none, but a number could be so. impossible: no number
has that length there, or it is a number in use with digits too many or too few.
"""

ANONYMOUS = "anonymous"

_MAX_RAW = 512
MAX_TEXT = 64
_MAX_DIALLED = 15
_MAX_E164 = 15  # ITU-T E.164, 6.1
_MIN_KEPT = 7  # the shortest international numbers in use have 7 digits, such as +683 4000
_MIN_AMBIGUOUS = 5
_MIN_CERTAIN = 7
_MIN_WITHOUT_PLUS = 8

_WITHHELD = frozenset(
    {"", "anonymous", "restricted", "private", "unavailable", "unknown", "withheld"}
)
# The word anonymous on a telephone's keys, which some carriers send in its place.
_WITHHELD_KEYS = frozenset({"266696687", "+266696687"})
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|\$\{")
_SCHEME = re.compile(r"(tel|sips?):\s*", re.IGNORECASE)
# Behind a ; stands a parameter's name: another number is none.
_PARAMETERS = re.compile(r";\s*(?:[A-Za-z]|$)")
_PHONE_CONTEXT = re.compile(
    r";phone-context=(\+[.()-]*\d[\d.()-]*)(?:[;@]|$)", re.IGNORECASE | re.ASCII
)
_EXTENSION_PARAMETER = re.compile(r";ext=", re.IGNORECASE)


class Result(NamedTuple):
    """The fields of numbers.Reading, and what a list entry is measured by.

    repaired: what was put right in the text. extension: something behind the number was left out.
    known: phonenumbers' own form, when it calls the number possible.
    """

    number: str | None
    kind: Kind
    how: str
    tier: Tier | None = None
    repaired: str = ""
    extension: bool = False
    known: PhoneNumber | None = None


NO_REGION = "national number and no region to read it in, as dialled"

_REGIONS = {
    spelling: region
    for region in phonenumbers.SUPPORTED_REGIONS
    for spelling in (region, region.lower())
}

# A process that meets many regions would otherwise compile the metadata's patterns over and over.
if hasattr(phonenumbers, "enable_pattern_cache"):
    phonenumbers.enable_pattern_cache()


def in_region(region: str | None) -> tuple[str | None, RegionReader, tuple[str, ...]]:
    """The region if phonenumbers knows it, else None; its fast path and its sentences by `how`."""
    return _known_region(_REGIONS.get(region) if region is not None else None)


@cache
def _known_region(region: str | None) -> tuple[str | None, RegionReader, tuple[str, ...]]:
    sentences = {
        plain_numbers.INTERNATIONAL: "international number",
        plain_numbers.DIALLING_PREFIX: (
            f"international number after the international prefix of {region}"
        ),
        plain_numbers.ZERO_ZERO: "international number after 00",
        plain_numbers.WITHOUT_PLUS: "international number without its +",
        plain_numbers.OWN_CODE: f"number with the country code of {region}, without its +",
        plain_numbers.NATIONAL: f"national number of {region}",
        plain_numbers.UNKNOWN_RANGE: "international number of an unknown range, as written",
        plain_numbers.SHORT: "extension or short number, as dialled",
        plain_numbers.NOT_FULL: (
            f"no full number of {region}, as dialled" if region else NO_REGION
        ),
    }
    return (
        region,
        reader_for(region),
        tuple(sentences.get(how, "") for how in range(max(sentences) + 1)),
    )


RENUMBERED = ", by the renumbering of "
FILLER = "one digit throughout, as dialled"


def _unreadable(how: str) -> Result:
    return Result(None, "unreadable", how)


def _dialled(characters: str, how: str) -> Result:
    if len(characters) > _MAX_DIALLED:
        return _unreadable(f"longer than {_MAX_DIALLED} characters and no number")
    return Result(characters, "dialled", how)


# 600100200-299 is a range, and digits of Malaysia.
_UNDECIDED = _unreadable("a range, or a number without its +: write + and the country code")


def read(text: str, region: str | None) -> Result:
    """Read text as dialled in a region that phonenumbers knows, or in none. Never raises."""
    if len(text) > _MAX_RAW:
        return _unreadable("too long to be a number")
    if _UNSAFE.search(text):
        return _unreadable("it holds a control character or a variable reference")

    user, context, extension = _unwrap(text.strip())
    if user is None:
        return _unreadable("a SIP address without a user")
    if user.casefold() in _WITHHELD:
        return Result(ANONYMOUS, "withheld", "withheld: no caller number")
    if len(user) > MAX_TEXT:
        return _unreadable("too long to be a number")

    try:
        spelling = spelled(user)
    except LettersError as error:
        return _unreadable(str(error) + _on_a_keypad(user, region))
    except SpellingError as error:
        return _unreadable(str(error))
    result = _read_keys(spelling.keys, context, region, spelling.divided)
    if spelling.without_zero and result.tier != "valid":
        without = _read_keys(spelling.without_zero, context, region, spelling.divided)
        if without.tier == "valid":
            result = without
    if spelling.halved and region and result.how.startswith(_how(plain_numbers.NATIONAL, region)):
        return _unreadable("two numbers with a dash between them")
    if result.tier == "valid":
        result = _as_one_line(result)
    if (extension or spelling.extension) and result.kind == "e164":
        result = _without_extension(result)
    return result._replace(repaired=spelling.repaired) if spelling.repaired else result


def _unwrap(text: str) -> tuple[str | None, str, bool]:
    """The user part, the digits of an international phone-context, whether ;ext= was there."""
    scheme = _SCHEME.match(text)
    user = rest = text[scheme.end() :] if scheme else text
    parameters = _PARAMETERS.search(user)
    if parameters:
        user = user[: parameters.start()]
    user = user.partition("@")[0]
    has_host = len(user) < len(rest) and "@" in rest
    if scheme and scheme[1].lower() != "tel":
        if not has_host and not user.replace("+", "", 1).isalnum():
            return None, "", False
        user = user.partition(":")[0]  # the password
    context = _PHONE_CONTEXT.search(rest)
    return (
        user.strip(),
        context[1] if context else "",
        _EXTENSION_PARAMETER.search(rest) is not None,
    )


def _on_a_keypad(user: str, region: str | None) -> str:
    """Which number a vanity spelling would be, as the end of a sentence."""
    number = _parse(user, region)
    if number is None or not phonenumbers.is_valid_number(number):
        return ""
    return f"; on a keypad they would be {_e164(number)}: write that if it is meant"


def _read_keys(characters: str, context: str, region: str | None, divided: bool) -> Result:
    if characters in _WITHHELD_KEYS:
        return Result(ANONYMOUS, "withheld", "withheld: the keys of the word anonymous")
    if characters.startswith("+"):
        return _read_plus(characters)
    if not characters or "+" in characters:
        return _unreadable("no number")
    if context and characters.isdecimal():
        number = _settle(f"+{squeeze(context[1:])}{characters}")
        if number:
            return _possible(number, "number with its phone-context")
        region = None  # whatever it is, it was not dialled here
    if "*" in characters or characters.startswith("#"):
        return _dialled(characters, "feature code, as dialled")
    if "#" in characters:
        result = _read_digits(characters.partition("#")[0], region, divided)
        if result.kind == "e164":
            return _without_extension(result)
        return _dialled(characters, "feature code, as dialled")
    return _read_digits(characters, region, divided)


def _without_extension(result: Result) -> Result:
    return result._replace(how=result.how + ", extension dropped", extension=True)


def _read_plus(characters: str) -> Result:
    digits, hash_key, _ = characters.lstrip("+").partition("#")
    if digits.isdecimal():
        if _is_filler(digits) and digits[0] == "0":
            return _dialled(digits, FILLER)
        number = _international(digits.removeprefix("00"))
        if number:
            return _without_extension(number) if hash_key else number
    return _unreadable(f"an international number has {_MIN_KEPT} to {_MAX_E164} digits")


def _international(digits: str) -> Result | None:
    """Digits that follow a + or 00."""
    number = _settle("+" + digits)
    result = _possible(number, _how(plain_numbers.INTERNATIONAL)) if number else None
    if result and result.tier == "valid":
        return result
    old = _in_old_form([digits, *_digits_of(number)], _how(plain_numbers.INTERNATIONAL))
    if old or result:
        return old or result
    if _MIN_KEPT <= len(digits) <= _MAX_E164 and digits[0] != "0":
        return Result("+" + digits, "e164", _how(plain_numbers.UNKNOWN_RANGE), "impossible")
    return None


def _how(how: int, region: str | None = None) -> str:
    return _known_region(region)[2][how]


def _read_digits(digits: str, region: str | None, divided: bool) -> Result:
    short = region is not None and _is_short_number(digits, region)
    if len(digits) < _MIN_AMBIGUOUS or (short and len(digits) < _MIN_CERTAIN):
        return _dialled(digits, _how(plain_numbers.SHORT))

    own = _in_own_region(digits, region, short) if region else None
    is_own = own is not None and own.tier == "valid"
    if own and is_own and not (region and _looks_international(digits, own, region)):
        return own
    abroad = None if short else _from_abroad(digits, region, divided)
    if abroad and abroad.tier == "valid":
        return abroad
    if region and not short and not is_own and len(digits) >= _MIN_CERTAIN:
        old = _in_old_form_of(digits, region)
        if old:
            return old
    if _is_filler(digits) and not is_own:
        return _dialled(digits, FILLER)
    reading = own or abroad
    if reading:
        return reading

    if short or len(digits) < _MIN_CERTAIN:
        return _dialled(digits, _how(plain_numbers.SHORT))
    return _dialled(digits, _how(plain_numbers.NOT_FULL, region))


def _is_filler(digits: str) -> bool:
    """0000000000 and the like, which callers without a number send."""
    return len(digits) >= _MIN_CERTAIN and len(set(digits)) == 1


def _in_own_region(digits: str, region: str, short: bool) -> Result | None:
    """What phonenumbers reads in the region; only valid numbers where others are doubtful."""
    number = _parse(digits, region)
    settled = _settle(_e164(number)) if number else None
    if number is None or settled is None:
        return None
    source = number.country_code_source
    doubtful = short or len(digits) < _MIN_CERTAIN
    if source == CountryCodeSource.FROM_NUMBER_WITH_IDD:
        how = plain_numbers.DIALLING_PREFIX
    elif source == CountryCodeSource.FROM_NUMBER_WITHOUT_PLUS_SIGN:
        how = plain_numbers.OWN_CODE
    else:
        how = plain_numbers.NATIONAL
        doubtful = doubtful or digits.startswith("00")
        # National numbers this short are dialled whole; without their prefix they are extensions.
        whole = phonenumbers.national_significant_number(number) != digits
        if len(digits) < _MIN_CERTAIN and not whole and _has_prefix(region):
            return None
    result = _possible(settled, _how(how, region))
    return None if doubtful and result.tier != "valid" else result


def _has_prefix(region: str) -> bool:
    return bool(phonenumbers.ndd_prefix_for_region(region, True))


def _from_abroad(digits: str, region: str | None, divided: bool) -> Result | None:
    """International numbers with 00, or without their +.

    Without + only where there is a region that the digits are no number of: 2025550123 is a number
    of Washington and one of Cairo.
    """
    if digits.startswith("00"):
        number = _international(digits[2:]) if len(digits) >= _MIN_CERTAIN else None
        return number._replace(how=_zero_zero(number)) if number else None
    if region is None or len(digits) < _MIN_WITHOUT_PLUS:
        return None
    settled = _settle("+" + digits)
    result = _possible(settled, _how(plain_numbers.WITHOUT_PLUS)) if settled else None
    if result is None or result.tier != "valid":
        texts = [digits, *_digits_of(settled)]
        result = _in_old_form(texts, _how(plain_numbers.WITHOUT_PLUS)) or result
    return _UNDECIDED if result and divided else result


def _zero_zero(number: Result) -> str:
    how = _how(plain_numbers.ZERO_ZERO)
    _, marked, date = number.how.partition(RENUMBERED)
    return how + marked + date


def _looks_international(digits: str, own: Result, region: str) -> bool:
    """A national number that lacks its national prefix and begins with the country's own code."""
    code = str(phonenumbers.country_code_for_region(region))
    return (
        own.number == f"+{code}{digits}"
        and own.how == _how(plain_numbers.NATIONAL, region)
        and digits.startswith(code)
        and _has_prefix(region)
    )


def _is_short_number(digits: str, region: str) -> bool:
    """A short code that phonenumbers knows, emergency numbers included, exactly as dialled."""
    significant = digits.lstrip("0")
    zeros = len(digits) - len(significant) if significant else len(digits) - 1
    number = PhoneNumber(
        country_code=phonenumbers.country_code_for_region(region),
        national_number=int(digits),
        italian_leading_zero=zeros > 0,
        number_of_leading_zeros=zeros or None,
    )
    return phonenumbers.is_valid_short_number_for_region(number, region)


def _parse(text: str, region: str | None) -> PhoneNumber | None:
    """phonenumbers' reading if it is a possible number."""
    try:
        number = phonenumbers.parse(text, region, keep_raw_input=True)
    except NumberParseException:
        return None
    reason = phonenumbers.is_possible_number_with_reason(number)
    return number if reason == ValidationResult.IS_POSSIBLE else None


def _settle(text: str) -> PhoneNumber | None:
    """The possible number that text with + is, such that reading its E.164 form changes nothing."""
    for _ in range(MAX_TEXT):  # each round takes off a prefix
        number = _parse(text, None)
        if number is None:
            return None
        e164 = _e164(number)
        if e164 == text:
            return number if len(e164) <= 1 + _MAX_E164 else None
        text = e164
    return None


def _e164(number: PhoneNumber) -> str:
    return f"+{number.country_code}{phonenumbers.national_significant_number(number)}"


def _possible(number: PhoneNumber, how: str) -> Result:
    text = _e164(number)
    tier: Tier = "valid"
    if not phonenumbers.is_valid_number(number):
        tier = "possible" if may_exist(text) else "impossible"
    return Result(text, "e164", how, tier, known=number)


# What renumberings.csv knows.


def _digits_of(number: PhoneNumber | None) -> Iterator[str]:
    if number is not None:
        yield _e164(number)[1:]


def _in_old_form(texts: list[str], how: str) -> Result | None:
    """The number in use that one of these is an old form of; each has what stands behind a +."""
    for digits in texts:
        for row in _rows(digits):
            if result := _renumbered(digits, row, how):
                return result
    return None


def _in_old_form_of(digits: str, region: str) -> Result | None:
    """The same for digits that were dialled in the region, with and without a national prefix."""
    how = _how(plain_numbers.NATIONAL, region)
    for row in renumbering.table().dialled.get(region, ()):
        if result := _renumbered(digits, row, how):
            return result
        now = row.apply(digits)
        if now and (result := _in_old_form([now], how)):
            return result
    code = str(phonenumbers.country_code_for_region(region))
    try:
        number = phonenumbers.parse(digits, region, keep_raw_input=True)
    except NumberParseException:
        return None
    if number.country_code_source == CountryCodeSource.FROM_NUMBER_WITH_IDD:
        return _in_old_form(list(_digits_of(number)), _how(plain_numbers.DIALLING_PREFIX, region))
    texts = [code + digits, *_digits_of(number)]
    if digits.startswith(code):
        texts.append(digits)
    return _in_old_form(texts, how)


def _as_one_line(result: Result) -> Result:
    """A number in use as the other number in use that is the same line."""
    assert result.number
    digits = result.number[1:]
    for row in _rows(digits):
        if row.pair and (now := _renumbered(digits, row, result.how)):
            return now._replace(extension=result.extension)
    return result


def _rows(digits: str) -> Iterator[Renumbering]:
    for size in (1, 2, 3):
        code = digits[:size]
        if code.isdecimal():
            yield from renumbering.table().international.get(int(code), ())


def _renumbered(digits: str, row: Renumbering, how: str) -> Result | None:
    now = row.apply(digits)
    number = _settle("+" + now) if now else None
    if number is None or not phonenumbers.is_valid_number(number):
        return None
    text = _e164(number)
    return Result(text, "e164", by_renumbering(how, row), "valid", known=number)


def by_renumbering(how: str, row: Renumbering) -> str:
    """The sentence for a number that was read so, by this row."""
    return f"{how}{RENUMBERED}{row.date}"
