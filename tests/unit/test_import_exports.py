"""Exports of PBXs and dialers go in as they come, also through a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from loader.csv_source import ImportFileError
from loader.csv_store import CsvStore
from loader.import_source import import_source
from loader.store import Entry
from tests.support.logged_lists import in_the_lists
from tests.support.shell import Shell, polish_shell
from tests.support.workbooks import write_xlsx


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)  # where the rejects of standard input are written
    return polish_shell(tmp_path)


def listed(shell: Shell) -> dict[str, Entry]:
    return in_the_lists(CsvStore(shell.directory))["Default"]


ASTERISK = """\
/blacklist/600100200                              : 1
/blacklist/+48600100201                           : Spam, "Ltd" : again
2 results found.
"""
FUSIONPBX = """\
call_block_uuid,call_block_direction,extension_uuid,call_block_name,call_block_country_code,\
call_block_number,call_block_count,call_block_app,call_block_data,date_added,call_block_enabled,\
call_block_description,insert_date,insert_user
0a1b,inbound,,Spam,48,600100200,3,reject,,1780000000,true,asked us,2026-05-31 12:30:00.123456+02,
0a1c,inbound,,Spam,,600100201,12,reject,,1780000001,true,,2026-05-31 12:30:00+02,
"""
FREEPBX = "number,description\n600100200,asked us\n600100201,\n"
FREEPBX_WITHOUT_HEADER = '"600100200","asked us"\n"600100201","telemarketing"\n'
VICIDIAL_DNC = "600100200\n600100201\n"
VICIDIAL_LEADS = """\
lead_id\tentry_date\tmodify_date\tstatus\tuser\tvendor_lead_code\tsource_id\tlist_id\t\
gmt_offset_now\tcalled_since_last_reset\tphone_code\tphone_number\ttitle\tfirst_name\tlast_name\t\
postal_code\tcountry_code\tdate_of_birth\talt_phone\temail\tcomments\tcalled_count\trank
11\t2026-05-01 10:00:00\t2026-05-02 10:00:00\tDNC\t6666\t700100200\t\t9001\t1.00\tY\t48\t600100200\
\t\tJan\tX\t00950\tPOL\t1970-01-01\t\t\tasked us\t2\t0
12\t2026-05-01 10:00:00\t2026-05-02 10:00:00\tDNC\t6666\t\t\t9001\t1.00\tY\t48\t600100201\
\t\tEwa\tY\t00950\t\t0000-00-00\t\t\t\t1\t0
"""
THREE_CX = '\ufeffCaller ID,Description\n"600100200","asked us"\n"+48600100201",""\n'
YEASTAR = "Name,Number,Type\nasked us,600100200&600100201,inbound\n"
YEASTAR_S = "Name,Number,Type,Outlist\nasked,600100200^600100201,both,All\n"
GRANDSTREAM = "600100200,\r\n600100201,\r\n"
ASTERISK_CDR = '''\
"accountcode","src","dst","dcontext","clid","channel","start","duration","disposition"
"","600100200","221234567","in","""J"" <600100200>","SIP/t-1","2026-05-31 12:30:00","7","ANSWERED"
"","600100201","221234567","in","""E"" <600100201>","SIP/t-2","2026-05-31 12:31:00","9","ANSWERED"
'''
HUBSPOT = """\
Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Create Date,Lead Status
101,Jan,X,jan@example.com,+48 600 100 200,Ola,2026-05-31 12:30,asked us
102,Ewa,Y,ewa@example.com,600-100-201,Ola,2026-05-31 12:30,
"""
GOOGLE = """\
First Name,Last Name,Labels,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value
Jan,X,* myContacts,Mobile,600 100 200,,
Ewa,Y,* myContacts,Work,600 100 201,,
"""
OUTLOOK = """\
First Name,Last Name,Home Phone,Business Phone,Mobile Phone,Notes
Jan,X,,,600 100 200,asked us
Ewa,Y,,,600 100 201,
"""
EXPORTS = {
    "Asterisk": ASTERISK,
    "FusionPBX": FUSIONPBX,
    "FreePBX": FREEPBX,
    "FreePBX without header": FREEPBX_WITHOUT_HEADER,
    "VICIdial DNC": VICIDIAL_DNC,
    "VICIdial leads": VICIDIAL_LEADS,
    "3CX": THREE_CX,
    "Yeastar P": YEASTAR,
    "Yeastar S": YEASTAR_S,
    "Grandstream": GRANDSTREAM,
    "Asterisk CDR": ASTERISK_CDR,
    "HubSpot": HUBSPOT,
    "Google Contacts": GOOGLE,
    "Outlook": OUTLOOK,
}


@pytest.mark.parametrize("text", EXPORTS.values(), ids=EXPORTS)
def test_an_export_goes_in_as_it_comes(shell: Shell, tmp_path: Path, text: str) -> None:
    file = tmp_path / "export.csv"
    file.write_text(text, "utf-8")
    shell.run("import", "Default", str(file))
    found = listed(shell)
    assert set(found) == {"+48600100200", "+48600100201"}
    if "asked us" in text and text not in (YEASTAR, HUBSPOT):
        assert found["+48600100200"].description == "asked us"


def test_notes_and_other_lines_of_asterisks_database(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "export.txt"
    file.write_text(ASTERISK + "/cidname/600100205 : x\nsomething\n/blacklist/x : y\n")
    output = shell.run("import", "Default", str(file), code=3).output
    assert output.splitlines()[0].startswith("export.txt: Asterisk's blacklist, UTF-8; number")
    assert "comment lines left out: 2" in output
    assert "  line 5: 'something," in output
    assert "  line 6: 'x,y'" in output
    found = listed(shell)
    assert {number: entry.description for number, entry in found.items()} == {
        "+48600100200": "",
        "+48600100201": 'Spam, "Ltd" : again',
    }


def test_one_wrong_number_in_a_cell_costs_the_row(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text("Name,Number\na,600100200&x1\nb,600100201&600100202&\nc,600100203\n")
    report = json.loads(shell.run("import", "Default", str(file), "--json", code=3).output)
    assert report["ranges"] == {
        "rows": 1,
        "examples": [{"line": 3, "text": "600100201&600100202&", "number": "+48600100201"}],
    }
    assert set(listed(shell)) == {"+48600100201", "+48600100202", "+48600100203"}


def test_two_numbers_in_one_note_are_none_of_the_columns(shell: Shell, tmp_path: Path) -> None:
    """Google's and Outlook's second numbers would be lost in silence."""
    file = tmp_path / "export.csv"
    file.write_text(OUTLOOK.replace("Ewa,Y,,,", "Ewa,Y,,600100205,"))
    output = shell.run("import", "Default", str(file), code=2).output
    assert "column 4 'Business Phone'" in output
    assert "column 5 'Mobile Phone'" in output


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input(shell: Shell, tmp_path: Path, name: str) -> None:
    environment = {**os.environ, "CALLSIEVE_STORE": f"csv:{shell.directory}"}
    done = subprocess.run(
        [sys.executable, "-m", "callsieve", "import", "Default", name],
        input="phone\n600100200\nabc\n",
        text=True,
        capture_output=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith("stdin: UTF-8; number = column 1 'phone'")
    assert "rejected rows: stdin.rejects.csv" in done.stdout
    assert (tmp_path / "stdin.rejects.csv").read_text().splitlines()[1].startswith("abc,3,")
    assert set(listed(shell)) == {"+48600100200"}
    (record,) = json.loads(shell.run("log", "show", "--json").output)
    assert record["batch"]["source"] == "stdin"


def test_a_pipe_and_a_workbook_through_one(shell: Shell, tmp_path: Path) -> None:
    workbook = tmp_path / "numbers.xlsx"
    write_xlsx(workbook, {"A": [["phone"], [600100201]]})
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for data in (b"600100200\n", workbook.read_bytes()):
        writer = threading.Thread(target=pipe.write_bytes, args=(data,))
        writer.start()
        shell.run("import", "Default", str(pipe))
        writer.join()
    assert set(listed(shell)) == {"+48600100200", "+48600100201"}


def test_a_device_is_refused() -> None:
    with (
        pytest.raises(ImportFileError, match="/dev/zero: expected a file or a pipe"),
        import_source(Path("/dev/zero"), None),
    ):
        pass


@pytest.mark.parametrize("data", ["", "\n\n", "# nothing\n"])
def test_nothing_on_standard_input_is_an_error(shell: Shell, data: str) -> None:
    output = shell.run("import", "Default", "-", given=data, code=2).output
    assert "expected rows of CSV, found none" in output
