"""What people's lists hold, read as what was meant or refused by name.

Each group is a kind of text that was once taken for something else without a word.
"""

import pytest

from loader.numbers import EntryError, read_entries


def read(text: str, region: str | None) -> tuple[str, ...] | str:
    """The numbers, or why there are none."""
    try:
        return read_entries(text, region).numbers
    except EntryError as error:
        return str(error)


SPREADSHEETS = [
    ("600100200.0", "PL", "+48600100200"),
    ("600100200.00", "PL", "+48600100200"),
    ("48600100200.0", "PL", "+48600100200"),
    ("+48600100200.0", "PL", "+48600100200"),
    ("2025550123.0", "US", "+12025550123"),
    ("2079460958.0", "GB", "+442079460958"),
    ("'600100200", "PL", "+48600100200"),
    ('="600100200"', "PL", "+48600100200"),
    ("'600100200.0", "PL", "+48600100200"),
]


@pytest.mark.parametrize(("text", "region", "number"), SPREADSHEETS)
def test_the_marks_of_a_spreadsheet_are_taken_off_and_said(
    text: str, region: str, number: str
) -> None:
    found = read_entries(text, region)
    assert found.numbers == (number,)
    assert "of a spreadsheet taken off" in found.repaired


@pytest.mark.parametrize("text", ["600.100.200", "22.123.45.67.0", "600100200.5", "600100.0200"])
def test_dots_between_digits_are_no_mark_of_a_spreadsheet(text: str) -> None:
    found = read(text, "PL")
    if isinstance(found, tuple):
        assert not read_entries(text, "PL").repaired


MASKED = [
    "600***200",
    "6001*0200",
    "600xxx200",
    "600XX0200",
    "+48 600 *** 200",
    "600\u2022\u2022\u20220200",
]
ADDRESSES = ["1.2.3.4", "192.168.1.10", "10.0.0.1", "192.0.2.1:5060", "22.123.45.67"]
DATES = ["2026-05-31", "31.05.2026", "31/05/2026", "2026-05-31 12:30", "31-05-2026 12:30:01"]
CROSSED_OUT = [
    "//600100203",
    "!600100206",
    "-600100205",
    "#600100202",
    "# 600 100 202",
    "~600100200",
]
TWO = [
    "600600200;600600201",
    "600100202, 600100203",
    "600100202/600100203",
    "600100202 | 600100203",
    "600100202 600100203",
    "600100202 or 600100203",
    "600100202 lub 600100203",
    "+48600100202+48600100203",
    "+48 600 100 202; +48 600 100 203",
]
SCIENTIFIC = ["6.001E+08", "4.86E+10", "6,001E+08", "48600100200e0"]
NAMED = [
    *((text, "masked") for text in MASKED),
    *((text, "an IP address") for text in ADDRESSES),
    *((text, "a date") for text in DATES),
    *((text, "crossed out or commented out") for text in CROSSED_OUT),
    *((text, "two numbers; write each in a row of its own") for text in TWO),
    *((text, "scientific notation") for text in SCIENTIFIC),
    ("600100200-", "part of a range"),
    ("600100200/", "part of a range"),
    ("600100200*12", "masked"),
    ("*31#600100200", "a number behind a feature code"),
    ("*67600100200", "a number behind a feature code"),
    ("600100200#", "extension"),
    ("30#", "a feature code begins with * or #"),
]


@pytest.mark.parametrize(("text", "name"), NAMED)
def test_what_is_not_one_number_is_refused_by_name(text: str, name: str) -> None:
    assert name in read(text, "PL")


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("20.12.34.56", "DK"),
        ("01.23.45.67.89", "FR"),
        ("600.100.200", "PL"),
        ("(650) 253-0000", "US"),
        ("+1 650-253-0000", "US"),
        ("11 98765-4321", "BR"),
        ("030/1234567", "DE"),
        ("030 1234567-0", "DE"),
        ("Tel. 600 100 200", "PL"),
        ("Handy: 0151 23456789", "DE"),
    ],
)
def test_spellings_that_only_look_so_are_numbers(text: str, region: str) -> None:
    assert read_entries(text, region).tier == "valid"


SHORT_WITH_MARKS = ["1000.0", "1,50", "100,101", "100 101", "12/11", "3.14", "1000 ext 5", "0.0"]


@pytest.mark.parametrize("text", SHORT_WITH_MARKS)
def test_marks_do_not_join_what_is_no_full_number_into_an_extension(text: str) -> None:
    assert "a short number is its digits alone" in read(text, "PL")


