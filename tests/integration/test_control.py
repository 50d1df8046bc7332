"""Decision events over the control connection, against a peer that behaves and misbehaves as an
event socket can. `test_freeswitch.py` has the same against a real FreeSWITCH."""

from __future__ import annotations

import queue
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from loader.store import rules_version
from tests.support.patience import PATIENCE_SECONDS
from tests.support.service import Service, run, running

SAMPLE = Path(__file__).parent.parent.parent / "callsieve" / "sample_store"
PASSWORD = "not ClueCon"
LISTED = ("--campaign", "Spring sale", "--called", "+48604555666")
FREE = ("--campaign", "Spring sale", "--called", "+48601000111")


class EventSocket(threading.Thread):
    """The inbound event socket of a switch: one connection after another, each to its script.

    script: how many events each connection takes before it is cut; None: refuses the password.
    """

    def __init__(self, script: list[int | None]) -> None:
        super().__init__(daemon=True)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.listening.settimeout(PATIENCE_SECONDS)
        self.script = script
        self.events: queue.Queue[str] = queue.Queue()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.listening.getsockname()[1]}"

    def run(self) -> None:
        for taken in self.script:
            connection, _ = self.listening.accept()
            connection.settimeout(PATIENCE_SECONDS)
            with connection, closing(connection.makefile("rb")) as stream:
                connection.sendall(b"Content-Type: auth/request\n\n")
                right = read_command(stream) == f"auth {PASSWORD}" and taken is not None
                reply = b"+OK accepted" if right else b"-ERR invalid"
                connection.sendall(b"Content-Type: command/reply\nReply-Text: " + reply + b"\n\n")
                for _ in range(taken or 0):
                    self.events.put(read_command(stream))
                    connection.sendall(b"Content-Type: command/reply\nReply-Text: +OK\n\n")


def read_command(stream: Iterator[bytes]) -> str:
    lines = []
    for line in stream:
        if line == b"\n":
            break
        lines.append(line.decode().rstrip("\n"))
    return "\n".join(lines)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE, tmp_path / "store"))


def probe(service: Service, *leg: str) -> str:
    return str(service.probe(*leg)["action"])


@pytest.mark.parametrize("script", [[3], [None, 3], [0, 1, 2]], ids=["good", "refused", "cut"])
def test_every_decision_but_continue_is_an_event(store: Path, script: list[int | None]) -> None:
    peer = EventSocket(script)
    peer.start()
    with running(store, "--control", peer.place, CALLSIEVE_CONTROL_PASSWORD=PASSWORD) as service:
        assert probe(service, *FREE) == "continue"
        assert [probe(service, *LISTED) for _ in range(3)] == ["skip"] * 3
        events = [peer.events.get(timeout=PATIENCE_SECONDS).split("\n") for _ in range(3)]
    peer.join()
    peer.listening.close()
    for first, *headers in events:
        assert first == "sendevent CUSTOM"
        assert dict(line.split(": ", 1) for line in headers) == {
            "Event-Subclass": "callsieve::decision",
            "Unique-ID": "probe",
            "Callsieve-Flow": "outbound",
            "Callsieve-Campaign": "Spring sale",
            "Callsieve-Action": "skip",
            "Callsieve-List": "Opt-outs",
            "Callsieve-Entry": "+48604555666",
            "Callsieve-Number": "+48604555666",
            "Callsieve-Read-As": "international number",
            "Callsieve-Rule": 'campaign."Spring sale"',
            "Callsieve-Status": "Do not call",
            "Callsieve-Generation": "1",
            "Callsieve-Rules-Version": rules_version((store / "callsieve.toml").read_text()),
            "Callsieve-Reason": "the called number is on the list Opt-outs",
        }


def test_legs_do_not_wait_for_a_switch_that_is_not_there(store: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        with running(store, "--control", place, CALLSIEVE_CONTROL_PASSWORD="x") as service:
            assert [probe(service, *LISTED) for _ in range(3)] == ["skip"] * 3
            assert service.stop() == 0


def test_a_control_connection_needs_a_password(store: Path) -> None:
    refused = run("serve", "--control", "127.0.0.1:8021", "--listen", "127.0.0.1:0", store=store)
    assert refused.returncode == 2
    assert "CALLSIEVE_CONTROL_PASSWORD" in refused.stderr
