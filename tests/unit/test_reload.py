"""`callsieve reload`: all is read again, and published where it is not what was published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lookup_core import Catalog, ReaderFile, View
from tests.support.shell import Shell, polish_shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = polish_shell(tmp_path)
    shell.run("reload")
    shell.run("add", "Default", "600100200")
    shell.run("add", "Default", "+48700*")
    return shell


def test_what_has_not_changed_keeps_its_generation(shell: Shell) -> None:
    before = shell.published()
    output = shell.run("reload").output
    assert output.splitlines() == [
        "Default: generation 3, 2 entries, unchanged",
        "rules: generation 1, unchanged",
    ]
    answer = json.loads(shell.run("reload", "--json").output)
    assert [one["unchanged"] for one in (*answer["lists"], answer["rules"])] == [True, True]
    assert shell.published().generation == before.generation
    assert shell.published().info == before.info
    # So the generation before is still the one before the last change.
    shell.run("rollback", "Default")
    assert set(shell.published().snapshot.prefixes) == set()
    output = shell.run("reload", "Default").output
    assert output == "Default: generation 5, 2 entries\n"


def test_a_row_that_cannot_be_read_is_told_although_no_number_has_changed(shell: Shell) -> None:
    with (shell.directory / "lists" / "Default.csv").open("a") as file:
        file.write("nonsense\n")
    output = shell.run("reload", "Default").output
    assert output.splitlines()[0] == ("Default: generation 3, 2 entries, 1 row not read, unchanged")
    [row] = json.loads(shell.run("status", "--json", code=1).output.partition("warning")[0])[
        "lists"
    ]
    assert (row["rejects"], row["generation"]) == (1, 3)


def test_an_altered_file_is_written_anew(shell: Shell) -> None:
    shell.write("lists/Default.csv", "number\n600100200\n+48700*\n600100201\n")
    shell.run("reload")
    before = shell.published()
    path = Path(before.snapshot.path)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"\xff") - 1
    data[at] ^= 1
    path.write_bytes(data)
    shell.run("verify", code=5)
    output = shell.run("reload").output
    assert output.splitlines()[0] == f"Default: generation {before.generation + 1}, 3 entries"
    shell.run("verify")


def test_while_a_process_cannot_use_what_there_is_all_is_written_anew(shell: Shell) -> None:
    catalog = Catalog(shell.directory / "snapshots")
    problems = ("list 'Default': generation 3: altered",)
    file = ReaderFile(catalog)
    try:
        file.write(View(catalog.current().sequence, {}, {}, problems))
        assert shell.run("reload").output.splitlines()[0] == "Default: generation 4, 2 entries"
        file.write(View(catalog.current().sequence, {}, {}))
        assert "generation 4, 2 entries, unchanged" in shell.run("reload").output
    finally:
        file.close()


def test_a_list_that_is_not_there_is_named_once(shell: Shell) -> None:
    output = shell.run("reload", "Nope", code=2).output
    assert output == "error: list 'Nope': expected one of Default\n"
