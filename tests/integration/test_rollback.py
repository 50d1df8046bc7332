"""`callsieve rollback` beside a running service, and on all nodes of a Redis store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from loader.store import Entry, open_store
from lookup_core import Catalog
from tests.support.nodes import NodeProcess, three_nodes
from tests.support.redis_servers import RedisServer, one_server, until
from tests.support.service import run, running

SAMPLE = Path(__file__).parent.parent.parent / "callsieve" / "sample_store"
GOOD, BAD = "+48600100200", "+48600100201"


def test_a_restart_of_the_service_does_not_undo_it(tmp_path: Path) -> None:
    store = Path(shutil.copytree(SAMPLE, tmp_path / "store"))
    assert run("reload", store=store).returncode == 0
    assert run("add", "Default", BAD, store=store).returncode == 0
    assert run("rollback", "Default", "--reason", "harm", store=store).returncode == 0

    def found() -> Any:
        return Catalog(store / "snapshots").current().lists["Default"]

    rolled_back = found()
    assert BAD not in rolled_back.snapshot
    with running(store) as service:
        assert found().generation == rolled_back.generation
        assert "rolled back by" in service.command("status").stdout
        # An edit by hand is of the rows that somebody now wants to have published.
        with (store / "lists" / "Default.csv").open("a") as file:
            file.write("+48600100299\n")
        until(lambda: "+48600100299" in found().snapshot)
        assert BAD in found().snapshot


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    monkeypatch.setenv("CALLSIEVE_NODE_DIRECTORY", str(tmp_path / "here"))
    with one_server(tmp_path / "redis") as server:
        assert run("store", "create", server.url(), "--region", "none").returncode == 0
        open_store(server.url()).add("Default", Entry(GOOD), None)
        yield server


def roll_back(node: NodeProcess, *options: str) -> CompletedProcess[str]:
    return run("rollback", "Default", "--json", *options, store=node.url, **node.environment)


def imported(server: RedisServer, tmp_path: Path, *numbers: str) -> None:
    (tmp_path / "bad.csv").write_text("\n".join(("number", *numbers)))
    done = run("import", "Default", str(tmp_path / "bad.csv"), store=server.url())
    assert done.returncode == 0, done.stderr


def log(server: RedisServer) -> list[dict[str, Any]]:
    assert run("log", "verify", store=server.url()).returncode == 0
    return list(json.loads(run("log", "show", "--json", store=server.url()).stdout))


def test_one_node_rolls_back_for_all(server: RedisServer, tmp_path: Path) -> None:
    with three_nodes([server.url()] * 3, tmp_path) as nodes:
        imported(server, tmp_path, BAD, "+48600100202")
        until(lambda: all(BAD in (node.numbers() or ()) for node in nodes))
        done = roll_back(nodes[1], "--reason", "it blocks customers")
        answer = json.loads(done.stdout)
        assert (done.returncode, answer["all_nodes"], answer["removed"]) == (0, True, 2)
        until(lambda: all(node.numbers() == {GOOD} for node in nodes))
        record = log(server)[-1]
        assert (record["what"], record["reason"]) == ("rollback", "it blocks customers")
        assert record["batch"]["undoes"] == answer["undone"]
        # Again: back to where it was.
        assert roll_back(nodes[2]).returncode == 0
        until(lambda: all(node.numbers() == {GOOD, BAD, "+48600100202"} for node in nodes))


def test_single_changes_are_taken_back_too(server: RedisServer, tmp_path: Path) -> None:
    store = open_store(server.url())
    node = NodeProcess(server.url(), tmp_path, "node")
    for change in (
        lambda: store.add("Default", Entry(BAD), None),
        lambda: store.remove("Default", BAD, None),
        lambda: store.add("Default", Entry(GOOD, description="asked"), None),
    ):
        before = list(store.entries("Default", None))
        change()
        run("reload", store=node.url, **node.environment)
        after = list(store.entries("Default", None))
        assert after != before
        assert roll_back(node).returncode == 0
        assert list(store.entries("Default", None)) == before
        assert roll_back(node).returncode == 0
        assert list(store.entries("Default", None)) == after
    run("list", "create", "New", store=node.url, **node.environment)
    done = run("rollback", "New", store=node.url, **node.environment)
    assert (done.returncode, done.stdout) == (1, "New: there is nothing before this\n")


def test_this_node_alone_needs_no_redis(server: RedisServer, tmp_path: Path) -> None:
    with three_nodes([server.url()] * 3, tmp_path) as nodes:
        until(lambda: all(node.numbers() == {GOOD} for node in nodes))
        imported(server, tmp_path, BAD)
        until(lambda: all(node.numbers() == {GOOD, BAD} for node in nodes))
        done = roll_back(nodes[0], "--this-node", "--reason", "only here")
        assert json.loads(done.stdout)["all_nodes"] is False
        assert nodes[0].numbers() == {GOOD}
        assert [node.numbers() for node in nodes[1:]] == [{GOOD, BAD}] * 2
        record = log(server)[-1]
        assert (record["what"], record["reason"]) == ("rollback", "only here")
        assert "batch" not in record
        done = run("status", store=nodes[0].url, **nodes[0].environment)
        assert done.returncode == 1
        assert "warning: Default: rolled back on this node only" in done.stderr
        done = run("reload", "Default", store=nodes[0].url, **nodes[0].environment)
        assert nodes[0].numbers() == {GOOD, BAD}
        assert run("status", store=nodes[0].url, **nodes[0].environment).returncode == 0

        server.kill()
        done = roll_back(nodes[1])
        assert (done.returncode, done.stdout) == (5, "")
        assert "callsieve rollback --this-node 'Default'" in done.stderr
        assert nodes[1].numbers() == {GOOD, BAD}
        done = roll_back(nodes[1], "--this-node")
        assert done.returncode == 0, done.stderr
        assert "warning: the rollback was made, and is not in the change log: " in done.stderr
        assert nodes[1].numbers() == {GOOD}
