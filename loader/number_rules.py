"""The rules of loader.numbers, in its numbering, as questions to phonenumbers.

Slow, 10 to 80 microseconds a number; plain_numbers does rules 5 to 7 faster for plain spellings and
must agree with this module on every text that it does not decline.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Literal, NamedTuple

import phonenumbers
from phonenumbers import CountryCodeSource, NumberParseException, PhoneNumber, ValidationResult

from loader import plain_numbers
from loader.plain_numbers import RegionReader, reader_for

Kind = Literal["e164", "dialled", "withheld", "unreadable"]

Tier = Literal["valid", "possible", "impossible"]
"""Of an E.164 number, by phonenumbers' metadata: in a range that is in use; in none, but numbers of
that length could be; no number can be so."""

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
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|\$\{")
_SCHEME = re.compile(r"(tel|sips?):\s*", re.IGNORECASE)
_PHONE_CONTEXT = re.compile(
    r";phone-context=(\+[.()-]*\d[\d.()-]*)(?:[;@]|$)", re.IGNORECASE | re.ASCII
)
_EXTENSION_PARAMETER = re.compile(r";ext=", re.IGNORECASE)
_EXTENSION = re.compile(
    r"(?<=[\d)])[\s.-]*(?:ext(?:ension|n)?|x|wewn|wew|w|int|anexo|доб|,+)[\s.:]*\d{1,15}$",
    re.IGNORECASE,
)
_ONE_RUN_OF_DIGITS = re.compile(r"[^\d+]*\+*\d+[^\d+]*")
# Marks that people set between digits and that belong to no Unicode class of their own.
_MARKS = frozenset("()./[]~\u2053\u223c\uff5e\uff08\uff09\uff0e\uff0f\uff3b\uff3d\u2212\u30fc")
_PUNCTUATION_CLASSES = frozenset({"Zs", "Pd", "Cf"})  # spaces, dashes, invisible marks
_KEYS = {"+": "+", "\uff0b": "+", "*": "*", "\uff0a": "*", "#": "#", "\uff03": "#"}


class Result(NamedTuple):
    """The fields of numbers.Reading."""

    number: str | None
    kind: Kind
    how: str
    known: PhoneNumber | None = None  # phonenumbers' own form, when it calls the number possible


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
            f"no full number of {region}, as dialled"
            if region
            else "no region to read it in, as dialled"
        ),
    }
    return (
        region,
        reader_for(region),
        tuple(sentences.get(how, "") for how in range(max(sentences) + 1)),
    )


def _unreadable(how: str) -> Result:
    return Result(None, "unreadable", how)


def _dialled(characters: str, how: str) -> Result:
    if len(characters) > _MAX_DIALLED:
        return _unreadable(f"longer than {_MAX_DIALLED} characters and no number")
    return Result(characters, "dialled", how)


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

    result = _read_user(user, context, region)
    if "(0)" in user:
        without = _read_user(user.replace("(0)", "", 1), context, region)
        if _is_valid(without) and not _is_valid(result):
            result = without
    if extension and result.kind == "e164":
        result = _without_extension(result)
    return result


def _unwrap(text: str) -> tuple[str | None, str, bool]:
    """The user part, the digits of an international phone-context, whether ;ext= was there."""
    scheme = _SCHEME.match(text)
    user = rest = text[scheme.end() :] if scheme else text
    for separator in ";", "@":
        user = user.partition(separator)[0]
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


def _read_user(user: str, context: str, region: str | None) -> Result:
    characters = squeeze(user)
    if characters is None:
        return _read_with_letters(user, region)
    return _read_keys(characters, context, region)


def _read_keys(characters: str, context: str, region: str | None) -> Result:
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
        result = _read_digits(characters.partition("#")[0], region)
        if result.kind == "e164":
            return _without_extension(result)
        return _dialled(characters, "feature code, as dialled")
    return _read_digits(characters, region)


def tier_of(number: str) -> Tier:
    """The tier of canonical E.164 text."""
    parsed = _parse(number, None)
    if parsed is None:
        return "impossible"
    return "valid" if phonenumbers.is_valid_number(parsed) else "possible"


def squeeze(text: str) -> str | None:
    """The keys of a telephone in text, punctuation left out; None when something else is there."""
    keys = []
    for character in text:
        if character.isdecimal():
            keys.append(str(unicodedata.decimal(character)))
        elif character in _KEYS:
            keys.append(_KEYS[character])
        elif not _is_punctuation(character):
            return None
    return "".join(keys)


def _is_punctuation(character: str) -> bool:
    return character in _MARKS or unicodedata.category(character) in _PUNCTUATION_CLASSES


def _is_valid(result: Result) -> bool:
    """phonenumbers has the number in a range that is in use."""
    return result.known is not None and phonenumbers.is_valid_number(result.known)


def _without_extension(result: Result) -> Result:
    return result._replace(how=result.how + ", extension dropped")


def _read_plus(characters: str) -> Result:
    digits, hash_key, _ = characters.lstrip("+").partition("#")
    if digits.isdecimal():
        number = _international(digits.removeprefix("00"))
        if number:
            return _without_extension(number) if hash_key else number
    return _unreadable(f"an international number has {_MIN_KEPT} to {_MAX_E164} digits")


def _international(digits: str) -> Result | None:
    """Digits that follow a + or 00."""
    number = _settle("+" + digits)
    if number:
        return _possible(number, _how(plain_numbers.INTERNATIONAL))
    if _MIN_KEPT <= len(digits) <= _MAX_E164 and digits[0] != "0":
        return Result("+" + digits, "e164", _how(plain_numbers.UNKNOWN_RANGE))
    return None


def _how(how: int, region: str | None = None) -> str:
    return _known_region(region)[2][how]


def _read_digits(digits: str, region: str | None) -> Result:
    short = region is not None and _is_short_number(digits, region)
    if len(digits) < _MIN_AMBIGUOUS or (short and len(digits) < _MIN_CERTAIN):
        return _dialled(digits, _how(plain_numbers.SHORT))

    own = _in_own_region(digits, region, short) if region else None
    if own and _is_valid(own) and not (region and _looks_international(digits, own, region)):
        return own
    abroad = None if short else _from_abroad(digits)
    if abroad and _is_valid(abroad):
        return abroad
    reading = own or abroad
    if reading:
        return reading

    if short or len(digits) < _MIN_CERTAIN:
        return _dialled(digits, _how(plain_numbers.SHORT))
    return _dialled(digits, _how(plain_numbers.NOT_FULL, region))


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
    if doubtful and not phonenumbers.is_valid_number(settled):
        return None
    return _possible(settled, _how(how, region))


def _has_prefix(region: str) -> bool:
    return bool(phonenumbers.ndd_prefix_for_region(region, True))


def _from_abroad(digits: str) -> Result | None:
    """International numbers with 00, or without their +."""
    if digits.startswith("00"):
        number = _international(digits[2:]) if len(digits) >= _MIN_CERTAIN else None
        return number._replace(how=_how(plain_numbers.ZERO_ZERO)) if number else None
    settled = _settle("+" + digits) if len(digits) >= _MIN_WITHOUT_PLUS else None
    return _possible(settled, _how(plain_numbers.WITHOUT_PLUS)) if settled else None


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
    return Result(_e164(number), "e164", how, number)


def _read_with_letters(text: str, region: str | None) -> Result:
    extension = _EXTENSION.search(text)
    if extension:
        characters = squeeze(text[: extension.start()])
        result = _read_keys(characters or "", "", region)
        if result.kind == "e164":
            return _without_extension(result)
    together = "".join(character for character in text if not _is_punctuation(character))
    if not _ONE_RUN_OF_DIGITS.fullmatch(together):
        return _unreadable("no number")
    number = _parse(text, region)
    settled = _settle(_e164(number)) if number else None
    if settled is None or not phonenumbers.is_valid_number(settled):
        return _unreadable("letters or signs that give no number")
    return _possible(settled, "number written with letters or signs")