@pytest.mark.parametrize("text", ["1000", " 1000 ", "'1000", '="1000"', "sip:1000@10.0.0.1"])
def test_an_extension_in_digits_alone_is_taken(text: str) -> None:
    assert read(text, "PL") == ("1000",)


LETTERS = [
    ("1-800-FLOWERS", "US", "on a keypad they would be +18003569377"),
    ("0800 CALLME1", "GB", "letters are not digits"),
    ("60010020O", "PL", "letters are not digits"),
    ("abc", "PL", "letters are not digits"),
]


@pytest.mark.parametrize(("text", "region", "why"), LETTERS)
def test_letters_are_never_keypad_digits(text: str, region: str, why: str) -> None:
    assert why in read(text, region)


IMPOSSIBLE = [
    "60010090",
    "6001009012",
    "60010020012",
    "+999123456789",
    "+48600100",
    "+486001002001",
]


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_numbers_that_cannot_exist_are_refused(text: str) -> None:
    assert isinstance(read(text, "PL"), str)


@pytest.mark.parametrize(("text", "region"), [("60010020012", "PL"), ("61234567", "FR")])
def test_a_foreign_number_without_plus_must_be_in_use(text: str, region: str) -> None:
    """The one would be Malaysian, the other Australian; neither is in use."""
    assert f"it is no number in {region}" in read(text, region)


def test_a_number_that_could_exist_is_taken_and_told_apart() -> None:
    found = read_entries("+1 555 234 5678", "PL")
    assert found.numbers == ("+15552345678",)
    assert found.tier == "possible"
    assert read_entries("600100200", "PL").tier == "valid"
    assert read_entries("1000", "PL").tier is None


@pytest.mark.parametrize("text", ["9185551000", "2025550123", "600100200", "48600100200"])
def test_digits_without_a_region_are_no_foreign_number(text: str) -> None:
    assert "without a default_region in the rules" in read(text, None)


@pytest.mark.parametrize("text", ["0000000000", "000000000", "1111111111", "99999999"])
def test_what_callers_without_a_number_send_can_be_listed(text: str) -> None:
    assert read(text, "PL") == (text,)


def test_what_callers_without_a_number_send_may_have_marks() -> None:
    assert read("000-000-0000", "PL") == ("0000000000",)


def test_the_keys_of_the_word_anonymous_are_no_number() -> None:
    assert "withheld" in read("+266696687", "PL")


EXTENSIONS = [
    "+48 22 123 45 67 ext. 5",
    "22 123 45 67 wew. 12",
    "221234567,5",
    "tel:+48221234567;ext=5",
]


@pytest.mark.parametrize("text", EXTENSIONS)
def test_a_number_with_an_extension_would_list_the_company(text: str) -> None:
    assert "it has an extension; the number +48221234567 itself would be listed" in read(text, "PL")
    assert read_entries(text, "PL", extensions=True).numbers == ("+48221234567",)


EXACT = [
    ("600100XXX", "PL", ("+48600100*",)),
    ("_600100XXX", "PL", ("+48600100*",)),
    ("600XXXXXX", "PL", ("+48600*",)),
    ("727XXXXXXX", "US", ("+1727*",)),
    ("312555XXXX", "US", ("+1312555*",)),
    ("600100###", "PL", ("+48600100*",)),
    ("+48600100###", "PL", ("+48600100*",)),
    ("600100200-600100299", "PL", ("+486001002*",)),
    ("600100200-299", "PL", ("+486001002*",)),
    ("600100220-229", "PL", ("+4860010022*",)),
    ("0201246-0201249", "DE", tuple(f"+4920124{digit}" for digit in "6789")),
    ("0162*", "FR", ("+33162*",)),
    ("02012464*", "DE", ("+492012464*",)),
]


@pytest.mark.parametrize(("text", "region", "numbers"), EXACT)
def test_ranges_and_masks_are_exactly_what_they_stand_for(
    text: str, region: str, numbers: tuple[str, ...]
) -> None:
    assert read(text, region) == numbers


INEXACT = [
    "_600100XXX.",
    "_600100XXX!",
    "+48600100...",
    "+48600[0-9]*",
    "+48700-799*",
    "600100200/299",
    "600100NNN",
]


@pytest.mark.parametrize("text", INEXACT)
def test_what_stands_for_no_exact_numbers_is_refused_with_what_to_write(text: str) -> None:
    found = read(text, "PL")
    assert isinstance(found, str)
    assert "write" in found.partition("found")[2]


def test_a_class_is_a_mask() -> None:
    assert read("600100[0-9][0-9][0-9]", "PL") == ("+48600100*",)
    numbers = read("_1727NXXXXXX", "US")
    assert set(numbers) == {f"+1727{digit}*" for digit in "23456789"}
