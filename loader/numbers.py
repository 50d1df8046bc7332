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
   in any case.
4. Punctuation, spaces and invisible characters mean nothing; digits of any script are digits. One
   `(0)` is left out when the number is valid only without it: people write +48 (0) 22 123 45 67.
5. International, with + (`++` and `+00` too): phonenumbers' reading when it is a possible number of
   an existing calling code. When it is not, 7 to 15 digits are kept as they are: test numbers and
   ranges newer than the metadata are called from too, and a list must be able to hold them.
6. With `*`, or with `#` first: a feature code, as dialled. `#` elsewhere ends a number (the key
   that sends it, or an extension behind it): the number when it is one, else as dialled.
7. Digits:
   a. Fewer than 5: an extension or short number, as dialled. Some countries have national numbers
      that short, but far more exchanges have extensions.
   b. A known short or emergency number of the region, as dialled, unless it has 7 digits or more
      and is also a valid full number.
   c. What phonenumbers reads in the region: the region's own international prefix, its calling code
      without +, national numbers with or without the national prefix. 5 and 6 digits only when
      valid, and dialled as they must be, with the national prefix where there is one.
   d. 00 and an international number as in 5, wherever it is: carriers write 00 everywhere.
   e. From 8 digits: an international number without its +, as carriers send them.
      Of c, d and e the first that phonenumbers calls valid; else the first that is possible, where
      00 at the start is no national number. Possible alone is weak: Australia's metadata takes most
      foreign numbers with 00 for its own. And e comes before c for digits that begin with the
      region's calling code and lack the national prefix that its numbers have: in Germany
      4915123456789 is a mobile number, though valid behind an area code 0491 too.
   f. Else as dialled, which is what the switch will dial. Not over 15 digits. From 7 digits it is
      no list entry: who wrote it meant a number.
8. Other characters: an extension behind a number (`ext. 5`, `x5`, `wew. 5`, `,5`) is dropped. Else
   phonenumbers' reading of vanity numbers and labels (1-800-FLOWERS, `Tel. 600 100 200`), when it
   calls the result valid and the digits stand together; else unreadable.

A number is read again until reading changes nothing, so that reading an E.164 result gives it back
in every region. Dialled text gives itself in the same region only: `2530000` is a local number in
the US and a whole one in Poland.

Rules 5 to 7 for plain spellings are done by plain_numbers, which must agree with this module.
"""

from __future__ import annotations

from typing import NamedTuple

from loader.number_rules import ANONYMOUS, MAX_TEXT, Kind, Tier, in_region, read, squeeze, tier_of
from loader.plain_numbers import read_plain

_NATIONAL_DIGITS = 7  # from here on it is a national number rather than an extension
_MAX_PREFIX = 14  # digits of a prefix entry: one less than E.164 allows
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
        number, how = plain
        if number[0] == "+":
            return Reading(text, number, "e164", sentences[how], tier_of(number))
        return Reading(text, number, "dialled", sentences[how])
    return read_with_phonenumbers(text, known)


def read_with_phonenumbers(text: str, region: str | None) -> Reading:
    """The same reading without the fast path, which must agree with it. Slower by far."""
    known, _, _ = in_region(region)
    number, kind, how, _ = read(text, known)
    return Reading(text, number, kind, how, tier_of(number) if number and kind == "e164" else None)


def read_entries(text: str, region: str | None) -> EntryReading:
    """Read what stands in a list: one number in any spelling, a prefix, a range or a mask.

    Raises EntryError, which says what was expected and found, and where it can what to write.
    """
    number = read_entry(text, region)
    is_number = number[0] == "+" and number[-1] != "*"
    return EntryReading((number,), tier_of(number) if is_number else None)


def read_entry(text: str, region: str | None) -> str:
    """Read a list entry: canonical text, a prefix such as "+48700*", or "anonymous".

    Raises EntryError for anything else, blank text and the other words for withheld callers
    included: in a list they are mistakes more often than orders. So are 7 and more digits that are
    no number: kept as dialled, a national number would never match the caller it stands for.
    """
    stripped = text.strip()
    if stripped.casefold() == ANONYMOUS:
        return ANONYMOUS
    if stripped.endswith("*") and stripped[0] not in "*#" and len(text) <= MAX_TEXT:
        return _read_prefix(text, stripped[:-1])
    reading = read_number(text, region)
    number = reading.number
    if number is None:
        raise _entry_error(text, reading.how)
    if reading.kind == "withheld":
        raise _entry_error(text, "")
    if reading.kind == "dialled" and _looks_national(number):
        where = f"in {region}" if region else "without a default_region in the rules"
        raise _entry_error(text, f"it is no number {where}; write it with + and country code")
    if number == "*":
        raise _entry_error(text, "it would cover every number")
    if number.endswith("*") and number[0] not in "*#":
        raise _entry_error(text, _PREFIX_OR_CODE)
    return number


def check_region(region: str) -> str:
    """The region code in capitals. Raises ValueError when phonenumbers does not know it."""
    known, _, _ = in_region(region)
    if known is None:
        found = _quote(region)
        raise ValueError(f"expected a two-letter region code such as PL, found {found}")
    return known


def _looks_national(dialled: str) -> bool:
    return dialled.isdecimal() and len(dialled) >= _NATIONAL_DIGITS


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
        "expected a phone number, a prefix like +48700*, an extension or 'anonymous', "
        f"found {_quote(text)}{because}"
    )


def _quote(text: str) -> str:
    return repr(text) if len(text) <= MAX_TEXT else repr(text[:MAX_TEXT]) + "..."
