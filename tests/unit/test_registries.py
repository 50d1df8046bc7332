"""National registries as lists: their files, changes, and the age past which they do not count."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.csv_store import CsvStore
from loader.list_keys import ListKeys, list_keys
from loader.numbers import read_number
from loader.registry_file import RegistryFile
from loader.store import Entry
from tests.support.killing import killed_before
from tests.support.registry_files import numbers, registry
from tests.support.shell import Shell, polish_shell

TODAY = datetime.date.today()
NOW = datetime.datetime.now(datetime.UTC)
OUTBOUND = ["decide", "--flow", "outbound", "--campaign", "Spring", "--caller", "1000"]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return polish_shell(tmp_path)


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
@pytest.mark.parametrize("file_format", ["ftc", "crtc"])
def test_a_registry_of_area_codes_is_a_list(shell: Shell, file_format: str, end: str) -> None:
    file = registry(shell, "dnc.txt", "201,5550123\n416,1234567\n201,5550124" + end)
    output = shell.run("list", "attach", "US", "--format", file_format, file).output
    assert output == f"US: attached, as of {TODAY} (generation 1, 3 entries)\n"
    published = shell.published("US")
    assert set(published.snapshot) == {"+12015550123", "+14161234567", "+12015550124"}
    assert numbers(shell) == ["+12015550123", "+14161234567", "+12015550124"]
    assert json.loads(shell.run("find", "+12015550124", "--json").output)["listed"]
    shell.run("find", "+12015550125", code=1)
    size = sum(path.stat().st_size for path in (shell.directory / "lists").glob("US*"))
    assert size < 1000, "the rows are not copied"


def test_numbers_one_a_line(shell: Shell) -> None:
    file = registry(shell, "tps.csv", "number,since\n600100200,2026\n+441632960001\n500\n")
    output = shell.run("list", "attach", "TPS", "--format", "numbers", file, code=3).output
    assert "line 4: '500': expected a full number, found an extension" in output
    assert numbers(shell, "TPS") == ["+48600100200", "+441632960001"]


def test_rows_that_cannot_be_read_are_told(shell: Shell) -> None:
    file = registry(
        shell,
        "dnc.txt",
        "201,5550123\n101,5550123\n201,555012\n\n201;5550123\n416,1234567\n202,5550123\n",
    )
    output = shell.run("list", "attach", "US", "--format", "ftc", file, code=3).output
    assert "(generation 1, 3 entries, 3 rows not read)" in output
    assert "line 3: '201,555012': expected 3 digits of area code from 2 on" in output


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected rows of numbers, found none"),
        ("+12015550123\n+12015550124\n", "line 1: expected a file of the format ftc, found"),
    ],
)
def test_a_file_of_another_format_is_refused(shell: Shell, text: str, problem: str) -> None:
    file = registry(shell, "dnc.txt", text)
    assert problem in shell.run("list", "attach", "US", "--format", "ftc", file, code=2).output
    assert CsvStore(shell.directory).list_names() == ("Default",)


def test_the_day_comes_from_the_name_the_option_or_the_file(shell: Shell) -> None:
    file = registry(shell, "us-2026-01-02.txt", "201,5550123\n")
    attach = ["list", "attach", "US", "--format", "ftc", file]
    assert "as of 2026-01-02" in shell.run(*attach).output
    assert "as of 2026-01-03" in shell.run(*attach, "--as-of", "2026-01-03").output
    assert (
        "expected a day that has come" in shell.run(*attach, "--as-of", "2999-01-01", code=2).output
    )
    other = registry(shell, "us.txt", "201,5550123\n")
    os.utime(other, (0, 86400 * 366))
    output = shell.run("list", "attach", "US", "--format", "ftc", other).output
    assert "as of 1971-01-02" in output


def test_change_files_are_applied_in_order(shell: Shell) -> None:
    file = registry(shell, "us-2026-01-01.txt", "201,5550123\n201,5550124\n202,5550125\n")
    shell.run("list", "attach", "US", "--format", "ftc", file)
    first = registry(
        shell,
        "c-2026-01-01-2026-01-08.txt",
        "201,5550123,2026-01-05,D\n201,5550199,2026-01-06,A\n",
    )
    second = registry(
        shell, "c-2026-01-08-2026-01-15.txt", "201,5550123,A\n201,5550199,d\n202,5550125,d\n"
    )
    output = shell.run("list", "update", "US", second, code=2).output
    assert "changes since 2026-01-08: expected changes since 2026-01-01" in output
    assert "a change file is missing between" in output
    output = shell.run("list", "update", "US", first).output
    assert output.splitlines()[0] == (
        "US: 1 added, 1 deleted, 0 rejected, as of 2026-01-08 (generation 2, 3 entries)"
    )
    assert sorted(numbers(shell)) == ["+12015550124", "+12015550199", "+12025550125"]
    assert set(shell.published("US").snapshot) == set(numbers(shell))
    shell.run("find", "+12015550123", code=1)
    shell.run("find", "+12015550199")
    output = shell.run("list", "update", "US", first, code=2).output
    assert "they are in it already" in output
    Path(first).unlink()  # the store has a copy
    shell.run("list", "update", "US", second)
    assert sorted(numbers(shell)) == ["+12015550123", "+12015550124"]
    assert set(shell.published("US").snapshot) == set(numbers(shell))
    overlapping = ["--since", "2026-01-10", "--as-of", "2026-01-20"]
    assert "they overlap" in shell.run("list", "update", "US", second, *overlapping, code=2).output


def test_a_change_file_that_says_nothing_is_refused(shell: Shell) -> None:
    file = registry(shell, "us-2026-01-01.txt", "201,5550123\n")
    shell.run("list", "attach", "US", "--format", "ftc", file)
    bad = registry(shell, "c-2026-01-01-2026-01-02.txt", "201,5550123\n")
    assert (
        "found a full one: '201,5550123'" in shell.run("list", "update", "US", bad, code=2).output
    )
    unnamed = registry(shell, "c.txt", "201,5550123,A\n")
    assert (
        "expected --since and --as-of" in shell.run("list", "update", "US", unnamed, code=2).output
    )
    shell.run("list", "create", "Own")
    output = shell.run("list", "update", "Own", bad, code=2).output
    assert "it is not attached to a registry's file" in output


def test_an_attached_list_is_only_read(shell: Shell, tmp_path: Path) -> None:
    file = registry(shell, "us.txt", "201,5550123\n")
    shell.run("list", "attach", "US", "--format", "ftc", file)
    before = Path(file).read_bytes()
    rows = tmp_path / "rows.csv"
    rows.write_text("+12015550199\n")
    for command in (["add", "US", "+12015550199"], ["remove", "US", "+12015550123"]):
        output = shell.run(*command, code=2).output
        assert f"it is attached to {file}, which is only read" in output
    assert "only read" in shell.run("import", "US", str(rows), code=2).output
    assert Path(file).read_bytes() == before
    assert "found a list with rows of its own" in (
        shell.run("list", "attach", "Default", "--format", "ftc", file, code=2).output
    )
    shell.run("list", "create", "US", code=1)
    shell.run("list", "remove", "US")
    assert CsvStore(shell.directory).list_names() == ("Default",)
    assert Path(file).read_bytes() == before


def test_a_file_that_was_changed_or_is_gone_keeps_what_was_published(shell: Shell) -> None:
    file = registry(shell, "us.txt", "201,5550123\n")
    shell.run("list", "attach", "US", "--format", "ftc", file)
    registry(shell, "us.txt", "201,5550199\n201,5550198\n")
    output = shell.run("reload", code=2).output
    assert "expected the file that was attached, found a newer one" in output
    Path(file).unlink()
    assert "us.txt: No such file or directory" in shell.run("reload", code=2).output
    assert shell.published("US").match("+12015550123")


def attach_of(shell: Shell, as_of: datetime.date, *options: str) -> str:
    file = registry(shell, "us.txt", "201,5550123\n")
    command = ["list", "attach", "US", "--format", "ftc", file, "--as-of", as_of.isoformat()]
    return shell.run(*command, *options).output


@pytest.mark.parametrize("age", [0, 31, 32, 400])
def test_past_its_maximum_age_a_list_is_unavailable(shell: Shell, age: int) -> None:
    attach_of(shell, TODAY - datetime.timedelta(days=age))
    shell.write("callsieve.toml", '[campaign.Spring]\nlists = ["US"]\n')
    shell.run("reload")
    for number, listed in (("+12015550123", True), ("+12015550199", False)):
        decision = json.loads(shell.run(*OUTBOUND, "--called", number, "--json").output)
        if age <= 31:
            assert decision["action"] == ("skip" if listed else "continue")
            assert decision["status"] == ("Blacklist" if listed else None)
        else:
            assert (decision["action"], decision["status"]) == ("skip", "Screening unavailable")
            assert "past their maximum age" in decision["reason"]
    assert ("past their maximum age" in shell.run("list", "ls").output) == (age > 31)
    status = shell.run("status", "--json", code=int(age > 31)).output
    rows = {row["list"]: row for row in json.loads(status.partition("warning: ")[0])["lists"]}
    assert ("past their maximum age" in (rows["US"]["problem"] or "")) == (age > 31)
    assert rows["US"]["as_of"] == (TODAY - datetime.timedelta(days=age)).isoformat()


def test_the_maximum_age_can_be_set(shell: Shell) -> None:
    output = attach_of(shell, TODAY - datetime.timedelta(days=8), "--max-age", "7")
    assert "past their maximum age: it is unavailable" in output
    assert "past their maximum age" in shell.run("list", "ls").output
    attach_of(shell, TODAY - datetime.timedelta(days=8), "--max-age", "8")
    assert "past their maximum age" not in shell.run("list", "ls").output


def test_the_log_has_the_files(shell: Shell) -> None:
    file = registry(shell, "us-2026-01-01.txt", "201,5550123\n")
    change = registry(shell, "c-2026-01-01-2026-01-08.txt", "201,5550199,A\n")
    shell.run("list", "attach", "US", "--format", "ftc", file, "--reason", "monthly")
    shell.run("list", "update", "US", change)
    shell.run("list", "remove", "US")
    records = json.loads(shell.run("log", "show", "--json").output)
    assert [record["what"] for record in records] == ["attach", "apply changes", "detach"]
    for record, source in zip(records, (file, change), strict=False):
        sha256 = hashlib.sha256(Path(source).read_bytes()).hexdigest()
        assert record["batch"]["source_sha256"] == sha256
    shell.run("log", "verify")


def test_evidence_names_the_registry(shell: Shell) -> None:
    attach_of(shell, TODAY)
    output = shell.run("evidence", "+12015550123").output
    assert (
        f"US: it is in the registry's file {shell.directory.parent}/us.txt as of {TODAY}" in output
    )
    assert "edited by hand" not in output
    shell.run("evidence", "+12015550199", code=1)


ROWS = st.sampled_from(
    [
        "201,5550123",
        "201,5550124\r",
        "999,9999999",
        "101,5550123",
        "201,555012",
        "201,55501234",
        "2015550123",
        " 201,5550123",
        "201, 5550123",
        '"201","5550123"',
        "201,5550123,x",
        "201,555012x",
        "",
        "٢٠١,5550123",
        "+48600100200",
        "600 100 200",
        "112",
        "*30",
        "+48700*",
        "+999123456789",
        "anonymous",
        "2026-01-01",
    ]
)


@settings(deadline=None)
@given(st.lists(ROWS, max_size=8), st.sampled_from(["ftc", "numbers", "tps"]), st.booleans())
def test_both_ways_of_reading_agree(rows: list[str], file_format: str, ended: bool) -> None:
    with tempfile.NamedTemporaryFile("w", newline="") as out:
        out.write("\n".join(rows) + "\n" * ended)
        out.flush()
        file = RegistryFile(Path(out.name), file_format, "PL")
        fast = ListKeys(NOW)
        file.collect(fast)
        entries = list(file.entries())
        slow = list_keys(entries, NOW)
        assert sorted(fast.keys) == sorted(slow.keys)
        assert (fast.rejects, fast.named_rejects) == (slow.rejects, slow.named_rejects)
        for entry in entries:
            if isinstance(entry, Entry):
                assert read_number(entry.number, None).tier in ("valid", "possible")
                assert file.has(entry.number)
        for other in ("+12345678901", "+999123456789", "112", "+48700*", "anonymous"):
            assert not file.has(other)


@pytest.mark.parametrize("change", ["attach", "update", "detach"])
def test_killed_at_any_call_it_is_the_old_list_or_the_new_one(tmp_path: Path, change: str) -> None:
    outcomes = []
    call = 0
    while True:
        call += 1
        (tmp_path / str(call)).mkdir()
        shell = Shell(tmp_path / str(call) / "store")
        CsvStore(shell.directory, create=True)
        file = registry(shell, "us-2026-01-01.txt", "201,5550123\n")
        changes = registry(shell, "c-2026-01-01-2026-01-02.txt", "201,5550199,A\n")
        shell.run("list", "attach", "US", "--format", "ftc", file)
        command = {
            "attach": ["list", "attach", "US", "--format", "crtc", file],
            "update": ["list", "update", "US", changes],
            "detach": ["list", "remove", "US"],
        }[change]
        before = CsvStore(shell.directory).attached("US")
        if not killed_before(call, lambda shell=shell, command=command: shell.run(*command)):  # type: ignore[misc]
            after = CsvStore(shell.directory).attached("US")
            break
        store = CsvStore(shell.directory)
        found = store.attached("US")
        outcomes.append(found != before)
        shell.run("log", "verify")
        if found:
            shell.run("list", "update", "US", changes, code=2 if found.changes else 0)
            assert sorted(numbers(shell)) == ["+12015550123", "+12015550199"]
    assert after != before
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}
