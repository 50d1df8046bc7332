"""The change log and the commands around it: who changed what, proof, taking back."""

from __future__ import annotations

import datetime
import json
import os
import pwd
import socket
from pathlib import Path

import pytest

from loader.change_log import BrokenLogError, new_batch_id, read_records
from loader.csv_store import CsvStore
from loader.store import Entry, StoreError
from tests.support.logged_lists import by_the_log, in_the_lists
from tests.support.shell import Shell, polish_shell

ME = f"{pwd.getpwuid(os.geteuid()).pw_name}@{socket.gethostname()}"
DAY = datetime.date(2026, 1, 2)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = polish_shell(tmp_path)
    CsvStore(shell.directory).add("Default", Entry("+48600100200", DAY, "first"), "PL")
    return shell


def imported(shell: Shell, text: str, *options: str, code: int = 0) -> str:
    """Import into Default; the batch."""
    file = shell.directory.parent / "numbers.csv"
    file.write_text(text)
    report = json.loads(
        shell.run("import", "Default", str(file), "--json", *options, code=code).output
    )
    assert isinstance(report["batch"], str)
    return report["batch"]


def records(shell: Shell) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(shell.run("log", "show", "--json").output)
    return found


def test_a_record_says_who_what_when_why_and_from_where(shell: Shell) -> None:
    before = datetime.datetime.now(datetime.UTC)
    shell.run("add", "Default", "600100201", "--reason", "by e-mail, Łódź", "--date", "2026-01-02")
    shell.run("remove", "Default", "600100201")
    added, removed = records(shell)[1:]
    entry = {"number": "+48600100201", "date": "2026-01-02", "description": "", "expires": None}
    time = datetime.datetime.fromisoformat(str(added.pop("time")))
    assert before <= time <= datetime.datetime.now(datetime.UTC)
    assert added.pop("sha256") == removed["previous"]
    assert added.pop("previous") == records(shell)[0]["sha256"]
    assert added == {
        "serial": 2,
        "who": ME,
        "command": "callsieve add",
        "reason": "by e-mail, Łódź",
        "list": "Default",
        "what": "add",
        "number": "+48600100201",
        "before": None,
        "after": entry,
    }
    assert (removed["what"], removed["before"], removed["after"]) == ("remove", entry, None)
    assert "600100201" in shell.run("log", "show", "--last", "1").output
    assert shell.run("log", "show", "--list", "Other").output == ""


def test_a_reason_with_control_characters_is_refused(shell: Shell) -> None:
    output = shell.run("add", "Default", "600100201", "--reason", "a\x1b[2J", code=2).output
    assert "reason: description: expected no control characters" in output
    assert len(records(shell)) == 1


def test_a_change_of_nothing_is_no_record(shell: Shell) -> None:
    shell.run("reload")
    shell.run("add", "Default", "600100200", code=1)
    shell.run("remove", "Default", "600100999", code=1)
    shell.run("import", "Default", str(_file(shell, "600100200\n")))
    assert len(records(shell)) == 1


def _file(shell: Shell, text: str) -> Path:
    file = shell.directory.parent / "same.csv"
    file.write_text(text)
    return file


def test_verify(shell: Shell) -> None:
    imported(shell, "600100201\n600100202\n")
    last = records(shell)[-1]["sha256"]
    assert shell.run("log", "verify").output == f"2 records, whole; last hash {last}\n"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"reason":""', '"reason":"x"', "record 2: expected the hash of the record before it"),
        ('"description":"first"', '"description":"1st"', "record 2: expected the hash"),
        ('"serial":1', '"serial":2', "record 1: expected serial 1, found 2"),
        ('{"serial":1', '"serial":1', "record 1: expected a record, found"),
        ('"what":"add"', '"what":1,"what2":"\x1b"', "record 1: expected a record, found"),
    ],
)
def test_an_altered_record_is_named(shell: Shell, old: str, new: str, problem: str) -> None:
    shell.run("add", "Default", "600100201")
    log = shell.directory / "changes.log"
    log.write_text(log.read_text().replace(old, new, 1))
    output = shell.run("log", "verify", code=1).output
    assert problem in output
    assert "\x1b" not in output
    assert problem in shell.run("log", "show", code=1).output
    assert problem in shell.run("evidence", "600100200", code=5).output


def test_every_altered_byte_of_the_log_is_found(shell: Shell) -> None:
    shell.run("add", "Default", "600100201")
    store = CsvStore(shell.directory)
    log = shell.directory / "changes.log"
    whole = log.read_bytes()
    for at in range(len(whole)):
        log.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BrokenLogError):
            list(read_records(store.log_lines()))


