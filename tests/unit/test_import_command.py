"""`callsieve import` as an operator runs it."""

from __future__ import annotations

import codecs
import hashlib
import json
from pathlib import Path

import pytest

from loader.csv_import import ImportOptions, ImportReport, import_file
from loader.csv_layout import Wanted, read_layout
from loader.csv_store import CsvStore
from loader.store import Entry, StoreError
from tests.support.logged_lists import in_the_lists
from tests.support.shell import Shell, polish_shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return polish_shell(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "numbers.csv"


def listed(shell: Shell) -> dict[str, Entry]:
    return in_the_lists(CsvStore(shell.directory))["Default"]


ROWS = 'Imię i nazwisko;Telefon;Kiedy\n"Żółw; Jan";600 100 200;13.05.2026\nĆmą;600100201;1.6.2026\n'


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (ROWS.encode(), "UTF-8"),
        (codecs.BOM_UTF8 + ROWS.encode(), "UTF-8"),
        (ROWS.encode("utf-16"), "UTF-16"),
        (ROWS.encode("cp1250"), "Windows-1250"),
        (ROWS.encode("iso8859-2"), "Latin-2"),
    ],
)
def test_a_file_of_any_encoding_is_shown_and_read(
    shell: Shell, file: Path, data: bytes, told: str
) -> None:
    file.write_bytes(data)
    options = ["--map", "date=3", "--map", "description=Imię i nazwisko"]
    options += ["--date-format", "D.M.YYYY"]
    output = shell.run("import", "Default", str(file), *options).output
    assert output.splitlines()[0] == (
        f"numbers.csv: {told}, semicolon-separated; number = column 2 'Telefon',"
        " date = column 3 'Kiedy', description = column 1 'Imię i nazwisko'"
    )
    found = listed(shell)
    assert found["+48600100200"].description == "Żółw; Jan"
    assert [str(entry.date) for entry in found.values()] == ["2026-05-13", "2026-06-01"]


def test_what_was_found_out_can_be_overridden(shell: Shell, file: Path) -> None:
    file.write_bytes("600100200|a;b|x\n".encode("utf-16-be"))
    told = shell.run("import", "Default", str(file), "--dry-run").output.splitlines()[0]
    assert told == (
        "numbers.csv: UTF-16, bar-separated; number = column 1, description = column 3 (no header)"
    )
    file.write_bytes(b"'600100200';'\xb1\xe6'\n'600100201';'it''s'\n")
    options = ["--map", "date=", "--map", "description=2", "--encoding", "latin-2"]
    output = shell.run("import", "Default", str(file), *options, "--quotes", "single").output
    assert "cells in apostrophes" in output
    found = listed(shell)
    assert found["+48600100200"].description == "ąć"
    assert found["+48600100201"].description == "it's"
    file.write_bytes(b'600100202\t5" pipe\n')
    options = ["--map", "date=", "--map", "description=2", "--quotes", "none"]
    output = shell.run("import", "Default", str(file), *options, "--delimiter", "tab").output
    assert "UTF-8, tab-separated, no quotes around cells; number" in output
    assert listed(shell)["+48600100202"].description == '5" pipe'


def test_an_ambiguous_date_is_a_reject(shell: Shell, file: Path) -> None:
    file.write_text("phone,date\n600100200,03/04/2026\n600100201,13/04/2026\n600100202,\n")
    output = shell.run("import", "Default", str(file), code=3).output
    assert "expected YYYY-MM-DD, found '03/04/2026'" in output
    assert set(listed(shell)) == {"+48600100202"}
    formats = ["--date-format", "DD/MM/YYYY", "--date-format", "MM/DD/YYYY"]
    output = shell.run("import", "Default", f"{file}.rejects.csv", *formats, code=3).output
    assert "which may be 2026-03-04 or 2026-04-03" in output
    rejects = file.with_name("numbers.csv.rejects.csv.rejects.csv").read_text()
    assert rejects.splitlines()[0] == "phone,date,line,reason"
    assert rejects.splitlines()[1].startswith("600100200,03/04/2026,2,")
    shell.run("import", "Default", str(file), "--date-format", "DD.MM.Y", code=2)


