"""Imported files against phonenumbers alone: 200,000 numbers of all regions in all their spellings.

The spellings are those that phonenumbers reads by itself. Each row has as its description what
phonenumbers makes of it, so an entry whose number is not its description was read otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat

from loader.csv_import import ImportReport, import_file
from loader.csv_layout import Wanted, read_layout
from loader.csv_store import CsvStore
from loader.renumbering import table
from loader.store import Entry
from tests.support.number_spellings import REGIONS, e164, example_numbers, neighbour

ROWS = 200_000
# Fewer digits may be an extension: loader.numbers says (7a to 7c) when they are not.
SHORTEST_NATIONAL = 7
FORMATS = (
    PhoneNumberFormat.E164,
    PhoneNumberFormat.INTERNATIONAL,
    PhoneNumberFormat.RFC3966,
    PhoneNumberFormat.NATIONAL,
)


def rows(rng: Random, region: str, count: int) -> Iterator[tuple[str, str]]:
    """(spelling, what phonenumbers makes of it in `region`) of valid numbers, of that region and
    of others.
    """
    at_home = [number for home, number in example_numbers() if home == region]
    everywhere = [number for _, number in example_numbers()]
    while count:
        number = neighbour(rng, rng.choice(rng.choice([at_home, at_home, everywhere])))
        for text in spelt(number, region):
            try:
                read = phonenumbers.parse(text, region)
            except phonenumbers.NumberParseException:
                continue
            # Canada's 310 numbers are valid, and by their length possible only without area code.
            reason = phonenumbers.is_possible_number_with_reason(read)
            possible = reason == phonenumbers.ValidationResult.IS_POSSIBLE
            if count and possible and phonenumbers.is_valid_number(read):
                count -= 1
                yield text, present_form(e164(read))


def present_form(number: str) -> str:
    """The other number in use that is the same line, where a country has two."""
    for row in table().rows:
        now = row.apply(number[1:]) if row.pair else None
        if now and phonenumbers.is_valid_number(phonenumbers.parse("+" + now, None)):
            return "+" + now
    return number


def spelt(number: PhoneNumber, region: str) -> Iterator[str]:
    texts = [phonenumbers.format_number(number, form) for form in FORMATS]
    texts.append(phonenumbers.format_out_of_country_calling_number(number, region))
    for text in texts:
        if "+" in text or sum(character.isdigit() for character in text) >= SHORTEST_NATIONAL:
            yield text


def test_every_row_is_read_as_phonenumbers_reads_it(tmp_path: Path) -> None:
    rng = Random(20261124)
    store = CsvStore(tmp_path / "store", create=True)
    file = tmp_path / "numbers.csv"
    total = 0
    for at, region in enumerate(REGIONS):
        count = ROWS * (at + 1) // len(REGIONS) - total
        total += count
        expected = set()
        with file.open("w", encoding="utf-8") as out:
            out.write("number;description\n")
            for text, number in rows(rng, region, count):
                expected.add(number)
                out.write(f"{text};{number}\n")
        store.create_list(region)
        report = ImportReport(read_layout(file, Wanted(), region))
        import_file(store, region, file, report, region)
        assert report.named_rejects == []
        assert report.accepted == count
        entries = [row for row in store.entries(region, region) if isinstance(row, Entry)]
        assert [entry for entry in entries if entry.number != entry.description] == []
        assert {entry.number for entry in entries} == expected
    assert total == ROWS
