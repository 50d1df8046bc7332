"""One line, one key: a number in the form of before a renumbering is the number that it is now."""

from random import Random

import phonenumbers
import pytest

from loader.numbers import read_entries, read_number, read_with_phonenumbers
from loader.renumbering import Renumbering, table

DIALLED = [(region, row) for region, rows in table().dialled.items() for row in rows]


def old_form(row: Renumbering, rng: Random) -> str:
    return "".join(rng.choice(may) for may in row.places)


def is_in_use(number: str) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse(number, None))


@pytest.mark.parametrize("row", table().rows, ids=lambda row: row.example_old)
def test_each_row_reads_its_example(row: Renumbering) -> None:
    for region in None, "PL":
        reading = read_number(row.example_old, region)
        assert (reading.number, reading.tier) == (row.example_new, "valid")
        assert reading.how == f"international number, by the renumbering of {row.date}"
    assert read_number(row.example_new, None).number == row.example_new
    assert row.pair or not is_in_use(row.example_old)
    assert row.source


@pytest.mark.parametrize(
    ("region", "row"), DIALLED, ids=[f"{region} {row.example_old}" for region, row in DIALLED]
)
def test_each_dialled_row_reads_its_example(region: str, row: Renumbering) -> None:
    reading = read_number(row.example_old, region)
    assert (reading.number, reading.tier) == (row.example_new, "valid")
    assert "by the renumbering of" in reading.how


def test_whatever_fits_a_row_is_read_alike_by_both_ways_and_only_once() -> None:
    rng = Random(20)
    folded = 0
    for row in table().rows * 40:
        text = "+" + old_form(row, rng)
        reading = read_number(text, None)
        assert reading == read_with_phonenumbers(text, None)
        if reading.number != text:
            folded += 1
            assert reading.number is not None
            assert is_in_use(reading.number)
            assert read_number(reading.number, None).number == reading.number
    assert folded > 3000


def test_no_text_fits_two_rows_with_different_results() -> None:
    rng = Random(21)
    for rows in table().international.values():
        for row in rows * 20:
            digits = old_form(row, rng)
            numbers = {now for other in rows if (now := other.apply(digits))}
            assert len({number for number in numbers if is_in_use("+" + number)}) <= 1, digits


ONE_LINE = [
    # Forms of one line, each as dialled in its region (None: international).
    [("600100200", "PL"), ("0600100200", "PL"), ("+48 0600100200", None), ("0-600-100-200", "PL")],
    [("22 123 45 67", "PL"), ("0 22 123 45 67", "PL"), ("0-22 123 45 67", "PL")],
    [("+525512345678", None), ("+5215512345678", None), ("0445512345678", "MX"),
     ("0455512345678", "MX"), ("015512345678", "MX"), ("55 1234 5678", "MX")],
    [("+54 11 2345 6789", None), ("+54 9 11 2345 6789", None), ("011 15-2345-6789", "AR")],
    [("+55 11 8765 4321", None), ("+55 11 98765 4321", None), ("11 8765-4321", "BR")],
    [("612345678", "IT"), ("06 1234 5678", "IT"), ("+39 06 12345678", None)],
    [("+378 0549 882345", None), ("+39 0549 882345", None), ("+378 882345", None),
     ("0549 882345", "IT")],
    [("+24106031234", None), ("+24166031234", None), ("066031234", "GA")],
    [("97123456", "BJ"), ("+22997123456", None), ("+2290197123456", None)],
    [("+22507123456", None), ("+2250707123456", None)],
    [("+5711234567", None), ("+576011234567", None)],
    [("+841691234567", None), ("+84391234567", None), ("01691234567", "VN")],
    [("0692123456", "FR"), ("+262692123456", None), ("0692123456", "RE")],
    [("+38649123456", None), ("+38349123456", None)],
    [("+37744123456", None), ("+38344123456", None)],
    [("4915123456789", "DE"), ("+4915123456789", None), ("015123456789", "DE")],
    [("493012345678", "DE"), ("030 12345678", "DE")],
]  # fmt: skip


@pytest.mark.parametrize("forms", ONE_LINE, ids=lambda forms: forms[0][0])
def test_the_forms_of_one_line_are_one_number_as_entry_and_on_a_leg(
    forms: list[tuple[str, str | None]],
) -> None:
    entries = {read_entries(text, region).numbers for text, region in forms}
    numbers = {read_number(text, region).number for text, region in forms}
    assert len(numbers) == 1
    assert entries == {tuple(numbers)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+84 8 3812 3456", "+84 28 3812 3456"),  # of before 2017 in Saigon, and a mobile number
        ("+63 2 812 3456", "+63 2 8812 3456"),  # 8 is only one of the digits that came in front
        ("+38643123456", "+38343123456"),  # Kosovo's mobile numbers, and lines of Kranj
    ],
)
def test_what_may_be_either_stays_two_numbers(one: str, other: str) -> None:
    assert read_number(one, None).number != read_number(other, None).number
