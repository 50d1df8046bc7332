"""A list of 200,000 numbers of all regions in all spellings that are read, and 50,000 texts that
are not: every number is itself, and no other text becomes one.

What is expected comes from how a text was made, not from reading it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, ValidationResult

from loader.numbers import EntryError, read_entries, read_with_phonenumbers
from tests.support.number_spellings import REGIONS, e164, example_numbers, neighbour

NUMBERS = 200_000
OTHER_PREFIXES = {
    region
    for region in REGIONS
    if (plan := phonenumbers.PhoneMetadata.metadata_for_region(region))
    and plan.international_prefix != "00"
}
REFUSED = 50_000
Spell = Callable[[Random, PhoneNumber], str]


def national(_: Random, number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)


def digits_with_marks(rng: Random, number: PhoneNumber) -> str:
    """The number with + and marks anywhere between its digits."""
    digits = e164(number)[1:]
    text = "+" + digits[0]
    for digit in digits[1:]:
        text += rng.choice(["", "", "", " ", "\u00a0", "\u2009"]) + digit
    return text


SPELLINGS: dict[str, Spell] = {
    "e164": lambda _, number: e164(number),
    "international": lambda _, number: phonenumbers.format_number(
        number, PhoneNumberFormat.INTERNATIONAL
    ),
    "00": lambda _, number: "00" + e164(number)[1:],
    "00 and marks": lambda rng, number: "00" + digits_with_marks(rng, number)[1:],
    "tel": lambda _, number: phonenumbers.format_number(number, PhoneNumberFormat.RFC3966),
    "sip": lambda _, number: f"sip:{e164(number)}@pbx.example;user=phone",
    "marks": digits_with_marks,
    "spreadsheet": lambda _, number: e164(number) + ".0",
    "spreadsheet text": lambda _, number: "'" + e164(number),
    "formula": lambda _, number: f'="{e164(number)}"',
    "label": lambda _, number: "Tel.: " + e164(number),
    "fullwidth": lambda _, number: "".join(
        chr(ord(character) + 0xFEE0) if character.isdecimal() else character
        for character in e164(number)
    ),
    "national": national,
    "national with a label": lambda rng, number: "tel. " + national(rng, number),
}


def valid_numbers(rng: Random) -> Iterator[tuple[str, PhoneNumber]]:
    """Numbers in use, with the region that they are of, for ever."""
    homes = [(home, number) for home, number in example_numbers() if home != "001"]
    while True:
        home, number = rng.choice(homes)
        number = neighbour(rng, number)
        region = phonenumbers.region_code_for_number(number)
        # +1 310 1234: phonenumbers measures Canada's numbers by those of the US.
        possible = phonenumbers.is_possible_number_with_reason(number)
        if possible != ValidationResult.IS_POSSIBLE or not phonenumbers.is_valid_number(number):
            continue
        if region == home and not number.extension:
            yield region, number


def present_form(number: PhoneNumber) -> str | None:
    """The same line's other form, for the few countries that have two in use."""
    return read_with_phonenumbers(e164(number), None).number


def test_every_number_in_every_spelling_is_itself() -> None:
    rng = Random(15)
    numbers = valid_numbers(rng)
    names = list(SPELLINGS)
    wrong: list[tuple[str, str, str, str]] = []
    seen: Counter[str] = Counter()
    for at in range(NUMBERS):
        region, number = next(numbers)
        name = names[at % len(names)]
        text = SPELLINGS[name](rng, number)
        if name.startswith("00") and region in OTHER_PREFIXES:
            region = rng.choice(["PL", "DE", "FR"])  # Thailand dials 006 and a number abroad
        try:
            found = read_entries(text, region).numbers
        except EntryError as error:
            # Short national numbers are extensions in a list; that is said, never silent.
            if not name.startswith("national"):
                wrong.append((name, text, region, str(error)))
            continue
        seen[name] += 1
        if found == (present_form(number),) or (
            name.startswith("national") and len(found[0].strip("+")) < 7
        ):
            continue
        wrong.append((name, text, region, ", ".join(found[:3])))
    assert not wrong, (len(wrong), wrong[:20])
    assert all(seen[name] > NUMBERS // len(names) * 0.9 for name in names), seen


def masked(rng: Random, text: str) -> str:
    at = rng.randint(4, len(text) - 4)
    return text[:at] + rng.choice(["***", "**", "xx", "XXX", "\u2022\u2022"]) + text[at + 2 :]


def with_letter(rng: Random, text: str) -> str:
    at = rng.randint(2, len(text) - 1)
    return text[:at] + rng.choice("OIlSBaeho") + text[at + 1 :]


SPOILT: dict[str, Callable[[Random, str, str], str]] = {
    "two": lambda rng, one, two: (
        one + rng.choice([";", ",", ", ", " / ", " | ", " or ", "/"]) + two
    ),
    "two joined": lambda _, one, two: one + two,
    "masked": lambda rng, one, _: masked(rng, one),
    "letter": lambda rng, one, _: with_letter(rng, one),
    "commented out": lambda rng, one, _: rng.choice(["//", "# ", "!", "-", "~", "; "]) + one,
    "digits missing": lambda rng, one, _: one[: rng.randint(5, 7)],
    "digits too many": lambda rng, one, _: one + "".join(rng.choices("0123456789", k=6)),
    "scientific": lambda rng, one, _: f"{one[1]}.{one[2:6]}E+{rng.randint(8, 14)}",
    "a date": lambda rng, _, __: (
        f"{rng.randint(1990, 2030)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    ),
    "an address": lambda rng, _, __: ".".join(str(rng.randint(100, 255)) for _ in range(4)),
    "open pattern": lambda rng, one, _: "_" + one[1:-3] + rng.choice(["X.", "N!", "."]),
    "unknown country": lambda rng, one, _: rng.choice(["+999", "+210", "+0"]) + one[4:],
    "feature code": lambda rng, one, _: rng.choice(["*67", "*31#", "#31#"]) + one[1:],
    "extension": lambda rng, one, _: one + rng.choice([" ext. 12", " x12", ",12", "#12"]),
    "part of a range": lambda rng, one, _: one + rng.choice(["-", " -", "/"]),
    "decimals": lambda rng, one, _: one + rng.choice([".5", ".25"]),
}


def test_no_other_text_becomes_a_number() -> None:
    rng = Random(16)
    numbers = valid_numbers(rng)
    names = list(SPOILT)
    taken: list[tuple[str, str, str, tuple[str, ...]]] = []
    for at in range(REFUSED):
        (region, one), (_, two) = next(numbers), next(numbers)
        name = names[at % len(names)]
        text = SPOILT[name](rng, e164(one), e164(two))
        try:
            found = read_entries(text, region).numbers
        except EntryError:
            continue
        taken.append((name, text, region, found))
    # Digits less or more, and those behind a point, can make another number in use.
    silent = [
        found
        for found in taken
        if found[0] not in ("digits missing", "digits too many", "decimals")
        or not phonenumbers.is_possible_number(phonenumbers.parse(found[3][0], None))
    ]
    assert not silent, (len(silent), silent[:20])


def test_all_regions_are_among_them() -> None:
    numbers = valid_numbers(Random(17))
    seen = {region for region, _ in (next(numbers) for _ in range(40_000))}
    assert len(seen) > 0.95 * len(REGIONS)
