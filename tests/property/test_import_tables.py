"""The same table in any form is the same entries: CSV of every kind, and workbooks."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from loader.csv_import import ImportOptions, ImportReport, import_file
from loader.csv_layout import Wanted, read_layout
from loader.csv_store import CsvStore
from loader.encodings import ENCODINGS
from loader.import_source import import_source
from loader.store import Entry
from tests.support.workbooks import Cell, write_ods, write_xlsx

ALPHABETS = {
    "utf-8": "aąćęłñžЖ€ ,;'\"|",
    "utf-16": "aąćęłñžЖ€ ,;'\"|",
    "windows-1250": "aąęłśźž ,;'\"|",
    "windows-1252": "aàâçèêñß ,;'\"|",
    "windows-1251": "aвджш ,;'\"|",
    "latin-2": "aąęłśźž ,;'\"|",
}
days = st.dates(datetime.date(2000, 1, 1), datetime.date(2068, 12, 31))
Row = tuple[str, datetime.date | None, str]


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[Row]]:
    encoding = draw(st.sampled_from(list(ALPHABETS)))
    notes = st.text(ALPHABETS[encoding], max_size=12).map(lambda text: f"n {text}".strip())
    count = draw(st.integers(3, 12))
    rows = [
        (
            draw(st.sampled_from(["{}", "+48{}", "0048 {}"])).format(600_100_200 + row),
            draw(st.one_of(st.none(), days)),
            draw(st.one_of(st.just(""), notes)),
        )
        for row in range(count)
    ]
    return encoding, rows


def imported(file: Path, wanted: Wanted) -> list[object]:
    with tempfile.TemporaryDirectory() as directory, import_source(file, None) as source:
        store = CsvStore(Path(directory) / "store", create=True)
        wanted = dataclasses.replace(wanted, iso_dates=source.iso_dates)
        report = ImportReport(read_layout(source.file, wanted, "PL"))
        options = ImportOptions(made_of=source.made_of)
        import_file(store, "Default", source.file, report, "PL", options)
        assert report.named_rejects == []
        return list(store.entries("Default", "PL"))


@settings(max_examples=25, deadline=None)
@given(
    table=tables(),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    separator_line=st.booleans(),
    titles=st.sampled_from([[], ["Lista"], ["Lista", "z maja"]]),
    date_format=st.sampled_from(["DD.MM.YYYY", "M/D/YYYY", "DD.MM.YY", "excel", "YYYY-MM-DD"]),
)
def test_a_table_of_any_form_is_the_same_entries(
    table: tuple[str, list[Row]],
    delimiter: str,
    end: str,
    separator_line: bool,
    titles: list[str],
    date_format: str,
) -> None:
    encoding, rows = table
    today = datetime.date.today()
    expected: list[object] = [
        Entry(f"+48{600_100_200 + at}", day or today, note)
        for at, (_, day, note) in enumerate(rows)
    ]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerow(["Telefon", "Data", "Opis"])
    for number, day, note in rows:
        writer.writerow([number, _written(day, date_format), note])
    above = [f"sep={delimiter}"] * separator_line + titles
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "numbers"
        whole = "".join(line + end for line in above) + text.getvalue()
        file.write_bytes(whole.encode(ENCODINGS[encoding]))
        # What letters tell of the encoding is another test's: these are few, and of no language.
        wanted = Wanted(encoding=encoding, date_formats=[date_format])
        assert imported(file, wanted) == expected
        cells: list[Sequence[Cell]] = [[title] for title in titles]
        cells += [["Telefon", "Data", "Opis"], *rows]
        for write in (write_xlsx, write_ods):
            write(file, {"A": cells})
            assert imported(file, Wanted()) == expected


def _written(day: datetime.date | None, date_format: str) -> str:
    if day is None:
        return ""
    if date_format == "excel":
        return str((day - datetime.date(1899, 12, 30)).days)
    if date_format == "M/D/YYYY":
        return f"{day.month}/{day.day}/{day.year}"
    strftime = {"DD.MM.YYYY": "%d.%m.%Y", "DD.MM.YY": "%d.%m.%y", "YYYY-MM-DD": "%Y-%m-%d"}
    return day.strftime(strftime[date_format])
