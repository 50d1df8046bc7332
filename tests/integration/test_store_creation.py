"""A new store is asked for its default region, and has its rules in force with its first change."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from loader.store import open_store
from tests.conftest import NewStore
from tests.support.service import CALLSIEVE, run, running

LEG = ("decide", "--caller", "+48600100200", "--called", "+48221234567")


def test_a_store_is_made_with_the_region_that_was_said(new_store: NewStore) -> None:
    url = new_store()
    done = run("store", "create", url)
    assert done.returncode == 2
    assert "CALLSIEVE_REGION" in done.stderr
    done = run("store", "create", url, "--region", "Poland")
    assert done.returncode == 2
    assert "expected a two-letter region code such as PL, found 'Poland'" in done.stderr
    assert run("list", "ls", store=url).returncode == 5  # none was made
    assert run("store", "create", url, "--region", "pl").returncode == 0
    assert 'default_region = "PL"\n' in open_store(url).rules_text()
    assert run("add", "Default", "600 100 200", store=url).returncode == 0
    assert run("find", "+48600100200", store=url).returncode == 0
    assert run("store", "create", url, "--region", "DE").returncode == 1
    assert 'default_region = "PL"\n' in open_store(url).rules_text()


def test_a_new_directory_is_in_force_at_once(new_csv_store: NewStore) -> None:
    url = new_csv_store()
    assert run("store", "create", url, "--region", "PL").returncode == 0
    done = run("status", store=url)
    assert (done.returncode, done.stderr) == (0, "")


def test_none_has_to_be_said_too(new_store: NewStore) -> None:
    url = new_store()
    assert run("store", "create", url, "--region", "none").returncode == 0
    done = run("add", "Default", "600 100 200", store=url)
    assert done.returncode == 2
    assert "default_region" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("add", "Default", "+48600100200"),
        ("list", "create", "VIP"),
        ("import", "Default", "FILE"),
        ("list", "attach", "Registry", "FILE", "--format", "numbers"),
    ],
)
def test_whatever_makes_a_store_needs_it(
    new_csv_store: NewStore, tmp_path: Path, command: tuple[str, ...]
) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text("+48600100200\n")
    command = tuple(str(file) if word == "FILE" else word for word in command)
    url = new_csv_store()
    done = run(*command, store=url)
    assert done.returncode == 2
    assert "say the country whose numbers are read" in done.stderr
    assert not Path(url.removeprefix("csv:")).exists()
    done = run(*command, store=url, CALLSIEVE_REGION="PL")
    assert done.returncode == 0, done.stderr
    # The rules of a new store hang up on callers of Default, and are in force.
    status = json.loads(run("status", "--json", store=url).stdout)
    assert status["rules"]["generation"] == 1
    assert status["problems"] == []
    wanted = "hangup" if command[1] == "Default" else "continue"
    assert wanted in run(*LEG, store=url).stdout


def test_a_service_makes_it_by_its_option(new_csv_store: NewStore, tmp_path: Path) -> None:
    url = new_csv_store()
    done = run("serve", "--listen", "127.0.0.1:0", store=url)
    assert done.returncode == 2
    assert "CALLSIEVE_REGION" in done.stderr
    with running(tmp_path / "service", "--region", "PL", url=url):
        assert 'default_region = "PL"\n' in open_store(url).rules_text()


def test_somebody_at_a_terminal_is_asked(new_csv_store: NewStore) -> None:
    url = new_csv_store()
    ours, theirs = pty.openpty()
    environment = os.environ | {"CALLSIEVE_STORE": url}
    environment.pop("CALLSIEVE_REGION", None)
    with subprocess.Popen(
        [*CALLSIEVE, "add", "Default", "600100200"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment,
    ) as process:
        os.close(theirs)
        asked = b""
        while b"or none: " not in asked:
            asked += os.read(ours, 1000)
        os.write(ours, b"pl\n")
        output, _ = process.communicate()
        os.close(ours)
    assert output.startswith(b"Default: added +48600100200 ")
    assert process.returncode == 0


def test_a_list_can_have_a_region_of_its_own(new_store: NewStore, tmp_path: Path) -> None:
    url = new_store()
    assert run("store", "create", url, "--region", "PL").returncode == 0
    assert run("list", "create", "Germans", "--region", "XX", store=url).returncode == 2
    assert run("list", "create", "Germans", "--region", "de", store=url).returncode == 0
    assert run("list", "create", "Germans", "--region", "DE", store=url).returncode == 1
    assert run("add", "Germans", "030 123456", store=url).returncode == 0
    found = json.loads(run("find", "+4930123456", "--json", store=url).stdout)
    assert [one["list"] for one in found["entries"]] == ["Germans"]
    file = tmp_path / "numbers.csv"
    file.write_text("number\n0171 2345678\n")
    done = run("import", "Germans", str(file), store=url)
    assert done.returncode == 0, done.stderr
    assert run("find", "+491712345678", store=url).returncode == 0
    assert run("remove", "Germans", "030/123456", store=url).returncode == 0
    rows = json.loads(run("list", "ls", "--json", store=url).stdout)
    assert [(row["list"], row["region"]) for row in rows] == [("Default", None), ("Germans", "DE")]
    done = run("status", store=url)
    assert "Germans: national numbers are read in DE" in done.stdout
    # It is kept with the list, also when that is removed and comes back.
    assert run("list", "remove", "Germans", store=url).returncode == 0
    assert "Germans" not in run("list", "ls", store=url).stdout
    [batch] = [
        one["batch"]["id"]
        for one in json.loads(run("log", "show", "--json", store=url).stdout)
        if one["what"] == "remove list"
    ]
    assert run("undo", batch, store=url).returncode == 0
    assert run("add", "Germans", "030 123457", store=url).returncode == 0
    assert run("find", "+4930123457", store=url).returncode == 0


def test_a_copy_has_the_regions(new_csv_store: NewStore, new_redis_store: NewStore) -> None:
    source, target = new_csv_store(), new_redis_store()
    assert run("store", "create", source, "--region", "PL").returncode == 0
    assert run("list", "create", "Germans", "--region", "DE", store=source).returncode == 0
    done = run("store", "copy", source, target)
    assert done.returncode == 0, done.stderr
    assert open_store(target).region_of("Germans") == "DE"
    assert 'default_region = "PL"' in open_store(target).rules_text()


def test_a_file_edited_by_hand_is_read_in_its_list_s_region(new_csv_store: NewStore) -> None:
    url = new_csv_store()
    assert run("store", "create", url, "--region", "PL").returncode == 0
    assert run("list", "create", "Germans", "--region", "DE", store=url).returncode == 0
    directory = Path(url.removeprefix("csv:"))
    with (directory / "lists" / "Germans.csv").open("a") as file:
        file.write("030 123456\n")
    assert run("reload", store=url).returncode == 0
    assert json.loads(run("find", "+4930123456", "--json", store=url).stdout)["listed"]
