"""Which column of a table of numbers is what: by what its cells are, and by what its header says.

The number's column, when nobody named it:

1. Never: row numbers, dates, numbers of our own, and a column that the header says is of ours.
2. Columns of full numbers (half of their cells and more) that the header calls a telephone, or
   else a number of some kind, or else any.
3. Without a column of full numbers: the one that the header calls so, or the first without header:
   lists of extensions, prefixes and words.

Two that are as good are an error with samples of both: nothing is guessed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from loader.country_codes import country_of
from loader.csv_source import ImportFileError
from loader.date_formats import formats_for, looks_like_a_date
from loader.edit_table import entry_key_of
from loader.header_names import field_named, names_a_phone, names_our_numbers
from loader.import_cells import is_short, read_number_cell
from loader.key_table import KeyTable
from loader.store import ISO_DAY, ISO_TIME, quoted

FIELDS = ("number", "date", "description", "expires", "country")
MAX_COLUMNS = 256
# Of numbers that are full, so many in the first rows make short ones among them mistakes.
FULL_SHARE = 0.75
_SAMPLES = 3
_EPOCH_DIGITS = 9


@dataclass(frozen=True)
class Column:
    """One column of the first rows. kinds: how many cells are full, short, ours, date, blank or
    other. valid: how many of the full ones are in use.
    """

    at: int
    name: str
    cells: Sequence[str]
    kinds: Counter[str] = field(default_factory=Counter)
    valid: int = 0

    def mostly(self, *kinds: str) -> bool:
        """Whether half of the cells that are not blank, and one at least, are of these kinds."""
        count = sum(self.kinds[kind] for kind in kinds)
        return count > 0 and count * 2 >= self.kinds.total() - self.kinds["blank"]

    @property
    def blank(self) -> bool:
        return self.kinds["blank"] == self.kinds.total()

    @cached_property
    def are_row_numbers(self) -> bool:
        """Whether they count the rows, from 0 or 1."""
        found = [cell.strip() for cell in self.cells]
        if len(found) < 3 or not all(cell.isdecimal() and len(cell) < 8 for cell in found):
            return False
        first = int(found[0])
        return first <= 1 and [int(cell) for cell in found] == list(
            range(first, first + len(found))
        )

    @property
    def are_moments(self) -> bool:
        """Whether they are seconds since 1970, which no format of dates reads."""
        return all(
            cell.strip().isdecimal() and len(cell.strip()) >= _EPOCH_DIGITS
            for cell in self.cells
            if cell.strip()
        )

    def __str__(self) -> str:
        title = f" {quoted(self.name, 40)}" if self.name else ""
        some = [quoted(cell.strip(), 30) for cell in self.cells if cell.strip()][:_SAMPLES]
        return f"column {self.at + 1}{title} ({', '.join(some) or 'blank'})"


def kind_of(text: str, region: str | None, ours: KeyTable | None, country: str = "") -> str:
    """What a cell is: full, valid (full and in use), short, ours, date, blank or other."""
    text = text.strip()
    if not text:
        return "blank"
    if is_date(text):
        return "date"
    try:
        reading = read_number_cell(text, region, country)
    except ValueError:
        return "other"
    number = reading.numbers[0]
    if number[0] != "+":
        return "short" if is_short(number) else "full"
    if reading.tier == "impossible":
        return "other"
    if ours is not None and ours.covers(entry_key_of(number)):
        return "ours"
    return "valid" if reading.tier == "valid" else "full"


def is_date(text: str) -> bool:
    if ISO_DAY.fullmatch(text) or ISO_TIME.fullmatch(text):
        return True
    return looks_like_a_date(text) and " " not in text[:8] and bool(formats_for(text))


def columns_of(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    region: str | None,
    ours: KeyTable | None,
    country_at: int | None,
) -> list[Column]:
    """All columns, from the first rows of the table."""
    found = []
    for at in range(width):
        cells = [row[at] if at < len(row) else "" for row in rows]
        kinds: Counter[str] = Counter()
        valid = 0
        for row, cell in zip(rows, cells, strict=True):
            country = row[country_at] if country_at is not None and country_at < len(row) else ""
            kind = kind_of(cell, region, ours, country if at != country_at else "")
            valid += kind == "valid"
            kinds["full" if kind == "valid" else kind] += 1
        found.append(Column(at, header[at] if at < len(header) else "", cells, kinds, valid))
    return found


def choose_columns(
    columns: Sequence[Column], has_header: bool, mapped: Mapping[str, int | None]
) -> dict[str, int]:
    """Field -> position. mapped: where fields are that somebody named, and the country; None:
    nowhere.

    Raises ImportFileError.
    """
    chosen = {name: at for name, at in mapped.items() if at is not None}
    if "number" not in mapped:
        free = [c for c in columns if c.at not in chosen.values()]
        chosen["number"] = _number_column(free, has_header, len(columns)).at
    if "number" not in chosen:
        raise _no_number(columns)
    for name in FIELDS[1:]:
        if name not in mapped:
            free = [c for c in columns if c.at not in chosen.values()]
            at = _named(name, free) if has_header else _placed(name, free, chosen)
            if at is not None:
                chosen[name] = at
    return {name: chosen[name] for name in FIELDS if name in chosen}


def country_column(
    header: Sequence[str], rows: Sequence[Sequence[str]], mapped: Mapping[str, int | None]
) -> int | None:
    """The column that holds calling codes or regions of every row that has one."""
    if "country" in mapped:
        return mapped["country"]
    found = []
    for at, name in enumerate(header[:MAX_COLUMNS]):
        if field_named(name) == "country":
            cells = [row[at].strip() for row in rows if at < len(row) and row[at].strip()]
            if cells and all(map(_is_country, cells)):
                found.append((not any(cell.isdecimal() for cell in cells), at))
    return min(found)[1] if found else None  # calling codes before regions


def _is_country(text: str) -> bool:
    try:
        country_of(text)
    except ValueError:
        return False
    return True


def are_full(column: Column) -> bool:
    """Whether short numbers in this column are mistakes: the others are full."""
    numbers = column.kinds["full"] + column.kinds["ours"] + column.kinds["short"]
    full = numbers - column.kinds["short"]
    return full > 0 and full >= FULL_SHARE * numbers


def _number_column(columns: Sequence[Column], has_header: bool, width: int) -> Column:
    may_be = [c for c in columns if not (names_our_numbers(c.name) or c.mostly("ours"))]
    full = [c for c in may_be if c.mostly("full") and not c.are_row_numbers]
    phones = [c for c in full if names_a_phone(c.name)]
    numbers = [c for c in full if field_named(c.name) == "number" and c not in phones]
    if phones:
        # "Numer" beside a telephone: a customer's, say, unless they are telephone numbers as well.
        return _only([*phones, *(c for c in numbers if c.valid * 2 >= c.kinds["full"])])
    if numbers or full:
        return _only(numbers or full)
    rest = [c for c in may_be if not (c.mostly("date") or c.are_row_numbers)]
    named = [c for c in rest if names_a_phone(c.name)]
    named = named or [c for c in rest if field_named(c.name) == "number"]
    if named:
        return _only([c for c in named if c.mostly("short")] or _with_text(named))
    if rest and (width == 1 or not has_header) and rest[0].at == 0:
        return rest[0]
    raise _no_number(columns)


def _with_text(columns: Sequence[Column]) -> Sequence[Column]:
    return [c for c in columns if not c.blank] or columns[:1]


def _only(columns: Sequence[Column]) -> Column:
    if len(columns) == 1:
        return columns[0]
    columns = sorted(columns, key=lambda column: column.at)
    raise ImportFileError(
        f"expected one column of numbers, found {len(columns)}:"
        f" {'; '.join(map(str, columns[:5]))}; say --map number={columns[0].at + 1},"
        " or another of them"
    )


def _no_number(columns: Sequence[Column]) -> ImportFileError:
    some = "; ".join(f"{c}{_what(c)}" for c in columns[:8])
    return ImportFileError(
        f"expected one column of numbers, found none among {some}; say --map number=COLUMN"
    )


def _what(column: Column) -> str:
    if column.are_row_numbers:
        return ": row numbers"
    if column.mostly("date"):
        return ": dates"
    if names_our_numbers(column.name) or column.mostly("ours"):
        return ": our own numbers"
    return ""


def _named(name: str, columns: Sequence[Column]) -> int | None:
    """The column whose header means this field."""
    found = [c for c in columns if field_named(c.name) == name]
    if name == "date":
        found = [c for c in found if c.blank or not c.are_moments]
    if len(found) > 1:
        found = [c for c in found if not c.blank] or found[:1]
    if len(found) > 1:
        raise ImportFileError(
            f"expected one column for the {name}, found {'; '.join(map(str, found[:5]))};"
            f" say --map {name}={found[0].at + 1}, or --map {name}= for none"
        )
    return found[0].at if found else None


def _placed(name: str, columns: Sequence[Column], chosen: Mapping[str, int]) -> int | None:
    """The column without header that is this field: at the field's own place, if its cells can be
    that, or else by its cells.
    """
    place = FIELDS.index(name)
    by_place = next((c for c in columns if c.at == place), None)
    is_own_order = chosen.get("date") == FIELDS.index("date")
    if name == "expires":
        return place if by_place and is_own_order else None
    kinds = ("date",) if name == "date" else ("other", "short")
    if by_place and (by_place.blank or by_place.mostly(*kinds)):
        return place
    for column in columns:
        is_expiry = is_own_order and column.at == FIELDS.index("expires")
        if column.at > chosen["number"] and column.mostly(*kinds) and not is_expiry:
            return column.at
    return None
