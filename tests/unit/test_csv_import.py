"""Import of CSV files: layouts, outcomes and rejects."""

import datetime
from collections.abc import Mapping
from pathlib import Path

import pytest

from loader.csv_import import ImportReport, import_file
from loader.csv_layout import Wanted, read_layout
from loader.csv_source import ImportFileError
from loader.csv_store import CsvStore
from loader.store import AddOutcome, Entry, Reject, StoreError

DAY = datetime.date(2026, 1, 2)


@pytest.fixture
def store(tmp_path: Path) -> CsvStore:
    return CsvStore(tmp_path / "store", create=True)


def imported(
    store: CsvStore, text: str | bytes, mapping: Mapping[str, str] | None = None
) -> ImportReport:
    file = store.directory.parent / "numbers.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    layout = read_layout(file, Wanted(mapping or {}), "PL")
    report = ImportReport(layout)
    import_file(store, "Default", file, report, "PL")
    return report


def entries(store: CsvStore) -> list[Entry | Reject]:
    return list(store.entries("Default", "PL"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("header", ["Nr telefonu,Data dodania,Opis", "PHONE,date,Notes"])
def test_header_delimiter_and_line_ends_are_found(
    store: CsvStore, delimiter: str, end: str, bom: str, header: str
) -> None:
    lines = [header, "600 100 200,2026-01-02,a note", "0048 600-100-201,,"]
    report = imported(store, bom + end.join(lines).replace(",", delimiter))
    assert report.layout.delimiter == delimiter
    assert report.layout.columns == {"number": 0, "date": 1, "description": 2}
    assert report.counts[AddOutcome.ADDED] == 2
    assert report.rejected == 0
    assert entries(store)[0] == Entry("+48600100200", DAY, "a note")


@pytest.mark.parametrize(
    ("text", "mapping", "columns"),
    [
        ("600100200\n600100201\n", {}, {"number": 0}),
        ("600100200,2026-01-02\n", {}, {"number": 0, "date": 1}),
        (
            "600100200,2026-01-02,x,2099-01-01\n",
            {},
            {"number": 0, "date": 1, "description": 2, "expires": 3},
        ),
        ("Jan;600100200;x\n", {"number": "2"}, {"number": 1, "description": 2}),
        ("Imię;Telefon;Data\nJan;600100200;\n", {}, {"number": 1, "date": 2}),
        ("a;b;c\n;;600100200\n", {"number": "C"}, {"number": 2}),
        ("a;b;c\n600100200;2026-01-02;\n", {"number": "a", "date": "2"}, {"number": 0, "date": 1}),
        ("Telefon;Opis\n600100200;x\n", {"description": ""}, {"number": 0}),
        ("phone,valid until\n600100200,2099-01-01\n", {}, {"number": 0, "expires": 1}),
        ("Komórka;Ważne do\n600100200;2099-01-01\n", {}, {"number": 0}),
        ("anonymous\n600100200\n", {}, {"number": 0}),
    ],
)
def test_columns(
    store: CsvStore, text: str, mapping: dict[str, str], columns: dict[str, int]
) -> None:
    report = imported(store, text, mapping)
    assert {key: report.layout.columns[key] for key in columns} == columns
    assert "+48600100200" in [row.number for row in entries(store) if isinstance(row, Entry)]
    assert report.rejected == 0


@pytest.mark.parametrize(
    ("text", "mapping", "problem"),
    [
        ("", {}, "expected rows of CSV, found none"),
        ("\n ,, \n", {}, "expected rows of CSV, found none"),
        ("Kontakt,Kiedy\n600100200,1\n", {}, "say --map number=COLUMN with one of 'Kontakt'"),
        ("Tel,Telefon\n600100200,1\n", {}, "expected one column for the number, found 1, 2"),
        ("Tel,Opis\n600100200,1\n", {"number": "Nr"}, "expected one of 'Tel', 'Opis', found 'Nr'"),
        ("Tel,tel\n600100200,1\n", {"number": "TEL"}, "several columns of that name"),
        ("600100200,x\n", {"number": "3"}, "--map number: expected a column from 1 to 2, found 3"),
        (
            "Tel,Opis\n600100200,1\n",
            {"number": ""},
            "expected one column for the number, found none",
        ),
    ],
)
def test_a_layout_that_is_not_clear_imports_nothing(
    store: CsvStore, text: str | bytes, mapping: dict[str, str], problem: str
) -> None:
    with pytest.raises(ImportFileError, match=problem):
        imported(store, text, mapping)
    assert entries(store) == []


def test_every_row_has_an_outcome(store: CsvStore) -> None:
    store.add("Default", Entry("+48600100200", DAY, "kept"), "PL")
    store.add("Default", Entry("+48600100201", DAY, "old"), "PL")
    report = imported(
        store,
        "number,date,description\n"
        "600100200,,\n"  # there, nothing new
        "600100201,,new\n"  # there, another description
        "600100202,2026-01-02,\n"  # new
        "600100202,2026-01-02,\n"  # the same again
        "\n"
        "1000,,\n"
        "+48700*,,\n"
        "abc,,\n",
    )
    assert report.counts == {
        AddOutcome.ADDED: 3,
        AddOutcome.PRESENT: 2,
        AddOutcome.UPDATED: 1,
    }
    assert (report.accepted, report.rejected) == (6, 1)
    today = datetime.date.today()
    assert entries(store) == [
        Entry("+48600100200", DAY, "kept"),
        Entry("+48600100201", DAY, "new"),
        Entry("+48600100202", DAY),
        Entry("1000", today),
        Entry("+48700*", today),
    ]


BAD_ROWS = [
    ("abc,,,", "found 'abc'"),
    (",2026-01-02,,", "found ''"),
    ("600100201,02.01.2026,,", "date: expected YYYY-MM-DD, found '02.01.2026'"),
    ("600100201,2026-02-30,,", "date: expected YYYY-MM-DD, found '2026-02-30'"),
    ("600100201,,,soon", "expires: expected YYYY-MM-DD or YYYY-MM-DDTHH:MM, found 'soon'"),
    ("600100201,,,2026-13-01", "expires: expected"),
    ("600100201,," + "x" * 501 + ",", "at most 500 characters, found 501"),
    ("600100201,,a\x1b[31mred,", r"no control characters, found '\x1b'"),
    ('600100201,,"two\nlines",', r"no control characters, found '\n'"),
    ("600100201,,Smith, John, jr", "expected at most 4 columns, found 5"),
    ('600100201,,"a"b,', 'expected nothing after a closing "'),
    ('600100201,,"never closed,', 'expected a closing "'),
    ("2026-01-02,600100201,,", "expected a number, found the date 2026-01-02"),
    ("600100201,," + "x" * 70_000 + ",", "at most 65536 bytes in a line"),
    ("4.86E+10,,,", "found '4.86E+10'"),
    ("6\x000100201,,,", "found"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_ROWS, ids=range(len(BAD_ROWS)))
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_one_bad_row_stops_no_other(store: CsvStore, bad: str, reason: str, end: str) -> None:
    good = 'number,date,description,expires\n600100200,,"a, b",\n'.replace("\n", end)
    report = imported(store, good + bad + end + f'600100203,,"c ""d""",{end}600100204,,,{end}')
    numbers = [row.number for row in entries(store) if isinstance(row, Entry)]
    assert numbers == ["+48600100200", "+48600100203", "+48600100204"]
    assert report.rejected == 1
    (reject,) = report.named_rejects
    assert reject.line == 3
    assert reason in reject.reason
    assert report.rejects_file
    assert report.rejects_file.name == "numbers.csv.rejects.csv"


@pytest.mark.parametrize("header", [True, False])
def test_rejects_are_corrected_and_imported_again(store: CsvStore, header: bool) -> None:
    text = 'Jan;600100204;2026-01-02;x\nEwa;600100201;02.01.2026;a;b\n"A;B";600100202;soon;"q"""\n'
    if header:
        report = imported(store, "Kto;Telefon;Data;Opis\n" + text)
    else:
        mapping = {"number": "2", "date": "3", "description": "4"}
        report = imported(store, "Ola;600100200;;\n" + text, mapping)
    assert report.rejected == 2
    assert report.rejects_file
    corrected = report.rejects_file.read_text()
    assert corrected.splitlines()[0].endswith(";line;reason")
    corrected = corrected.replace('"Ewa;600100201;02.01.2026;a;b";;;', "Ewa;600100201;2026-01-02;b")
    corrected = corrected.replace("soon", "2026-01-02", 1)
    again = imported(store, corrected)
    assert again.rejected == 0
    assert Entry("+48600100202", DAY, 'q"') in entries(store)
    assert Entry("+48600100201", DAY, "b") in entries(store)


def test_all_or_nothing_when_the_store_fails_midway(store: CsvStore) -> None:
    store.add("Default", Entry("+48600100200", DAY), "PL")
    (store.directory.parent / "numbers.csv.rejects.csv").mkdir()
    with pytest.raises(StoreError, match=r"numbers\.csv\.rejects\.csv: Is a directory"):
        imported(store, "600100201\n600100202\nabc\n")
    assert entries(store) == [Entry("+48600100200", DAY)]


def test_an_import_without_expiry_makes_a_temporary_entry_permanent(store: CsvStore) -> None:
    soon = datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)
    store.add("Default", Entry("+48600100200", DAY, "", soon), "PL")
    assert imported(store, "600100200\n").counts[AddOutcome.UPDATED] == 1
    assert entries(store) == [Entry("+48600100200", DAY)]
