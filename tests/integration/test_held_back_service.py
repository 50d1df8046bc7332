"""A running service keeps what is in force when a list or the rules lose too much, and says so."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.integration.test_monitoring import Monitored
from tests.support.redis_servers import until
from tests.support.service import Service, run, running

LISTED = [f"+486001002{at:02}" for at in range(12)]
RULES = (
    'default_region = "PL"\n[[forwarding]]\nlist = "Default"\naction = "hangup"\n'
    '[[forwarding]]\nlist = "VIP"\naction = "hangup"\n'
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    store = tmp_path / "store"
    (store / "lists").mkdir(parents=True)
    (store / "callsieve.toml").write_text(RULES)
    (store / "lists" / "Default.csv").write_text("number\n" + "\n".join(LISTED) + "\n")
    (store / "lists" / "VIP.csv").write_text("number\n1000\n")
    return store


def action(service: Service, caller: str) -> str:
    return str(service.probe("--flow", "inbound", "--caller", caller, "--called", "1")["action"])


def test_a_list_that_is_emptied_by_hand_stays_in_force(store: Path) -> None:
    with running(store, "--metrics", "127.0.0.1:0") as service:
        metrics = Monitored(service)
        assert metrics.figures()["callsieve_list_held_back", "Default"] == 0
        (store / "lists" / "Default.csv").write_text("")
        until(lambda: metrics.figures()["callsieve_list_held_back", "Default"] == 1)
        until(lambda: "found none in place of 12" in service.log.read_text())
        assert service.command("status").returncode == 1
        assert action(service, LISTED[0]) == "hangup"
        # The other lists are kept as if nothing had happened, and not a minute later.
        (store / "lists" / "VIP.csv").write_text("number\n1000\n1001\n")
        until(lambda: action(service, "1001") == "hangup")
        done = service.command("reload", "Default", "--accept")
        assert done.returncode == 0, done.stderr
        assert metrics.figures()["callsieve_list_held_back", "Default"] == 0
        assert action(service, LISTED[0]) == "continue"
        assert service.command("status").returncode == 0
        assert service.stop() == 0


def test_a_pipe_in_place_of_a_list_holds_up_no_other(store: Path) -> None:
    with running(store, "--metrics", "127.0.0.1:0") as service:
        metrics = Monitored(service)
        (store / "lists" / "Default.csv").unlink()
        os.mkfifo(store / "lists" / "Default.csv")
        until(lambda: metrics.figures()["callsieve_list_held_back", "Default"] == 1)
        (store / "lists" / "VIP.csv").write_text("number\n1000\n1001\n")
        until(lambda: action(service, "1001") == "hangup")
        assert action(service, LISTED[0]) == "hangup"
        assert "found a named pipe" in service.command("reload").stderr
        assert service.stop() == 0


@pytest.mark.parametrize("text", [None, "", "[[forwarding]\n", 'default_region = "PL"\n'])
def test_a_restart_without_good_rules_keeps_those_in_force(store: Path, text: str | None) -> None:
    assert run("reload", store=store).returncode == 0
    if text is None:
        (store / "callsieve.toml").unlink()
    else:
        (store / "callsieve.toml").write_text(text)
    with running(store, "--metrics", "127.0.0.1:0") as service:
        assert action(service, LISTED[0]) == "hangup"
        assert Monitored(service).figures()["callsieve_rules_held_back",] == 1
        [told] = [entry for entry in service.logged() if entry["event"] == "not_taken"]
        assert told["problem"].startswith("rules not taken: ")
        status = service.command("status", "--json")
        assert status.returncode == 1
        assert json.loads(status.stdout)["rules"]["held_back"]
        restored = service.command("rules", "get", "--in-force")
        assert restored.stdout == RULES
        (store / "callsieve.toml").write_text(restored.stdout)
        assert service.command("reload").returncode == 0
        assert service.command("status").returncode == 0
        assert service.stop() == 0