def test_a_record_taken_out_or_put_in_is_found(shell: Shell) -> None:
    for number in ("600100201", "600100202", "600100203"):
        shell.run("add", "Default", number)
    log = shell.directory / "changes.log"
    lines = log.read_bytes().splitlines(keepends=True)
    for altered, problem in (
        (lines[:1] + lines[2:], "record 2: expected serial 2, found 3"),
        (lines[:2] + lines[1:], "record 3: expected serial 3, found 2"),
        (lines[:3], "expected 4 records, found 3: those from 4 on are missing"),
        ([], "expected 4 records, found 0: those from 1 on are missing"),
        (
            [*lines[:3], lines[3].replace(b"600100203", b"600100204")],
            "record 4: expected the hash that changes.head has",
        ),
    ):
        log.write_bytes(b"".join(altered))
        assert problem in shell.run("log", "verify", code=1).output


def test_no_list_is_changed_while_records_are_missing(shell: Shell) -> None:
    (shell.directory / "changes.log").write_text("")
    output = shell.run("add", "Default", "600100201", code=5).output
    assert "records are missing. No list is changed until the log is put back" in output
    (shell.directory / "changes.head").unlink()
    shell.run("add", "Default", "600100201")
    assert len(records(shell)) == 1


def test_an_altered_batch_is_found(shell: Shell) -> None:
    batch = imported(shell, "600100201\n")
    file = shell.directory / "batches" / f"{batch}.after.csv"
    file.write_text(file.read_text().replace("201", "202"))
    problem = f"batch {batch}: {file}: expected the SHA-256"
    assert problem in shell.run("log", "verify", code=1).output
    assert problem in shell.run("undo", batch, code=5).output
    file.unlink()
    assert "No such file" in shell.run("log", "verify", code=5).output


def test_undo_takes_exactly_the_batch_back(shell: Shell) -> None:
    shell.run("add", "Default", "600100201", "--date", "2026-01-02", "--expires", "2099-01-01")
    shell.run("add", "Default", "+48700*", "--description", "a, b")
    store = CsvStore(shell.directory)
    file = shell.directory / "lists" / "Default.csv"
    before = file.read_bytes()
    batch = imported(
        shell,
        "number,date,description\n600100200,,second\n600100201,,x\n+48700*,,c\n600100202,,\n700,,\n",
        "--short",
    )
    assert file.read_bytes() != before
    output = shell.run("undo", batch, "--reason", "wrong file").output
    assert output.startswith("Default: 2 removed, 3 put back, 0 changed since and left (generation")
    assert file.read_bytes() == before
    assert by_the_log(store) == in_the_lists(store)
    again = output.splitlines()[-1].removeprefix("batch: ")
    shell.run("undo", again)  # and the undo is taken back
    assert "+48600100202" in in_the_lists(store)["Default"]
    assert by_the_log(store) == in_the_lists(store)


def test_undo_leaves_what_others_changed_since(shell: Shell) -> None:
    batch = imported(
        shell,
        "number,description\n600100200,second\n600100201,\n600100202,\n600100203,\n",
        "--replace",
    )
    shell.run("add", "Default", "600100201", "--description", "mine")
    shell.run("remove", "Default", "600100202")
    shell.run("remove", "Default", "600100200")
    output = shell.run("undo", batch, code=3).output
    assert output.splitlines()[:4] == [
        "Default: 1 removed, 0 put back, 3 changed since and left (generation 5, 1 entry)",
        "  left: +48600100200",
        "  left: +48600100201",
        "  left: +48600100202",
    ]
    assert set(in_the_lists(CsvStore(shell.directory))["Default"]) == {"+48600100201"}
    output = shell.run("undo", batch, code=3).output
    assert output.startswith("Default: 0 removed, 0 put back, 4 changed since")


def test_undo_of_a_replaced_list_and_of_a_removed_one(shell: Shell) -> None:
    store = CsvStore(shell.directory)
    shell.run("add", "Default", "600100201")
    shell.write(
        "lists/Default.csv", (shell.directory / "lists/Default.csv").read_text() + "what?,,,\n"
    )
    before = in_the_lists(store)
    batch = imported(shell, "600100201\n600100300\n", "--replace")
    assert set(in_the_lists(store)["Default"]) == {"+48600100201", "+48600100300"}
    shell.run("undo", batch)
    assert in_the_lists(store) == before
    assert "what?" in (shell.directory / "lists/Default.csv").read_text()

    shell.run("list", "create", "Other")
    shell.run("add", "Other", "600100400")
    before = in_the_lists(store)
    shell.run("list", "remove", "Other")
    removal = records(shell)[-1]["batch"]
    assert isinstance(removal, dict)
    shell.run("undo", removal["id"])
    assert in_the_lists(store) == before == by_the_log(store)


