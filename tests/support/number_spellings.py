"""Numbers of every region in every spelling, and spoilt ones: input for tests of number reading."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random

import phonenumbers
from phonenumbers import (
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
)

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
SPOILING = "0123456789" * 3 + "+ -.()/*#x~;,:@\u00a0\uff0b\u0661"


@cache
def example_numbers() -> tuple[tuple[str, PhoneNumber], ...]:
    """One number of each type of each region, and of each code that is of no country ("001")."""
    found = [
        (region, number)
        for region in REGIONS
        for number_type in PhoneNumberType.values()
        if (number := phonenumbers.example_number_for_type(region, number_type)) is not None
    ]
    found += [
        ("001", number)
        for code in phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS
        if (number := phonenumbers.example_number_for_non_geo_entity(code)) is not None
    ]
    return tuple(found)


def e164(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def plain_spellings(region: str, number: PhoneNumber) -> dict[str, str]:
    """The spellings that the fast path is for, by name."""
    digits = e164(number)[1:]
    spellings = {
        "e164": "+" + digits,
        "international": phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL),
        "bare": digits,
        "00": "00" + digits,
    }
    if region != "001":
        spellings["national"] = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    return spellings


def spelling(rng: Random) -> tuple[str, str | None]:
    """A text and the region that it is dialled in, None for no region."""
    kind = rng.random()
    if kind < 0.1:
        return _random_digits(rng), rng.choice([*REGIONS, None])
    if kind < 0.15:
        region = rng.choice(REGIONS)
        return _spoil(rng, _short_number(rng, region)), region
    home, number = rng.choice(example_numbers())
    if rng.random() < 0.7:
        number = neighbour(rng, number)
    place = rng.random()
    region = home if place < 0.7 and home != "001" else rng.choice(REGIONS)
    text = _spell(rng, number, region)
    if rng.random() < 0.5:
        text = _spoil(rng, text)
    return text, region if place < 0.9 else None


def spellings(seed: int, count: int) -> Iterator[tuple[str, str | None]]:
    rng = Random(seed)
    return (spelling(rng) for _ in range(count))


def neighbour(rng: Random, number: PhoneNumber) -> PhoneNumber:
    """A number that shares its beginning with the given one."""
    digits = str(number.national_number)
    kept = rng.randint(1, len(digits))
    digits = digits[:kept] + "".join(rng.choices("0123456789", k=len(digits) - kept))
    neighbour = PhoneNumber()
    neighbour.merge_from(number)
    neighbour.national_number = int(digits)
    return neighbour


def _spell(rng: Random, number: PhoneNumber, region: str) -> str:
    digits = e164(number)[1:]
    national = phonenumbers.national_significant_number(number)
    prefix = phonenumbers.ndd_prefix_for_region(region, True) or ""
    metadata = PhoneMetadata.metadata_for_region(region)
    assert metadata is not None
    idd = metadata.international_prefix or "00"
    match rng.randrange(13):
        case 0:
            return "+" + digits
        case 1:
            return digits
        case 2:
            return "00" + digits
        case 3:
            return (idd if idd.isdecimal() else rng.choice(["00", "011", "0011", "810"])) + digits
        case 4:
            return national
        case 5:
            return prefix + national
        case 6:
            return phonenumbers.format_out_of_country_calling_number(number, region)
        case 7:
            return f"+{number.country_code} ({rng.choice(['0', prefix])}) {national}"
        case 8:
            return f"{number.country_code}{prefix * rng.randint(1, 2)}{national}"
        case form:
            return phonenumbers.format_number(number, form - 9)


def _short_number(rng: Random, region: str) -> str:
    metadata = PhoneMetadata.short_metadata_for_region(region)
    if metadata is None:
        return "112"
    ranges = (metadata.short_code, metadata.toll_free, metadata.premium_rate, metadata.emergency)
    examples = [range_.example_number for range_ in ranges if range_ and range_.example_number]
    return rng.choice(examples)


def _random_digits(rng: Random) -> str:
    start = rng.choice(["", "", "0", "00", "+", "1", "8", "011", "0011", "000", "810", "15", "9"])
    return start + "".join(rng.choices("0123456789", k=rng.randint(0, 19)))


def _spoil(rng: Random, text: str) -> str:
    for _ in range(rng.randint(1, 3)):
        place = rng.randint(0, len(text))
        removed = rng.choice([0, 0, 1, 1, 2])
        added = rng.choice(["", rng.choice(SPOILING), rng.choice(SPOILING)])
        text = text[:place] + added + text[place + removed :]
    return text
