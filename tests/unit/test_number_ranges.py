"""What ranges, masks and national prefixes in people's lists stand for."""

from __future__ import annotations

import pytest

from loader.number_ranges import RangeError, expand
from loader.numbers import read_number


def expanded(text: str, region: str | None) -> list[str] | None:
    entries = expand(text, region, read_number)
    return None if entries is None else list(entries)


def numbers(start: str, first: int, last: int) -> list[str]:
    """start, and the numbers behind it with the digits that `last` has."""
    return [f"{start}{rest:0{len(str(last))}}" for rest in range(first, last + 1)]


MASKS = [
    ("600100XXX", "PL", ["+48600100*"]),
    ("_600100XXX", "PL", ["+48600100*"]),
    ("_600100xxx", "PL", ["+48600100*"]),
    ("600100xxx", "PL", ["+48600100*"]),
    ("600 100 XXX", "PL", ["+48600100*"]),
    ("600 100 XXX", "pl", ["+48600100*"]),
    ("600-100-XXX", "PL", ["+48600100*"]),
    ("+48 600 100 XXX", "PL", ["+48600100*"]),
    ("+48 600 100 XXX", None, ["+48600100*"]),
    ("0048 600100XXX", "PL", ["+48600100*"]),
    ("48600100XXX", "PL", ["+48600100*"]),
    ("+48 (0) 600 100 XXX", "PL", ["+48600100*"]),
    ("600XXXXXX", "PL", ["+48600*"]),
    ("60010020X", "PL", ["+4860010020*"]),
    ("727XXXXXXX", "US", ["+1727*"]),
    ("312555XXXX", "US", ["+1312555*"]),
    ("(312) 555-XXXX", "US", ["+1312555*"]),
    ("_1727NXXXXXX", "US", [f"+1727{digit}*" for digit in range(2, 10)]),
    ("1-727-NXX-XXXX", "US", [f"+1727{digit}*" for digit in range(2, 10)]),
    ("_727ZXXXXXX", "US", [f"+1727{digit}*" for digit in range(1, 10)]),
    ("020 7946 0XXX", "GB", ["+442079460*"]),
    ("061234XXXX", "FR", ["+3361234*"]),
    ("_600XXX200", "PL", [f"+48600{digits:03}200" for digits in range(1000)]),
    ("_60010020N", "PL", numbers("+4860010020", 2, 9)),
    ("_600100200", "PL", ["+48600100200"]),
    ("600100###", "PL", ["+48600100*"]),
    ("+48600100###", "PL", ["+48600100*"]),
    ("312-555-####", "US", ["+1312555*"]),
    ("600100[0-4]XX", "PL", [f"+48600100{digit}*" for digit in range(5)]),
    ("600100[0-46]XX", "PL", [f"+48600100{digit}*" for digit in (0, 1, 2, 3, 4, 6)]),
    ("+48600100[0-4]XX", "PL", [f"+48600100{digit}*" for digit in range(5)]),
    ("600100[0-9][0-9][0-9]", "PL", ["+48600100*"]),
    ("60010020[01]", "PL", ["+48600100200", "+48600100201"]),
    ("_60010020[01]", "PL", ["+48600100200", "+48600100201"]),
    ("600100[1-2]0[0-9]", "PL", ["+4860010010*", "+4860010020*"]),
    # Where a mobile number has one length in a country of several.
    ("0151123456XX", "DE", ["+49151123456*"]),
    # Extensions, as dialled.
    ("10XX", "PL", numbers("10", 0, 99)),
    ("_2[0-1]X", "PL", numbers("2", 0, 19)),
    ("_2X5", "PL", ["205", "215", "225", "235", "245", "255", "265", "275", "285", "295"]),
]


@pytest.mark.parametrize(("text", "region", "entries"), MASKS)
def test_masks(text: str, region: str | None, entries: list[str]) -> None:
    assert expanded(text, region) == entries


