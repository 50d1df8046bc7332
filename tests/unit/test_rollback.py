"""`callsieve rollback` in a directory: the generation before, and the store left as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.shell import Shell, polish_shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = polish_shell(tmp_path)
    shell.run("reload")
    shell.run("add", "Default", "600100200")
    shell.run("add", "Default", "600100201")
    return shell


def test_it_returns_to_the_generation_before_until_the_reload(shell: Shell) -> None:
    rows = (shell.directory / "lists" / "Default.csv").read_bytes()
    before = shell.published().generation
    output = shell.run("rollback", "Default", "--reason", "wrong one").output
    assert "rolled back" in output
    assert shell.published().generation == before + 1
    assert set(shell.published().snapshot) == {"+48600100200"}
    assert (shell.directory / "lists" / "Default.csv").read_bytes() == rows
    assert "wrong one" in shell.run("status").output
    [row] = json.loads(shell.run("status", "--json").output)["lists"]
    assert row["rolled_back"]["reason"] == "wrong one"
    assert row["entries"] == 1
    shell.run("reload", "Default")
    assert set(shell.published().snapshot) == {"+48600100200", "+48600100201"}
    assert "rolled back" not in shell.run("status").output


def test_twice_returns_to_where_it_was(shell: Shell) -> None:
    numbers = set(shell.published().snapshot)
    shell.run("rollback", "Default")
    answer = json.loads(shell.run("rollback", "Default", "--json").output)
    assert answer["entries"] == 2
    assert answer["generation"] == shell.published().generation
    assert set(shell.published().snapshot) == numbers


def test_without_a_generation_before_nothing_is_done(shell: Shell) -> None:
    shell.run("list", "create", "New")
    generation = shell.published("New").generation
    output = shell.run("rollback", "New", code=1).output
    assert output == "New: there is nothing before this\n"
    answer = json.loads(shell.run("rollback", "New", "--json", code=1).output)
    assert answer == {"list": "New", "problem": "there is nothing before this"}
    assert shell.published("New").generation == generation
    assert "found 'Nope'" in shell.run("rollback", "Nope", code=2).output


def test_a_file_that_cannot_be_opened_is_not_returned_to(shell: Shell) -> None:
    shell.write("lists/Default.csv", "number\n600100203\n")
    shell.run("reload", "Default")  # a file of its own, not a change of the one before
    now = shell.published()
    for path in (shell.directory / "snapshots").glob("*.snapshot"):
        if not path.name.endswith(f"-{now.base}.snapshot"):
            path.write_bytes(b"")
    shell.run("rollback", "Default", code=5)
    assert shell.published().generation == now.generation
    assert set(shell.published().snapshot) == set(now.snapshot)


def test_the_change_log_has_it(shell: Shell) -> None:
    shell.run("rollback", "Default", "--reason", "wrong one")
    shell.run("rollback", "Default")
    first, second = json.loads(shell.run("log", "show", "--json", "--last", "2").output)
    assert (first["what"], first["list"], first["reason"]) == ("rollback", "Default", "wrong one")
    assert first["command"] == "callsieve rollback"
    assert (second["what"], second["reason"]) == ("rollback", "")
    assert "rollback Default rollback (wrong one)" in shell.run("log", "show").output
    shell.run("log", "verify")
    # It is no change of a number: what happened to one is as it was.
    assert "rollback" not in shell.run("evidence", "600100201").output
    numbers = [entry["number"] for entry in shown(shell)]
    assert numbers == ["+48600100200", "+48600100201"]


def test_a_log_that_is_not_whole_does_not_hold_it_up(shell: Shell) -> None:
    (shell.directory / "changes.log").write_bytes(b"")
    output = shell.run("rollback", "Default").output
    assert "warning: the rollback was made, and is not in the change log: " in output
    assert set(shell.published().snapshot) == {"+48600100200"}


def shown(shell: Shell) -> list[dict[str, object]]:
    found = json.loads(shell.run("list", "show", "--json").output)
    return list(found["entries"])