@pytest.mark.parametrize("region", ["PL", "DE"])
def test_undo_of_a_removed_list_reads_rows_written_by_hand(shell: Shell, region: str) -> None:
    rows = ["600100200,,by hand", "600 100 200,,again", "22 123 45 67,,", "+48600100201,,"]
    shell.run("list", "create", "Other", "--region", region)
    shell.write("lists/Other.csv", "\n".join(["number,date,description", *rows, ""]))
    before = in_the_lists(CsvStore(shell.directory))["Other"]
    shell.run("list", "remove", "Other")
    removal = records(shell)[-1]["batch"]
    assert isinstance(removal, dict)
    output = shell.run("undo", removal["id"]).output
    after = in_the_lists(CsvStore(shell.directory))["Other"]
    assert after.keys() == before.keys()
    assert len(after) == 3
    assert "3 put back" in output, output


def test_undo_of_an_unknown_batch(shell: Shell) -> None:
    assert "there is none of that name" in shell.run("undo", "20260101-000000-0000", code=2).output
    assert "there is none" in shell.run("undo", "../../etc/passwd", code=2).output


def test_evidence_has_all_that_happened_to_a_number(shell: Shell) -> None:
    shell.run("add", "Default", "+48600*", "--description", "all of 600")
    imported(shell, "number,description\n600100200,second\n600100201,\n", "--reason", "May")
    shell.run("remove", "Default", "600100200", "--reason", "mistake")
    shell.run("add", "Default", "600100201", "--description", "another number")
    output = shell.run("evidence", "600 100 200").output
    lines = output.splitlines()
    assert [line.split(" ", 3)[3] for line in lines[:4]] == [
        f"{ME} Default add +48600100200: nothing -> [2026-01-02, first]",
        f"{ME} callsieve add Default add +48600*: nothing -> [{datetime.date.today()}, all of 600]",
        f"{ME} callsieve import Default import +48600100200: [2026-01-02, first]"
        " -> [2026-01-02, second] (May)",
        f"{ME} callsieve remove Default remove +48600100200: [2026-01-02, second]"
        " -> nothing (mistake)",
    ]
    assert lines[4:] == ["Edits of the files by hand are not in the log."]
    shown = json.loads(shell.run("evidence", "600100200", "--json").output)
    assert [event["number"] for event in shown["events"]][1] == "+48600*"
    assert shown["not_in_the_log"] == []


def test_evidence_says_where_the_log_does_not_explain_the_list(shell: Shell) -> None:
    shell.write(
        "lists/Default.csv",
        "number,date,description,expires\n600100200,2026-01-02,another note,\n600100201,,,\n",
    )
    output = shell.run("evidence", "600100200").output
    assert (
        "Default: the log ends with [2026-01-02, first], and the list has"
        " [2026-01-02, another note]: edited by hand, or before there was a log\n"
    ) in output
    assert "nothing, and the list has [no date]" in shell.run("evidence", "600100201").output
    assert "nothing happened to it" in shell.run("evidence", "600100202", code=1).output


def test_a_log_that_cannot_be_written_stops_the_change(shell: Shell) -> None:
    (shell.directory / "changes.log").unlink()
    (shell.directory / "changes.head").unlink()
    (shell.directory / "changes.log").mkdir()
    store = CsvStore(shell.directory)
    before = in_the_lists(store)
    with pytest.raises(StoreError, match=r"changes\.log: Is a directory"):
        store.add("Default", Entry("+48600100201"), "PL")
    assert in_the_lists(store) == before
    output = shell.run("reload", code=2).output  # and what the lists have is still published
    assert "changes.log: Is a directory" in output
    assert shell.published().match("+48600100200")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change for another user")
def test_what_root_makes_in_the_store_of_another_user_is_that_users(tmp_path: Path) -> None:
    directory = tmp_path / "store"
    CsvStore(directory, create=True)
    for path in (directory, *directory.rglob("*")):
        os.chown(path, 4321, 4321)
    shell = Shell(directory)
    shell.run("list", "create", "New")
    shell.run("add", "New", "+48600100200")
    imported(shell, "+48600100201\n")
    written = ["changes.log", "lists/New.csv", "lists/Default.csv", "batches"]
    assert [(directory / name).stat().st_uid for name in written] == [4321] * len(written)


def test_batches_of_one_second_have_different_names() -> None:
    assert len({new_batch_id() for _ in range(2000)}) == 2000