RANGES = [
    ("600100200-600100299", "PL", ["+486001002*"]),
    ("600100200-299", "PL", ["+486001002*"]),
    ("600100220-229", "PL", ["+4860010022*"]),
    ("600 100 200 - 600 100 299", "PL", ["+486001002*"]),
    ("600-100-200 - 600-100-299", "PL", ["+486001002*"]),
    ("600100200\u2013600100299", "PL", ["+486001002*"]),
    ("600-100-200 \u2014 299", "PL", ["+486001002*"]),
    ("+48600100200-+48600100299", None, ["+486001002*"]),
    ("0048600100200-0048600100299", "US", ["+486001002*"]),
    ("+48600100200 - 600100299", "PL", ["+486001002*"]),
    ("600100198-600100211", "PL", [
        "+48600100198", "+48600100199", "+4860010020*", "+48600100210", "+48600100211",
    ]),
    ("600099000-600101999", "PL", ["+48600099*", "+48600100*", "+48600101*"]),
    ("600000000-600999999", "PL", ["+48600*"]),
    ("202-555-0100-0199", "US", ["+120255501*"]),
    ("2025550100-2025550199", "US", ["+120255501*"]),
    ("020 7946 0000-0999", "GB", ["+442079460*"]),
    # Longer numbers may begin with each of these: none but themselves is meant.
    ("0301234500-0301234599", "DE", numbers("+493012345", 0, 99)),
    ("+4313300-+4313309", "AT", numbers("+431330", 0, 9)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "region", "entries"), RANGES)
def test_ranges(text: str, region: str | None, entries: list[str]) -> None:
    assert expanded(text, region) == entries


NATIONAL_PREFIXES = [
    ("0162*", "DE", "+49162*"),
    ("02012464*", "DE", "+492012464*"),
    ("0201 2464*", "DE", "+492012464*"),
    ("0201-2464*", "DE", "+492012464*"),
    ("0162*", "FR", "+33162*"),
    ("020 7946*", "GB", "+44207946*"),
    ("06*", "IT", "+3906*"),
    ("0630*", "HU", "+3630*"),
    ("1202*", "US", "+1202*"),
    ("011*", "BR", "+5511*"),
]


@pytest.mark.parametrize(("text", "region", "prefix"), NATIONAL_PREFIXES)
def test_prefixes_behind_the_national_prefix(text: str, region: str, prefix: str) -> None:
    assert expanded(text, region) == [prefix]


NEITHER = [
    # Numbers with dashes or slashes in them.
    ("600-100-200", "PL"),
    ("22-123-45-67", "PL"),
    ("+48-22-123-45-67", "PL"),
    ("600/100/200", "PL"),
    ("2025-55-0123", "US"),
    ("202555-0123", "US"),
    ("1-202-555-0123", "US"),
    ("555-1234", "US"),
    ("030 1234-56", "DE"),
    ("0201/2464-0", "DE"),
    ("10-00", "PL"),
    ("116-123", "PL"),
    ("1-1-2", "DE"),
    # Extensions behind a number, and codes.
    ("600100200x12", "PL"),
    ("600100200 x 5", "PL"),
    ("600100200X12", "PL"),
    ("600100200x", "PL"),
    ("600100200#12", "PL"),
    ("600100#", "PL"),
    ("60010020#", "PL"),
    ("1000##", "PL"),
    ("#31#600100200", "PL"),
    ("##600100200", "PL"),
    ("*30", "PL"),
    ("*30*", "PL"),
    ("*", "PL"),
    # Prefixes that begin with the country code, or with nothing that tells.
    ("+48700*", "PL"),
    ("0048 700*", "PL"),
    ("+48 (700)*", "PL"),
    ("+48 600-100*", "PL"),
    ("+49 201-2464*", "DE"),
    ("+1-202-555*", "US"),
    ("700*", "PL"),
    ("48700*", "PL"),
    ("202*", "US"),
    ("8495*", "RU"),
    ("0162*", None),
    ("[600-100-200]", "PL"),
    # Others refuse these: masked for privacy, comments, two numbers.
    ("600***200", "PL"),
    ("6001*0200", "PL"),
    ("XXX", "PL"),
    ("600100200/600100201", "PL"),
    ("600100200 | 600100201", "PL"),
    ("600100200 [private]", "PL"),
    ("NEXT 600100200", "PL"),
    ("1-800-FLOWERX", "US"),
    ("alice*", "PL"),
    ("", "PL"),
    ("600100200", "PL"),
    ("X" * 65 + "1", "PL"),
    ("anonymous", "PL"),
]


@pytest.mark.parametrize(("text", "region"), NEITHER)
def test_what_is_no_range_or_mask(text: str, region: str | None) -> None:
    assert expanded(text, region) is None


