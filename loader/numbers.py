"""What a dialled string means: every spelling of a number read as one canonical text.

`phonenumbers` decides; this module says what it is asked. Read in this order, first rule wins:

1. Not read at all: more than 512 characters, or 64 inside its SIP wrapping; control characters,
   line separators, lone surrogates; `${`, which FreeSWITCH would expand.
2. SIP wrapping (RFC 3261, RFC 3966): a scheme `tel:`, `sip:` or `sips:`, a host behind `@`, and
   parameters behind `;` are taken off. `;phone-context=+48` goes before a number that has no + of
   its own, as RFC 3966 and phonenumbers have it; where that gives no possible number, the number
   is read as in no region. A context that is a domain says nothing. A SIP address without a user
   is unreadable. Percent-encoding is the caller's to decode.
3. Withheld: blank, or as a whole anonymous, restricted, private, unavailable, unknown or withheld,
   in any case; and 266696687, the keys of the word anonymous, which some carriers send.
4. Spelling (number_spelling): marks between the digits mean nothing, and what is no spelling of one
   number is unreadable, with what it is instead. One `(0)` is left out when the number is valid
   only without it: people write +48 (0) 22 123 45 67.
5. International, with + (`++` and `+00` too): phonenumbers' reading when it is a possible number of
   an existing calling code. When it is not, 7 to 15 digits are kept as they are: test numbers and
   ranges newer than the metadata are called from too.
6. With `*` or `#` first: a feature code, as dialled. `#` elsewhere ends a number (the key that
   sends it, or an extension behind it): the number when it is one, else as dialled.
7. Digits:
   a. Fewer than 5: an extension or short number, as dialled. Some countries have national numbers
      that short, but far more exchanges have extensions.
   b. A known short or emergency number of the region, as dialled, unless it has 7 digits or more
      and is also a valid full number.
   c. What phonenumbers reads in the region: the region's own international prefix, its calling code
      without +, national numbers with or without the national prefix. 5 and 6 digits only when
      valid, and dialled as they must be, with the national prefix where there is one.
   d. 00 and an international number as in 5, wherever it is: carriers write 00 everywhere.
   e. From 8 digits: an international number without its +, as carriers send them. Only where there
      is a region that the digits are no number of: 2025550123 is a number of Washington and one of
      Cairo. And not where one dash stands behind 7 digits: 600100200-299 may be a range.
      Of c, d and e the first that phonenumbers calls valid; then what rule 8 reads in the region;
      else the first that is possible, where 00 at the start is no national number. Possible alone
      is weak: Australia's metadata takes most foreign numbers with 00 for its own. And e comes
      before c for digits that begin with the region's calling code and lack the national prefix
      that its numbers have: in Germany 4915123456789 is a mobile number, though valid behind an
      area code 0491 too.
   f. Else as dialled, which is what the switch will dial. Not over 15 digits. From 7 digits it is
      no list entry, for who wrote it meant a number; but 0000000000 and others of one digit are.
8. A number that is not in use and was before its country renumbered is the number that it is now
   (renumbering). So are the few numbers in use that are one line with another.
9. An extension behind a number (`ext. 5`, `x5`, `wew. 5`, `,5`) is dropped.

A number is read again until reading changes nothing, so that reading an E.164 result gives it back
in every region. Dialled text gives itself in the same region only: `2530000` is a local number in
the US and a whole one in Poland.

Rules 5 to 8 for plain spellings are done by plain_numbers, which must agree with this module.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import phonenumbers

from loader import plain_numbers, renumbering
from loader.number_ranges import RangeError, expand
from loader.number_rules import (
    ANONYMOUS,
    FILLER,
    MAX_TEXT,
    RENUMBERED,
    Kind,
    Result,
    Tier,
    by_renumbering,
    in_region,
    read,
)
from loader.number_spelling import is_plain_short, squeeze
from loader.plain_numbers import TIERS, read_plain
from loader.sip_address import EVERY_USER, read_address

_NATIONAL_DIGITS = 7  # from here on it is a national number rather than an extension
_MAX_PREFIX = 14  # digits of a prefix entry: one less than E.164 allows
_CANONICAL = re.compile(r"\+[1-9][0-9]{6,14}")
_NUMBER_IN_CODE = re.compile(r"\d{6}")
_WITHOUT_PLUS = in_region(None)[2][plain_numbers.WITHOUT_PLUS]
NUMBERLESS = "no-number"  # the entry for callers whose identity is no number
_PREFIX_OR_CODE = "a prefix begins with + and the country code, and a feature code begins with *"


class Reading(NamedTuple):
    """How a text was read.

    `number` is the canonical text: "+48600100200" (E.164), "1000" or "*30" (as dialled, 1 to 15
    characters of 0-9*#), "anonymous", or None when unreadable. `how` is one short sentence for the
    operator and never holds text of the caller. `tier` says of an E.164 number whether it is in
    use; None for all others.
    """

    original: str
    number: str | None
    kind: Kind
    how: str
    tier: Tier | None = None


class EntryReading(NamedTuple):
    """What a text is as entries of a list.

    `numbers`: canonical numbers and prefixes, or "anonymous"; several of a range or a mask.
    `tier`: of the one that is least in use; None where none is E.164. `repaired`: what was put
    right in the text, for the operator; "" for nothing.
    """

    numbers: tuple[str, ...]
    tier: Tier | None = None
    repaired: str = ""


class EntryError(ValueError):
    """The text cannot be a list entry; the message says what was expected and found."""


def read_number(text: str, region: str | None) -> Reading:
    """Read a caller's or called number as it is dialled in `region` (such as "PL"), or in none.

    Never raises, whatever the text. A region that phonenumbers does not know counts as none.
    """
    known, reader, sentences = in_region(region)
    plain = read_plain(text, reader)
    if plain is not None:
        number, how, tier, old_form = plain
        sentence = sentences[how]
        if old_form:
            sentence = by_renumbering(sentence, renumbering.table().rows[old_form - 1])
        return Reading(text, number, "dialled" if tier is None else "e164", sentence, tier)
    return read_with_phonenumbers(text, known)


def is_worth_telling(reading: Reading) -> bool:
    """Whether the number is perhaps another one than the writer of the text had in mind."""
    return RENUMBERED in reading.how or reading.how.startswith(_WITHOUT_PLUS)


def read_with_phonenumbers(text: str, region: str | None) -> Reading:
    """The same reading without the fast path, which must agree with it. Slower by far."""
    known, _, _ = in_region(region)
    result = read(text, known)
    return Reading(text, result.number, result.kind, result.how, result.tier)


def read_entries(text: str, region: str | None, *, extensions: bool = False) -> EntryReading:
    """Read what stands in a list: one number in any spelling, a prefix, a range or a mask.

    extensions: a number with an extension is that number; else it is refused, because the whole
    company's number would be listed. Raises EntryError, which says what was expected and found, and
    where it can what to write. Numbers that cannot exist are refused, and so are the words for
    withheld callers but "anonymous" and blank text: in a list they are mistakes more often than
    orders. So are 7 and more digits that are no number: kept as dialled, a national number would
    never match the caller it stands for.
    """
    stripped = text.strip()
    if stripped.casefold() in (ANONYMOUS, NUMBERLESS):
        return EntryReading((stripped.casefold(),))
    known, reader, _ = in_region(region)
    address = read_address(stripped)
    if address is not None and read(text, known).number in (None, EVERY_USER):
        return EntryReading((address,))
    if stripped.endswith("*") and stripped[0] not in "*#" and len(text) <= MAX_TEXT:
        return EntryReading(_expanded(text, known) or (_read_prefix(text, stripped[:-1]),))
    plain = read_plain(text, reader)
    if plain is not None:
        number, _, tier, _ = plain
        if tier == "valid":
            return EntryReading((number,), tier)
    result = read(text, known)
    if result.tier != "valid" and (numbers := _expanded(text, known)):
        return EntryReading(numbers, _least_in_use(numbers))
    problem = _entry_problem(result, known, extensions)
    is_short = result.kind == "dialled" and result.how != FILLER
    if problem is None and is_short and not is_plain_short(text):
        problem = "a short number is its digits alone, without marks or more behind them"
    if problem is not None:
        raise _entry_error(text, problem)
    assert result.number
    return EntryReading((result.number,), result.tier, result.repaired)


def read_entry(text: str, region: str | None) -> str:
    """Read a list entry that is one: canonical text, a prefix such as "+48700*", or "anonymous".

    Raises EntryError as read_entries does, and for several numbers.
    """
    numbers = read_entries(text, region).numbers
    if len(numbers) > 1:
        raise _entry_error(text, f"it is several: {', '.join(numbers[:3])} and so on")
    return numbers[0]


def read_stored(text: str, region: str | None) -> str:
    """Read what a row of a list has: as read_entry, but canonical numbers are never refused for
    being in no range. Such a number was in one by an older metadata, and no newer one
    takes it out of its list.

    Raises EntryError.
    """
    if _CANONICAL.fullmatch(text):
        number = read_number(text, region).number
        if number is not None:
            return number
    return read_entry(text, region)


def _expanded(text: str, region: str | None) -> tuple[str, ...] | None:
    """The entries that a range, mask or national prefix stands for; None for other texts."""
    try:
        return expand(text, region, read_number)
    except RangeError as error:
        raise _entry_error(text, str(error)) from None


def _least_in_use(numbers: tuple[str, ...]) -> Tier | None:
    tiers = {read_number(number, None).tier for number in numbers if number[-1] != "*"}
    return next((tier for tier in TIERS[::-1] if tier in tiers), None)


def prepare(region: str) -> None:
    """Load what the region's numbers are read by, for a region that check_region knows. It takes up
    to 0.1 s, and the first number that needs it would wait.
    """
    example = phonenumbers.example_number(region)
    if example is not None:
        read_number(f"+{example.country_code}{example.national_number}", region)


def _entry_problem(result: Result, region: str | None, extensions: bool) -> str | None:
    """Why what was read is no entry, "" where nothing is to be said; None when it is one."""
    number = result.number
    if number is None:
        return result.how
    if result.kind == "withheld":
        return result.how if result.how.endswith("anonymous") else ""
    if result.kind == "dialled":
        return _code_problem(number, result.how, region)
    if result.tier != "valid" and result.how.startswith(_WITHOUT_PLUS):
        return _no_number(region)
    if result.tier == "impossible":
        return f"there can be no number {number}: it has too many or too few digits"
    if result.extension and not extensions:
        return f"it has an extension; the number {number} itself would be listed"
    return None


def _code_problem(dialled: str, how: str, region: str | None) -> str | None:
    if dialled.isdecimal():
        is_number = len(dialled) >= _NATIONAL_DIGITS and how != FILLER
        return _no_number(region) if is_number else None
    if dialled == "*":
        return "it would cover every number"
    if dialled[0] not in "*#":
        return _PREFIX_OR_CODE if dialled.endswith("*") else "a feature code begins with * or #"
    if _NUMBER_IN_CODE.search(dialled):
        return "a number behind a feature code: write the number alone"
    return None


def _no_number(region: str | None) -> str:
    where = f"in {region}" if region else "without a default_region in the rules"
    return f"it is no number {where}; write it with + and country code"


def check_region(region: str) -> str:
    """The region code in capitals. Raises ValueError when phonenumbers does not know it."""
    known, _, _ = in_region(region)
    if known is None:
        found = _quote(region)
        raise ValueError(f"expected a two-letter region code such as PL, found {found}")
    return known


def _read_prefix(text: str, body: str) -> str:
    digits = squeeze(body)
    if digits is not None and digits.startswith("00"):
        digits = "+" + digits[2:]
    if digits is None or not digits.startswith("+"):
        raise _entry_error(text, _PREFIX_OR_CODE)
    digits = digits.lstrip("+")
    if "(0)" in body:
        raise _entry_error(text, "leave out the (0), which is not dialled after a country code")
    if not (digits.isdecimal() and digits[0] != "0" and len(digits) <= _MAX_PREFIX):
        raise _entry_error(text, f"a prefix has 1 to {_MAX_PREFIX} digits after the +")
    return f"+{digits}*"


def _entry_error(text: str, reason: str) -> EntryError:
    because = f": {reason}" if reason else ""
    return EntryError(
        "expected a phone number, a prefix like +48700*, an extension, sip:USER@HOST, 'anonymous'"
        f" or 'no-number', found {_quote(text)}{because}"
    )


def _quote(text: str) -> str:
    return repr(text) if len(text) <= MAX_TEXT else repr(text[:MAX_TEXT]) + "..."
