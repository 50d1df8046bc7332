"""Every change of the rules is in the change log, with both texts, and can be taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loader.change_log import read_records
from loader.store import Store, open_store, rules_version
from tests.conftest import NewStore
from tests.support.service import run

FIRST = 'default_region = "PL"\n\n[[forwarding]]\nlist = "Default"\naction = "hangup"\n'
QUEUE = '\n[queue."Infoline"]\ncallback_lists = ["Default"]\n'
WIDGET = '\n[widget."Home page"]\ncallback_lists = ["Default"]\n'


@pytest.fixture
def url(new_store: NewStore) -> str:
    url = new_store()
    assert run("store", "create", url, "--region", "PL").returncode == 0
    assert run("reload", store=url).returncode == 0
    return url


def put(url: str, directory: Path, text: str, reason: str = "") -> None:
    file = directory / "rules.toml"
    assert run("rules", "get", str(file), store=url).returncode == 0
    file.write_text(file.read_text().partition("\n")[0] + "\n" + text)
    done = run("rules", "put", str(file), "--reason", reason, store=url)
    assert done.returncode == 0, done.stderr


def log(url: str) -> list[dict[str, Any]]:
    return list(json.loads(run("rules", "log", "--json", store=url).stdout))


def texts(store: Store) -> list[tuple[str, str]]:
    """Before and after, of every change."""
    return [
        (store.kept_rules(change.before), store.kept_rules(change.after))
        for record in read_records(store.log_lines())
        if (change := record.change.rules)
    ]


def test_a_change_is_kept_with_both_texts_and_its_reason(url: str, tmp_path: Path) -> None:
    begun = open_store(url).rules_text()
    put(url, tmp_path, FIRST, "the manager asked")
    put(url, tmp_path, FIRST + QUEUE)
    first, second = log(url)
    assert (first["what"], first["reason"], first["command"]) == (
        *("rules", "the manager asked"),
        "callsieve rules put",
    )
    assert "@" in first["who"]
    assert second["serial"] == first["serial"] + 1
    assert texts(open_store(url)) == [(begun, FIRST), (FIRST, FIRST + QUEUE)]
    shown = run("log", "show", store=url).stdout
    assert "callsieve rules put rules: version " in shown
    assert "(the manager asked)" in shown
    assert run("log", "verify", store=url).returncode == 0
    kept = run("rules", "get", "--version", first["rules"]["after"][:12], store=url).stdout
    assert kept == FIRST
    assert run("rules", "get", "--version", "000000000000", store=url).returncode == 2


def test_a_rollback_takes_the_last_change_back_and_another_this_one(
    url: str, tmp_path: Path
) -> None:
    assert run("rules", "rollback", store=url).returncode == 1
    put(url, tmp_path, FIRST)
    put(url, tmp_path, FIRST + QUEUE)
    done = run("rules", "rollback", "--reason", "wrong one", store=url)
    assert done.returncode == 0, done.stderr
    assert open_store(url).rules_text() == FIRST
    assert run("rules", "get", "--in-force", store=url).stdout == FIRST
    assert [one["what"] for one in log(url)] == ["rules", "rules", "rules rollback"]
    assert run("rules", "rollback", store=url).returncode == 0
    assert open_store(url).rules_text() == FIRST + QUEUE
    assert run("log", "verify", store=url).returncode == 0


def test_an_undo_leaves_what_came_after(url: str, tmp_path: Path) -> None:
    put(url, tmp_path, FIRST)
    busy = FIRST.replace("action", 'cause = "USER_BUSY"\naction')
    put(url, tmp_path, busy)
    put(url, tmp_path, busy + QUEUE + WIDGET)
    _, second, third = log(url)
    last = '[widget."Home page"]\ncallback_lists = ["Default"]\n'
    put(url, tmp_path, open_store(url).rules_text().replace(last, last + 'status = "No"\n'))
    done = run("rules", "undo", str(third["serial"]), store=url)
    assert done.returncode == 2
    assert "the same lines were changed since" in done.stderr
    put(url, tmp_path, "# ours\n" + open_store(url).rules_text())
    done = run("rules", "undo", str(second["serial"]), store=url)
    assert "cause" not in open_store(url).rules_text(), done.stderr
    assert open_store(url).rules_text().startswith("# ours\n" + FIRST)
    assert 'status = "No"' in open_store(url).rules_text()
    assert run("rules", "undo", "10000", store=url).returncode == 2


def test_an_altered_text_is_found(new_csv_store: NewStore, tmp_path: Path) -> None:
    url = new_csv_store()
    assert run("store", "create", url, "--region", "PL").returncode == 0
    assert run("reload", store=url).returncode == 0
    put(url, tmp_path, FIRST)
    [change] = log(url)
    kept = Path(url.removeprefix("csv:")) / "batches" / f"{change['rules']['after']}.toml"
    kept.write_text(FIRST + QUEUE)
    done = run("log", "verify", store=url)
    assert done.returncode == 1
    assert "the file was altered" in done.stderr


def test_an_edit_by_hand_is_logged_when_it_is_found(
    new_csv_store: NewStore, tmp_path: Path
) -> None:
    url = new_csv_store()
    assert run("store", "create", url, "--region", "PL").returncode == 0
    assert run("reload", store=url).returncode == 0
    rules = Path(url.removeprefix("csv:")) / "callsieve.toml"
    rules.write_text(FIRST)
    assert run("reload", store=url).returncode == 0
    assert run("reload", store=url).returncode == 0
    rules.write_text(FIRST + QUEUE)
    put(url, tmp_path, FIRST + QUEUE + WIDGET)
    assert [one["what"] for one in log(url)] == [
        *("rules edited by hand", "rules edited by hand", "rules"),
    ]
    *_, hand, command = texts(open_store(url))
    assert hand == (FIRST, FIRST + QUEUE)
    assert command == (FIRST + QUEUE, FIRST + QUEUE + WIDGET)
    assert run("evidence", "+48600100200", store=url).returncode == 1
    assert run("rules", "rollback", store=url).returncode == 0
    assert rules.read_text() == FIRST + QUEUE


def test_a_killed_put_is_made_by_whoever_comes_next(new_csv_store: NewStore) -> None:
    url = new_csv_store()
    assert run("store", "create", url, "--region", "PL").returncode == 0
    directory = Path(url.removeprefix("csv:"))
    before = (directory / "callsieve.toml").read_text()
    store = open_store(url)
    store.put_rules(FIRST, rules_version(before))
    # As if it had died between the record and the change.
    (directory / "callsieve.toml").write_text(before)
    (directory / ".callsieve.toml.new").write_text(FIRST)
    (directory / "changes.head").unlink()
    assert open_store(url).rules_text() == FIRST


@pytest.mark.parametrize("last", ["99999999999999999999", "0", "-1"])
def test_a_number_of_records_that_cannot_be_is_one_sentence(url: str, last: str) -> None:
    done = run("log", "show", "--last", last, store=url)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "is not in the range" in done.stderr