OPEN = "leaves open what follows"
PARTIAL = "a partial range"
REFUSED = [
    # Any number of digits may follow.
    ("_600100XXX.", "PL", OPEN),
    ("_600100XXX!", "PL", OPEN),
    ("_600100.", "PL", OPEN),
    ("600100XXX.", "PL", OPEN),
    ("+48600100...", "PL", OPEN),
    ("600100\u2026", "PL", OPEN),
    ("600100.", "PL", OPEN),
    ("600100200.", "PL", OPEN),
    ("600100200 !", "PL", OPEN),
    ("600100???", "PL", OPEN),
    ("600100200?", "PL", OPEN),
    ("600100%", "PL", OPEN),
    ("^600100", "PL", "a regular expression"),
    ("^\\+48600100\\d{3}$", "PL", "a regular expression"),
    ("600100[0-9]{3}", "PL", "a regular expression"),
    ("(600|601)100200", "PL", "a regular expression"),
    # Several lengths.
    ("0301234XX", "DE", "begin so have 8 to 15 digits with the country code: write a range"),
    ("+4930123456X", "PL", "have 10 to 15 digits"),
    ("22XXXXXXX", "PL", "have 9 to 11 digits"),
    ("06XXXXXXXX", "IT", "have 8 to 13 digits"),
    # Too few or too many digits; nobody's numbers; no region.
    ("600100XX", "PL", "no whole number in PL: write an X for each digit"),
    ("600100XXXX", "PL", "no whole number in PL: write an X for each digit"),
    ("0151123XXX", "DE", "no whole number in DE: write an X for each digit"),
    ("+999123XXXX", "PL", "can exist"),
    ("600100XXX", None, "no whole number without a default_region"),
    ("48600100XXX", "US", "no whole number in US: write an X for each digit, and \\+"),
    # Masked for privacy, or an Asterisk pattern without its mark.
    ("600XXX200", "PL", "digits within the number are masked"),
    ("XXX-XXX-0123", "US", "digits within the number are masked"),
    ("600100NNN", "PL", "N is 2 to 9"),
    ("60010020Z", "PL", "N is 2 to 9"),
    # No Asterisk pattern, no class.
    ("_600100abc", "PL", "an Asterisk pattern has"),
    ("_#31#X", "PL", "an Asterisk pattern has"),
    ("_600[4-0]XXXXX", "PL", "the lower one first"),
    ("_600[0,4]XXXXX", "PL", "an Asterisk pattern has"),
    ("_600[XXXXX", "PL", "an Asterisk pattern has"),
    # Before a *.
    ("+48600[0-9]*", "PL", "a mask or class before a \\*"),
    ("_600XX*", "PL", "a mask or class before a \\*"),
    ("+48700-799*", "PL", "either a range of prefixes or one prefix with a dash"),
    ("+48700-+48799*", "PL", "a range of prefixes"),
    ("0*", "DE", "no numbers in use begin so in DE"),
    ("09999*", "DE", "no numbers in use begin so in DE"),
    ("0201-0299*", "DE", "either a range of prefixes or one prefix with a dash"),
    ("0700*", "PL", "no numbers in use begin so in PL"),
    # Ends that are no whole numbers, or could be something else.
    ("600100-600199", "PL", PARTIAL),
    ("6001-6099", "PL", PARTIAL),
    ("100-199", "PL", PARTIAL),
    ("1000-1099", "DK", PARTIAL),
    ("+48600-+48699", "PL", PARTIAL),
    ("600100299-600100200", "PL", PARTIAL),
    ("600100200-600100200", "PL", PARTIAL),
    ("600100290-219", "PL", PARTIAL),
    ("+4860010020-+4860010029", "PL", PARTIAL),
    ("0151123400-0151123409", "DE", PARTIAL),
    ("600100200-600100299", None, "no whole number without a default_region"),
    ("600100200/299", "PL", "an extension or another number: write a range as \\+48600100200-"),
    ("600100200-9", "PL", "an extension or another number"),
    ("600100200-29", "PL", "an extension or another number"),
    ("600100201-215", "PL", "write a range as \\+48600100201-\\+48600100215"),
    ("202-555-0123-4567", "US", "an extension or another number"),
    ("600100200 - 601222333", "PL", "either two numbers or a range of more than 1,000"),
    ("600100200-600101200", "PL", "either two numbers or a range of more than 1,000"),
    ("+48799999000-+61412345999", "PL", "from one country to another"),
    # Bounds.
    ("0301230000-0301249999", "DE", "more than 10,000"),
    ("2XXXXX", "PL", "more than 10,000"),
]


@pytest.mark.parametrize(("text", "region", "reason"), REFUSED)
def test_what_is_no_exact_set_of_numbers_is_refused(
    text: str, region: str | None, reason: str
) -> None:
    with pytest.raises(RangeError, match=reason):
        expanded(text, region)
