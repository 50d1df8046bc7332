"""A row of an imported file, as entries of a list."""

import sys
from dataclasses import dataclass

from loader.column_choice import FIELDS
from loader.csv_layout import Layout
from loader.csv_rows import Row
from loader.import_cells import is_short, read_note, read_number_cell
from loader.number_rules import Tier
from loader.store import BadValueError, Entry


@dataclass(frozen=True, slots=True)
class RowReading:
    """entries: of one number, or of several of a range; one without expiry says nothing of it.

    text: the number's cell. tier: of the number that is least in use; None where none is E.164.
    repaired: what was put right in it, for people. is_short: an extension or a short number.
    note_cleaned: whether the description is another text than the cell's.
    """

    text: str
    entries: tuple[Entry, ...]
    tier: Tier | None
    repaired: str
    is_short: bool
    note_cleaned: bool


class RowReader:
    """Reads the rows of one layout.

    region: of national numbers. take_short: also short numbers in a column of full ones.
    only_valid: refuse numbers in no range that is in use.
    """

    def __init__(
        self, layout: Layout, region: str | None, take_short: bool, only_valid: bool
    ) -> None:
        self._layout = layout
        self._region = region
        self._refuse_short = layout.are_full and not take_short
        self._only_valid = only_valid
        # A column that is not there, or not in a short row, reads as a blank cell.
        self._places = [layout.columns.get(name, sys.maxsize) for name in FIELDS]

    def read(self, row: Row) -> RowReading:
        """What the row says. Raises ValueError."""
        layout = self._layout
        if row.problem:
            raise BadValueError(row.problem)
        width = len(row.cells)
        if width > layout.width and any(row.cells[layout.width :]):
            raise BadValueError(f"expected at most {layout.width} columns, found {width}")
        text, date, description, expires, country = [
            row.cells[at].strip() if at < width else "" for at in self._places
        ]
        reading = read_number_cell(text, self._region, country)
        short = is_short(reading.numbers[0])
        if short and self._refuse_short:
            raise BadValueError(
                f"number: expected a full number as in the first rows, found the short one"
                f" {reading.numbers[0]} (--short takes it)"
            )
        if self._only_valid and reading.tier == "possible":
            raise BadValueError(
                f"number: expected one that is in use (--only-valid), found {reading.numbers[0]}:"
                " possible, but in no range that is in use"
            )
        day = layout.dates.day(date) if date else None
        end = layout.dates.expiry(expires) if expires else None
        note = read_note(description)
        return RowReading(
            text,
            tuple(Entry(number, day, note.text, end) for number in reading.numbers),
            reading.tier,
            reading.repaired,
            short,
            note.cleaned,
        )
