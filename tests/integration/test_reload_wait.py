"""`reload --wait` and `status` tell who has what was published."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from loader.store import Entry, open_store
from tests.support.nodes import three_nodes
from tests.support.patience import PATIENCE_SECONDS
from tests.support.redis_servers import one_server, until
from tests.support.service import Service, run, running

PATIENTLY = ("--wait-seconds", str(PATIENCE_SECONDS))
SAMPLE = Path(__file__).parent.parent.parent / "callsieve" / "sample_store"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE, tmp_path / "store"))


def status(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(service.command("status", "--json").stdout)
    return found


def test_workers_without_a_leg_have_it_and_one_that_hangs_is_named(store: Path) -> None:
    with running(store, "--workers", "2", "--stall", "60") as service:
        until(lambda: len(status(service)["workers"]) == 2)
        done = service.command("reload", "--wait", *PATIENTLY, "--json")
        answer = json.loads(done.stdout)
        assert (done.returncode, answer["have_it"], answer["without_it"]) == (0, 2, [])
        found = status(service)
        assert {worker["pid"] for worker in found["workers"]} == set(service.workers())
        assert {worker["sequence"] for worker in found["workers"]} == {found["publication"]}

        hung = service.workers()[0]
        os.kill(hung, signal.SIGSTOP)
        try:
            assert service.command("add", "Default", "600100299").returncode == 0
            done = service.command("reload", "--wait", "--wait-seconds", "5", "--json")
            answer = json.loads(done.stdout)
            assert (done.returncode, answer["have_it"]) == (6, 1)
            [told] = answer["without_it"]
            assert told.startswith(f"worker {hung}: publication ")
            assert f"warning: {told}" in done.stderr
            done = service.command("status")
            assert done.returncode == 1
            assert f"worker {hung}: publication " in done.stderr
        finally:
            os.kill(hung, signal.SIGCONT)
        assert service.command("reload", "--wait", *PATIENTLY).returncode == 0
        assert service.command("status").returncode == 0

        os.kill(hung, signal.SIGKILL)
        until(lambda: hung not in {worker["pid"] for worker in status(service)["workers"]})
        until(lambda: len(status(service)["workers"]) == 2)
        assert service.stop() == 0
    assert json.loads(run("status", "--json", store=store).stdout)["workers"] == []


def test_a_worker_that_cannot_open_a_list_says_so(store: Path) -> None:
    with running(store) as service:
        until(lambda: len(status(service)["workers"]) == 1)
        snapshots = store / "snapshots"
        catalog = json.loads((snapshots / "catalog.json").read_text())
        catalog["sequence"] += 1
        catalog["lists"]["Default"]["generation"] += 1
        catalog["lists"]["Default"]["files"]["base"] += 1000
        # Odd: a publisher that died on the way. Readers then look at the file itself.
        counter = int.from_bytes((snapshots / "counter").read_bytes(), "little")
        with (snapshots / "counter").open("r+b") as file:
            file.write((counter + 1).to_bytes(8, "little"))
        (snapshots / "new").write_text(json.dumps(catalog))
        (snapshots / "new").replace(snapshots / "catalog.json")
        until(lambda: status(service)["workers"][0]["problems"])
        [worker] = status(service)["workers"]
        assert worker["sequence"] == catalog["sequence"]
        assert "stays in use" in worker["problems"][0]
        assert service.command("reload", "--wait", *PATIENTLY).returncode == 0
        assert status(service)["workers"][0]["problems"] == []


def test_nodes_of_a_redis_store_have_it_and_one_that_is_gone_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSIEVE_NODE_DIRECTORY", str(tmp_path / "here"))
    with one_server(tmp_path / "redis") as server:
        url = server.url()
        assert run("store", "create", url, "--region", "none").returncode == 0
        assert run("reload", store=url).returncode == 0
        with three_nodes([url] * 3, tmp_path) as nodes:
            until(lambda: all(node.numbers() is not None for node in nodes))
            open_store(url).add("Default", Entry("+48600100200"), None)
            done = run("reload", "--wait", *PATIENTLY, "--json", store=url)
            answer = json.loads(done.stdout)
            assert (done.returncode, answer["have_it"], answer["without_it"]) == (0, 3, [])
            assert all(node.numbers() == {"+48600100200"} for node in nodes)

            nodes[1].kill()
            open_store(url).add("Default", Entry("+48600100201"), None)
            done = run("reload", "--wait", "--wait-seconds", "5", "--json", store=url)
            answer = json.loads(done.stdout)
            assert (done.returncode, answer["have_it"]) == (6, 2)
            [told] = answer["without_it"]
            assert told.startswith(f"node {nodes[1].name}: change ")

            nodes[1].start()
            assert run("reload", "--wait", *PATIENTLY, store=url).returncode == 0
            assert nodes[1].numbers() == {"+48600100200", "+48600100201"}
