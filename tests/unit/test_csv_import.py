"""Import of CSV files: layouts, outcomes and rejects."""

import datetime
from collections.abc import Mapping
from pathlib import Path

import pytest

from loader.csv_import import ImportOptions, ImportReport, import_file
from loader.csv_layout import Wanted, read_layout
from loader.csv_source import ImportFileError
from loader.csv_store import CsvStore
from loader.store import AddOutcome, Entry, Reject, StoreError

DAY = datetime.date(2026, 1, 2)


@pytest.fixture
def store(tmp_path: Path) -> CsvStore:
    return CsvStore(tmp_path / "store", create=True)


def imported(
    store: CsvStore,
    text: str | bytes,
    mapping: Mapping[str, str] | None = None,
    options: ImportOptions | None = None,
) -> ImportReport:
    file = store.directory.parent / "numbers.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    layout = read_layout(file, Wanted(mapping or {}), "PL")
    report = ImportReport(layout)
    import_file(store, "Default", file, report, "PL", options or ImportOptions())
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
        ("Kontakt,Kiedy\nJan,1\n", {}, r"found none among column 1 'Kontakt' \('Jan'\);"),
        (
            "Tel,Telefon\n600100200,600100201\n",
            {},
            r"found 2: column 1 'Tel' \('600100200'\); column 2 'Telefon' \('600100201'\);"
            " say --map number=1",
        ),
        ("Tel,Opis\n600100200,1\n", {"number": "Nr"}, "expected one of 'Tel', 'Opis', found 'Nr'"),
        ("Tel,tel\n600100200,1\n", {"number": "TEL"}, "several columns of that name"),
        ("600100200,x\n", {"number": "3"}, "--map number: expected a column from 1 to 2, found 3"),
        (
            "Tel,Opis\n600100200,1\n",
            {"number": ""},
            "expected one column of numbers, found none",
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
        AddOutcome.ADDED: 2,
        AddOutcome.PRESENT: 2,
        AddOutcome.UPDATED: 1,
    }
    assert (report.accepted, report.rejected) == (5, 2)
    assert "expected a full number as in the first rows" in report.named_rejects[0].reason
    today = datetime.date.today()
    assert entries(store) == [
        Entry("+48600100200", DAY, "kept"),
        Entry("+48600100201", DAY, "new"),
        Entry("+48600100202", DAY),
        Entry("+48700*", today),
    ]


BAD_ROWS = [
    ("abc,,,", "found 'abc'"),
    (",2026-01-02,,", "found ''"),
    ("600100201,02.01.2026,,", "date: expected YYYY-MM-DD, found '02.01.2026'"),
    ("600100201,2026-02-30,,", "date: expected YYYY-MM-DD, found '2026-02-30'"),
    ("600100201,,,soon", "expires: expected YYYY-MM-DD or YYYY-MM-DDTHH:MM, found 'soon'"),
    ("600100201,,,2026-13-01", "expires: expected"),
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


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("cell", ["", "number,date,description,expires\n"])
def test_a_blank_expiry_keeps_the_one_that_is_to_come(
    store: CsvStore, cell: str, replace: bool
) -> None:
    soon = datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)
    over = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
    store.add("Default", Entry("+48600100200", DAY, "", soon), "PL")
    store.add("Default", Entry("+48600100201", DAY, "", over), "PL")
    text = "600100200,,new,\n600100201,2026-01-02,,\n600100202,2026-01-02,,2099-01-01T00:00:00Z\n"
    imported(store, cell + text + "600100202,,,\n", options=ImportOptions(replace=replace))
    assert entries(store) == [
        Entry("+48600100200", DAY, "new", soon),
        Entry("+48600100201", DAY),  # what is over was not on the list: it is added anew
        Entry("+48600100202", DAY, "", soon),
    ]


NOTES = [
    ('"two\nlines"', "two lines"),
    ('"a\tb"', "a b"),
    ('"a\x1b[31mred"', "a [31mred"),
    ("x" * 501, "x" * 500),
    ('"' + "line\n" * 30 + '"', ("line " * 30).strip()),
    ('" a \u2028\u2029\x85 b "', "a b"),
]


@pytest.mark.parametrize(("cell", "kept"), NOTES, ids=range(len(NOTES)))
def test_a_note_never_costs_the_number(store: CsvStore, cell: str, kept: str) -> None:
    report = imported(store, f"number,note\n600100200,{cell}\n600100201,as  it is\n")
    assert [row.description for row in entries(store) if isinstance(row, Entry)] == [
        kept,
        "as  it is",
    ]
    assert (report.rejected, report.notes_cleaned) == (0, 1)
