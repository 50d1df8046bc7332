"""Import of workbooks: what their cells are read as, and what is refused."""

from __future__ import annotations

import datetime
import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import loader.import_source
from loader.csv_source import ImportFileError
from loader.csv_store import CsvStore
from loader.import_source import import_source
from loader.store import Entry
from tests.support.logged_lists import in_the_lists
from tests.support.shell import Shell, polish_shell
from tests.support.workbooks import Cell, with_part, write_ods, write_xlsx

Write = Callable[[Path, dict[str, list[list[Cell]]]], None]
WRITERS = pytest.mark.parametrize("write", [write_xlsx, write_ods], ids=["xlsx", "ods"])


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return polish_shell(tmp_path)


def listed(shell: Shell) -> dict[str, Entry]:
    return in_the_lists(CsvStore(shell.directory))["Default"]


def text_of(file: Path, sheet: str | None = None) -> str:
    with import_source(file, sheet) as source:
        return source.file.read_text("utf-8")


@WRITERS
@pytest.mark.parametrize("name", ["numbers.xlsx", "numbers.ods", "numbers.csv", "numbers"])
def test_a_workbook_is_known_by_its_content(
    shell: Shell, tmp_path: Path, write: Write, name: str
) -> None:
    file = tmp_path / name
    write(
        file,
        {
            "Maj": [
                ["Telefon", "Data", "Opis"],
                [600100200.0, datetime.date(2026, 5, 31), "Żółw; Jan"],
                [],
                ["600 100 201", None, None],
                ["abc", None, None],
            ]
        },
    )
    output = shell.run("import", "Default", str(file), code=3).output
    assert output.splitlines()[0] == (
        f"{name}: sheet 'Maj'; number = column 1 'Telefon', date = column 2 'Data',"
        " description = column 3 'Opis'"
    )
    found = listed(shell)
    assert set(found) == {"+48600100200", "+48600100201"}
    assert found["+48600100200"].date == datetime.date(2026, 5, 31)
    assert found["+48600100200"].description == "Żółw; Jan"
    assert "  line 5: 'abc,,'" in output  # its row in the sheet
    assert (tmp_path / f"{name}.rejects.csv").exists()
    (record,) = json.loads(shell.run("log", "show", "--json").output)
    assert record["batch"]["source"] == name
    assert record["batch"]["source_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


@WRITERS
def test_cells_are_what_they_would_be_typed_as(tmp_path: Path, write: Write) -> None:
    file = tmp_path / "numbers.xlsx"
    moment = datetime.datetime(2026, 5, 31, 12, 30)
    rows: list[list[Cell]] = [
        [600100200.0, 48600100200, 0.5, 1.5e20, 123456789012345.0, datetime.date(2026, 5, 31)],
        [moment, "a\nb", "0600", '"', "x" * 3000],
    ]
    write(file, {"A": rows})
    first, second = text_of(file).splitlines()[0], text_of(file).split("\n")[1]
    assert first == "600100200,48600100200,0.5,1.5e+20,123456789012345,2026-05-31"
    assert second == '2026-05-31 12:30:00,a\vb,0600,"""",' + "x" * 2000 + ","


def test_a_note_with_a_line_break_is_cleaned_and_counted(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "numbers.xlsx"
    write_xlsx(file, {"A": [["phone", "note"], ["600100200", "two\nlines"], ["600100201", "x"]]})
    report = json.loads(shell.run("import", "Default", str(file), "--json").output)
    assert report["notes_cleaned"] == 1
    assert listed(shell)["+48600100200"].description == "two lines"


@WRITERS
def test_the_sheet_is_named_or_the_only_one_with_cells(
    shell: Shell, tmp_path: Path, write: Write
) -> None:
    file = tmp_path / "numbers.xlsx"
    full: list[list[Cell]] = [["phone"], ["600100200"]]
    write(file, {"Empty": [], "May": full})
    assert "sheet 'May'" in shell.run("import", "Default", str(file)).output
    write(file, {"April": [["phone"], ["600100201"]], "May": full})
    output = shell.run("import", "Default", str(file), code=2).output
    assert "expected one sheet with cells, found 'April', 'May'; say --sheet NAME" in output
    shell.run("import", "Default", str(file), "--sheet", "April")
    shell.run("import", "Default", str(file), "--sheet", "2")
    assert set(listed(shell)) == {"+48600100200", "+48600100201"}
    for wanted in ("3", "0", "June"):
        output = shell.run("import", "Default", str(file), "--sheet", wanted, code=2).output
        assert (
            f"--sheet: expected one of 'April', 'May' or its position, found '{wanted}'" in output
        )
    file.write_text("600100200\n")
    assert (
        "expected a workbook"
        in shell.run("import", "Default", str(file), "--sheet", "1", code=2).output
    )


@pytest.mark.parametrize(
    ("from_1904", "serial", "cell"), [(False, 46173, "46173"), (True, 44711, "44711")]
)
def test_days_are_counted_as_the_workbook_counts_them(
    shell: Shell, tmp_path: Path, from_1904: bool, serial: int, cell: str
) -> None:
    file = tmp_path / "numbers.xlsx"
    day = datetime.date(2026, 5, 31)
    rows: list[list[Cell]] = [["phone", "date"], [600100200, day], [600100201, serial]]
    write_xlsx(file, {"A": rows}, from_1904)
    output = shell.run("import", "Default", str(file), code=3).output
    assert f"expected YYYY-MM-DD, found '{cell}'; say --date-format excel" in output
    shell.run("import", "Default", str(file), "--date-format", "excel")
    assert {entry.date for entry in listed(shell).values()} == {day}


def test_formulas_say_their_stored_values_and_the_others_are_counted(
    shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "numbers.xlsx"
    write_xlsx(file, {"A": [["phone", "note"], [600100200, "x"]]})
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c r="A1" t="inlineStr"><is><t>phone</t></is></c></row>'
        '<row r="2"><c r="A2"><f>600100199+1</f><v>600100200</v></c></row>'
        '<row r="3"><c r="A3"><f>600100200+1</f><v></v></c></row>'
        '<row r="4"><c r="A4"><f>600100200+1</f></c></row>'
        '<row r="5"><c r="A5" t="e"><v>#N/A</v></c></row>'
        "</sheetData></worksheet>"
    )
    with_part(file, "xl/worksheets/sheet1.xml", sheet.encode())
    output = shell.run("import", "Default", str(file)).output
    assert "3 cells are read as blank: errors, or formulas without a value" in output
    assert set(listed(shell)) == {"+48600100200"}


def _sheet(cells: str) -> bytes:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<worksheet xmlns="{space}"><sheetData>{cells}</sheetData></worksheet>'.encode()


HOSTILE = {
    "cells at both ends": _sheet(
        '<row r="1"><c r="A1"><v>1</v></c></row>'
        '<row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    ),
    "no XML": b"\x00" * 1000,
    "cut off": _sheet('<row r="1"><c r="A1"><v>1</v></c></row>')[:150],
    "nested": b"<a>" * 100_000,
    "a thousand million laughs": b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><worksheet><sheetData><row><c t='str'><v>&j;</v></c></row></sheetData></worksheet>",
    "a row of no number": _sheet('<row r="x"><c r="%%"><v>1</v></c></row>'),
    "a string that is not there": _sheet('<row r="1"><c r="A1" t="s"><v>77</v></c></row>'),
}


@pytest.mark.parametrize("part", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_sheet_is_one_sentence(shell: Shell, tmp_path: Path, part: bytes) -> None:
    file = tmp_path / "numbers.xlsx"
    write_xlsx(file, {"A": [["phone"], ["600100200"]]})
    with_part(file, "xl/worksheets/sheet1.xml", part)
    result = shell.run("import", "Default", str(file), code=None)
    assert result.exit_code in (2, 4)
    assert "Traceback" not in result.output
    assert len(result.output.splitlines()) < 10
    assert listed(shell) == {}


def test_what_unpacks_to_too_much_is_not_unpacked(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "numbers.xlsx"
    write_xlsx(file, {"A": [["phone"], ["600100200"]]})
    archive = bytearray(file.read_bytes())
    size = archive.index(b"PK\x01\x02") + 24  # of the first file, in the archive's directory
    archive[size : size + 4] = (3 << 30).to_bytes(4, "little")
    file.write_bytes(archive)
    output = shell.run("import", "Default", str(file), code=2).output
    assert "expected a workbook of at most 2048 MiB unpacked, found 3072 MiB" in output


@pytest.mark.parametrize(
    ("bound", "value"),
    [("WORKBOOK_MEMORY", 128 << 20), ("WORKBOOK_SECONDS", 0), ("MAX_TEXT", 1000)],
)
def test_what_a_sheet_may_take_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    file = tmp_path / "numbers.xlsx"
    write_xlsx(file, {"A": [["phone"], *([str(600100200 + row)] for row in range(2000))]})
    text = b"<sst><si><t>" + b"a" * (100 << 20) + b"</t></si></sst>"
    if bound == "WORKBOOK_MEMORY":
        with_part(file, "xl/sharedStrings.xml", text)
    monkeypatch.setattr(loader.import_source, bound, value)
    with (
        pytest.raises(ImportFileError, match="expected a sheet that can be read with"),
        import_source(file, None),
    ):
        pass


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04",
        b"PK\x03\x04" + bytes(5000),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5000),
    ],
)
def test_what_only_begins_like_a_workbook_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "numbers.xls"
    file.write_bytes(data)
    with pytest.raises(ImportFileError, match=r"numbers\.xls: expected"), import_source(file, None):
        pass


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "numbers.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("numbers.csv", "600100200\n")
    with pytest.raises(ImportFileError, match=r"expected an \.xlsx"), import_source(file, None):
        pass
