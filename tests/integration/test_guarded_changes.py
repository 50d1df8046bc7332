"""Changes that take away more than somebody meant, and readings that differ, on every store."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import phonenumbers
import pytest

from loader.reading_version import reading_version
from loader.redis_follow import NodeReport, put_node_report
from loader.redis_store import RedisStore
from loader.store import open_store
from tests.conftest import NewStore
from tests.support.service import run
from tests.support.shell import polish_shell


@pytest.fixture
def url(new_store: NewStore) -> str:
    url = new_store()
    assert run("store", "create", url, "--region", "PL").returncode == 0
    return url


def numbers(url: str) -> list[str]:
    found = json.loads(run("list", "show", "--json", store=url).stdout)
    return sorted(one["number"] for one in found["entries"])


def test_a_replacing_file_that_was_cut_off_is_refused(url: str, tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    listed = [f"+486001002{at:02}" for at in range(20)]
    file.write_text("number\n" + "\n".join(listed) + "\n")
    assert run("import", "Default", str(file), store=url).returncode == 0
    file.write_text(f"number\n{listed[0]}\n{listed[0]}\n")
    done = run("import", "Default", str(file), "--replace", store=url)
    assert done.returncode == 2
    assert (
        "expected most of the 20 entries, found 19 of them gone; nothing was changed" in done.stderr
    )
    assert numbers(url) == listed
    file.write_text("number\n" + "\n".join(listed[:10]) + "\n")
    assert run("import", "Default", str(file), "--replace", store=url).returncode == 0
    file.write_text(f"number\n{listed[0]}\n")
    done = run("import", "Default", str(file), "--replace", "--accept", store=url)
    assert done.returncode == 0, done.stderr
    assert numbers(url) == listed[:1]


def test_what_is_for_ever_does_not_end_unless_that_is_meant(url: str) -> None:
    add = ("add", "Default", "+48600100200")
    ends = (*add, "--expires", "2099-12-31")
    assert run(*add, store=url).returncode == 0
    done = run(*ends, store=url)
    assert done.returncode == 2
    assert "it is on Default for ever and would end" in done.stderr
    assert (
        json.loads(run("find", "+48600100200", "--json", store=url).stdout)["entries"][0]["expires"]
        is None
    )
    assert run(*ends, "--yes-really", store=url).returncode == 0
    assert run(*ends, "--description", "the same end", store=url).returncode == 0
    done = run(*add, store=url)
    assert done.returncode == 0
    assert "it was to end 2099-12-31 23:59:59; it stays for ever" in done.stdout


def test_a_node_that_reads_numbers_otherwise_is_named(new_redis_store: NewStore) -> None:
    url = new_redis_store()
    assert run("store", "create", url, "--region", "PL").returncode == 0
    assert run("reload", store=url).returncode == 0
    store = open_store(url)
    assert isinstance(store, RedisStore)
    now = datetime.datetime.now(datetime.UTC).isoformat()
    put_node_report(store, NodeReport("pbx1", 0, now, (), reading_version()))
    put_node_report(store, NodeReport("pbx2", 0, now, (), "phonenumbers 8.13.0, renumberings none"))
    told = run("status", store=url).stderr
    assert "node pbx2 reads numbers by phonenumbers 8.13.0, renumberings none, this one by" in told
    assert "pbx1 reads" not in told
    nodes = json.loads(run("status", "--json", store=url).stdout)["store"]["nodes"]
    assert [one["reading"][:12] for one in nodes] == ["phonenumbers"] * 2


def test_lists_are_read_anew_by_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = polish_shell(tmp_path)
    shell.run("reload")
    shell.run("add", "Default", "600100200")
    before = shell.published()
    assert before.info["reading"] == reading_version()
    monkeypatch.setattr(phonenumbers, "__version__", "99.0.0")
    assert "its numbers were read by" in shell.run("status", code=1).output
    shell.run("upkeep")
    assert "phonenumbers 99.0.0" in shell.run("status").output
    assert str(shell.published().info["reading"]).startswith("phonenumbers 99.0.0, renumberings ")
    assert shell.published().generation == before.generation
    assert json.loads(shell.run("status", "--json").output)["reading"] == reading_version()