def test_replace_swaps_the_list(shell: Shell, file: Path) -> None:
    for number in ("600100200", "600100201", "+48700*"):
        shell.run("add", "Default", number, "--description", "kept", "--date", "2026-01-02")
    file.write_text("600100201\n600100202\n+48700*\n")
    output = shell.run("import", "Default", str(file), "--replace", "--dry-run").output
    assert "1 added, 2 already there, 0 updated, 0 rejected, 1 removed" in output
    assert "+48600100200" in listed(shell)
    report = json.loads(shell.run("import", "Default", str(file), "--replace", "--json").output)
    assert (report["added"], report["already_there"], report["removed"]) == (1, 2, 1)
    found = listed(shell)
    assert set(found) == {"+48600100201", "+48600100202", "+48700*"}
    assert found["+48600100201"].description == "kept"
    assert shell.published().match("+48600100200") is None
    shell.run("undo", report["batch"])
    assert set(listed(shell)) == {"+48600100200", "+48600100201", "+48700*"}


def test_replace_with_nothing_good_leaves_the_list(shell: Shell, file: Path) -> None:
    shell.run("add", "Default", "600100200")
    file.write_text("abc1\n\n")
    shell.run("import", "Default", str(file), "--replace", code=4)
    assert set(listed(shell)) == {"+48600100200"}


def test_exit_codes_tell_all_some_and_none(shell: Shell, file: Path) -> None:
    for text, code in (("600100200\n", 0), ("600100201\nx1\n", 3), ("x1\n", 4), ("600100200\n", 0)):
        file.write_text(text)
        output = shell.run("import", "Default", str(file), code=code).output
        assert ("rejected rows: " in output) == (code != 0)


def test_a_dry_run_says_the_same_and_leaves_no_trace(shell: Shell, file: Path) -> None:
    shell.run("add", "Default", "600100200", "--date", "2026-01-02")

    def trees() -> dict[str, bytes]:
        return {
            str(path): path.read_bytes()
            for path in shell.directory.parent.rglob("*")
            if path.is_file()
        }

    file.write_text("number,description\n600100200,new\n600100201,\nabc,\n+48*,\n")
    before = trees()
    dry = shell.run("import", "Default", str(file), "--dry-run", code=3).output
    assert trees() == before
    done = shell.run("import", "Default", str(file), code=3).output
    rows = [line for line in dry.splitlines() if line.startswith("  line")]
    assert rows == [line for line in done.splitlines() if line.startswith("  line")]
    counts = next(line for line in dry.splitlines() if line.startswith("Default: "))
    assert any(line.startswith(counts) for line in done.splitlines())


def test_the_import_is_in_the_log(shell: Shell, file: Path) -> None:
    file.write_text("600100200\nabc\n")
    report = json.loads(
        shell.run("import", "Default", str(file), "--json", "--reason", "May", code=3).output
    )
    (record,) = json.loads(shell.run("log", "show", "--json").output)
    assert (record["command"], record["reason"], record["what"]) == (
        "callsieve import",
        "May",
        "import",
    )
    batch = record["batch"]
    assert (batch["id"], batch["added"], batch["rejected"]) == (report["batch"], 1, 1)
    assert batch["source"] == "numbers.csv"
    assert batch["source_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert batch["before"] is None
    assert batch["after"]["rows"] == 1


def test_an_edit_by_hand_during_an_import_is_not_lost(shell: Shell, file: Path) -> None:
    file.write_text("600100200\n")
    store = CsvStore(shell.directory)
    listed_file = shell.directory / "lists" / "Default.csv"
    report = ImportReport(read_layout(file, Wanted(), "PL"))

    def edit_by_hand(_: int) -> None:
        listed_file.write_text("number,date,description,expires\n600100201,,by hand,\n")

    options = ImportOptions(progress=edit_by_hand)
    with pytest.raises(StoreError, match=r"Default\.csv: expected nobody to edit it meanwhile"):
        import_file(store, "Default", file, report, "PL", options)
    assert set(listed(shell)) == {"+48600100201"}
    shell.run("import", "Default", str(file))
    assert set(listed(shell)) == {"+48600100200", "+48600100201"}
