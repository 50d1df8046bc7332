"""A list or the rules that an edit by hand has left empty or broken: the last good one stays."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.shell import Shell, polish_shell

NUMBERS = [f"+486001002{at:02}" for at in range(12)]
HEADER = "number,date,description,expires\n"
RULES = (
    'default_region = "PL"\n[[forwarding]]\nlist = "Default"\naction = "hangup"\n'
    '[campaign."Sale"]\nlists = ["Default"]\n[queue."Infoline"]\ncallback_lists = ["Default"]\n'
)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = polish_shell(tmp_path)
    shell.write("callsieve.toml", RULES)
    shell.write("lists/Default.csv", HEADER + "".join(f"{one},2026-05-01,,\n" for one in NUMBERS))
    shell.run("reload")
    return shell


def file_of(shell: Shell) -> Path:
    return shell.directory / "lists" / "Default.csv"


def emptied(path: Path) -> None:
    path.write_text("")


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def cut_in_half(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 5])


def made_a_workbook(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04\x14\0\x06\0\x08\0" + bytes(range(256)) * 20 + b"\n7,8\n\xff")


def deleted(path: Path) -> None:
    path.unlink()


def without_its_header(path: Path) -> None:
    path.write_text(path.read_text().removeprefix(HEADER))


def with_other_dates(path: Path) -> None:
    path.write_text(path.read_text().replace("2026-05-01", "01.05.2026"))


def made_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


LOSSES = [
    emptied,
    zeroed,
    cut_in_half,
    made_a_workbook,
    deleted,
    without_its_header,
    with_other_dates,
    made_a_pipe,
]


@pytest.mark.parametrize("name", ["lists/Default.csv", "callsieve.toml"])
def test_a_directory_in_place_of_a_file_is_named(shell: Shell, name: str) -> None:
    path = shell.directory / name
    path.unlink()
    path.mkdir()
    assert f"{name}: expected a file, found a directory" in shell.run("reload", code=2).output


def test_what_the_system_says_of_a_snapshot_is_told_without_pythons_words(shell: Shell) -> None:
    counter = shell.directory / "snapshots" / "counter"
    counter.unlink()
    counter.mkdir()
    output = shell.run("add", "Default", "600100299", code=5).output
    assert f"error: {counter}: Is a directory" in output
    assert "Errno" not in output + shell.run("reload", code=None).output


@pytest.mark.parametrize("lose", LOSSES)
def test_what_was_in_force_stays_and_everybody_says_so(
    shell: Shell, lose: Callable[[Path], None]
) -> None:
    lose(file_of(shell))
    output = shell.run("reload", code=2).output
    assert "error: list Default: " in output
    assert set(shell.published().snapshot) == set(NUMBERS)
    assert "rules: generation 1, unchanged" in output  # nothing else is held up
    assert "warning: Default: " in shell.run("status", code=1).output
    report = json.loads(shell.run("status", "--json", code=1).stdout)
    assert report["lists"][0]["held_back"]
    shell.run("upkeep", code=3 if lose is made_a_pipe else 0)  # what it says is said already
    assert set(shell.published().snapshot) == set(NUMBERS)


def test_find_says_that_it_looks_at_rows_that_are_not_in_force(shell: Shell) -> None:
    (shell.directory / "lists" / "Default.csv").write_text("")
    shell.run("reload", code=2)
    output = shell.run("find", "600100200", code=1).output
    assert "what is in force of it is not searched" in output


@pytest.mark.parametrize("lose", [one for one in LOSSES if one is not made_a_pipe])
def test_it_is_taken_when_somebody_confirms_it(shell: Shell, lose: Callable[[Path], None]) -> None:
    lose(file_of(shell))
    shell.run("reload", code=2)
    shell.run("reload", "Default", "--accept", "--reason", "begun anew")
    assert set(shell.published().snapshot) < set(NUMBERS) or lose is without_its_header
    report = json.loads(shell.run("status", "--json", code=None).stdout)
    assert report["lists"][0]["held_back"] is None
    [record] = json.loads(shell.run("log", "show", "--json").output)
    assert (record["what"], record["list"], record["reason"]) == ("accept", "Default", "begun anew")
    shell.run("reload")


def test_it_is_taken_when_the_file_is_put_right(shell: Shell) -> None:
    good = file_of(shell).read_bytes()
    emptied(file_of(shell))
    shell.run("upkeep", code=3)
    file_of(shell).write_bytes(good + b"+48600100299,,,\n")
    shell.run("upkeep")
    shell.run("status")
    assert len(set(shell.published().snapshot)) == len(NUMBERS) + 1


def test_a_few_entries_may_go_and_a_short_list_is_its_keepers(shell: Shell) -> None:
    rows = "".join(f"{one}\n" for one in NUMBERS[:6])
    file_of(shell).write_text(HEADER + rows)
    shell.run("reload")
    shell.write("lists/VIP.csv", "number\n1000\n1001\n1002\n")
    shell.run("reload")
    shell.write("lists/VIP.csv", "number\n1002\n")
    shell.run("reload")
    assert set(shell.published("VIP").snapshot) == {"1002"}
    shell.write("lists/VIP.csv", "number\n")
    assert "found none in place of 1" in shell.run("reload", code=2).output
    assert set(shell.published("VIP").snapshot) == {"1002"}


def test_entries_that_an_edit_lets_end_at_once_are_lost(shell: Shell) -> None:
    soon = "".join(f"{one},,,2001-01-01\n" for one in NUMBERS[:11])
    file_of(shell).write_text(HEADER + soon + f"{NUMBERS[11]}\n")
    assert "11 of them gone" in shell.run("reload", code=2).output


def test_a_number_that_is_added_meanwhile_counts_and_the_rest_stays(shell: Shell) -> None:
    emptied(file_of(shell))
    output = shell.run("add", "Default", "600100299").output
    assert "added +48600100299" in output
    assert "warning: Default: what was changed by hand is not in force" in output
    assert set(shell.published().snapshot) == {*NUMBERS, "+48600100299"}
    shell.run("remove", "Default", NUMBERS[0])
    assert set(shell.published().snapshot) == {*NUMBERS[1:], "+48600100299"}
    shell.run("status", code=1)


def test_a_number_that_is_added_to_an_emptied_short_list_brings_nothing_else_down(
    shell: Shell,
) -> None:
    shell.run("list", "create", "Short")
    for number in "600100201", "600100202", "600100203":
        shell.run("add", "Short", number)
    (shell.directory / "lists" / "Short.csv").write_text("")
    shell.run("reload", code=2)
    shell.run("add", "Short", "600100204")
    assert "3 of them gone" in shell.run("reload", code=2).output
    in_force = {f"+48600100{last}" for last in range(201, 205)}
    assert set(shell.published("Short").snapshot) == in_force
    shell.run("reload", "Short", "--accept")
    assert set(shell.published("Short").snapshot) == {"+48600100204"}


def test_changes_by_commands_are_meant(shell: Shell, tmp_path: Path) -> None:
    for number in NUMBERS:
        shell.run("remove", "Default", number)
    assert set(shell.published().snapshot) == set()
    shell.run("status")
    shell.run("rollback", "Default")
    shell.run("reload", "Default")
    file = tmp_path / "many.csv"
    file.write_text("number\n" + "".join(f"+4860{at:07}\n" for at in range(11_000)))
    output = shell.run("import", "Default", str(file)).output
    batch = output.partition("batch: ")[2].split()[0]
    shell.run("undo", batch)
    assert set(shell.published().snapshot) == set()
    shell.run("status")


def test_a_list_file_deleted_by_hand_is_kept_and_one_removed_by_a_command_goes(
    shell: Shell,
) -> None:
    for name in ("Old", "Removed"):
        shell.run("list", "create", name)
        shell.run("add", name, "600100200")
    shell.run("list", "remove", "Removed")
    (shell.directory / "lists" / "Old.csv").unlink()
    for reload in (("reload",), ("reload", "Old")):
        found = shell.run(*reload, code=2).output
        assert "error: list Old: expected its file, found none" in found
    assert set(shell.published("Old").snapshot) == {"+48600100200"}
    assert "Old: " in shell.run("status", code=1).output
    assert "Old: withdrawn" in shell.run("reload", "Old", "--accept").output
    assert "Old" not in shell.run("status").output


def test_a_list_that_the_rules_use_is_not_accepted_as_gone(shell: Shell) -> None:
    shell.run("list", "create", "Opt-outs")
    shell.run("add", "Opt-outs", "600100200")
    shell.write(
        "callsieve.toml", RULES.replace('lists = ["Default"]\n[q', 'lists = ["Opt-outs"]\n[q')
    )
    shell.run("reload")
    (shell.directory / "lists" / "Opt-outs.csv").unlink()
    output = shell.run("reload", "Opt-outs", "--accept", code=2).output
    assert "not accepted; the rules in force would say" in output
    assert set(shell.published("Opt-outs").snapshot) == {"+48600100200"}


def test_import_replace_is_guarded_too(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "cut off.csv"
    file.write_text(f"number\n{NUMBERS[0]}\n")
    before = file_of(shell).read_bytes()
    for options in ([], ["--dry-run"]):
        output = shell.run("import", "Default", str(file), "--replace", *options, code=2).output
        assert "expected most of the 12 entries, found 11 of them gone" in output
    assert file_of(shell).read_bytes() == before
    assert json.loads(shell.run("log", "show", "--json").output) == []
    shell.run("import", "Default", str(file), "--replace", "--accept")
    assert set(shell.published().snapshot) == {NUMBERS[0]}
    shell.run("status")


def test_a_link_is_followed_and_stays_one(shell: Shell, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.csv"
    file_of(shell).replace(elsewhere)
    file_of(shell).symlink_to(elsewhere)
    shell.run("remove", "Default", NUMBERS[0])
    shell.run("add", "Default", NUMBERS[1], "--description", "updated")
    assert file_of(shell).is_symlink()
    text = elsewhere.read_text()
    assert NUMBERS[0] not in text
    assert "updated" in text
    assert set(shell.published().snapshot) == set(NUMBERS[1:])
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected rules, found nothing"),
        (" \n", "expected rules, found nothing"),
        ('default_region = "PL"\n', "found 0"),
        (
            RULES.partition("[campaign")[0],
            "expected most of the 3 rules that are in force, found 1",
        ),
        ("[[forwarding]\n", "rules not taken"),
        (None, "No such file"),
    ],
)
def test_rules_that_have_lost_most_of_theirs_are_held_back(
    shell: Shell, text: str | None, problem: str
) -> None:
    if text is None:
        (shell.directory / "callsieve.toml").unlink()
    else:
        shell.write("callsieve.toml", text)
    assert problem in shell.run("reload", code=2).output
    assert "warning: rules: " in shell.run("status", code=1).output
    leg = ("decide", "--caller", "600100200", "--called", "1")
    assert "hangup" in shell.run(*leg).output
    # Commands go on reading numbers by the rules in force.
    assert "added +48600100299" in shell.run("add", "Default", "600100299").output
    shell.write("callsieve.toml", RULES)
    shell.run("reload")
    shell.run("status")


def test_rules_are_taken_when_somebody_confirms_it(shell: Shell) -> None:
    shell.write("callsieve.toml", 'default_region = "PL"\n')
    shell.run("reload", code=2)
    shell.run("reload", "--accept", code=2)
    shell.run("reload", "--rules", "--accept", "--reason", "no calls any more")
    shell.run("status")
    [record] = json.loads(shell.run("rules", "log", "--json").output)
    assert (record["what"], record["reason"]) == ("rules edited by hand", "no calls any more")
    assert "continue" in shell.run("decide", "--caller", "600100200", "--called", "1").output
