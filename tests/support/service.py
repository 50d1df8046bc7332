"""A real `callsieve serve` as a child process, and the command line to talk to its store."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from esl_service.conversation import CONNECT, OPENING
from esl_service.switch_side import UNPREPARED
from tests.support.patience import PATIENCE_SECONDS

CALLSIEVE = [sys.executable, "-m", "callsieve"]


@dataclass
class Service:
    """A running service. `store`: its directory; `url`: of its store, which is there by default.

    `log` is where its standard error goes. `environment`: variables that its commands get as well.
    """

    process: subprocess.Popen[str]
    store: Path
    url: str
    address: tuple[str, int]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    def unprepared_leg(self) -> socket.socket:
        """A connection on which the service asks for all of the channel's data."""
        connection = socket.create_connection(self.address, timeout=PATIENCE_SECONDS)
        assert connection.recv(len(OPENING), socket.MSG_WAITALL) == OPENING
        connection.sendall(UNPREPARED)
        assert connection.recv(len(CONNECT), socket.MSG_WAITALL) == CONNECT
        return connection

    def probe(self, *options: str) -> dict[str, Any]:
        patient = ("--timeout", str(PATIENCE_SECONDS))
        answer = run("probe", "--connect", self.place, *patient, "--json", *options)
        assert answer.returncode == 0, answer.stderr
        decision: dict[str, Any] = json.loads(answer.stdout)
        return decision

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(*arguments, store=self.url, **self.environment)

    def logged(self) -> list[dict[str, Any]]:
        whole_lines, _, _ = self.log.read_text("utf-8").rpartition("\n")
        return [json.loads(line) for line in whole_lines.splitlines()]

    def wait_logged(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """The log's entries of that kind, once there are `count` of them."""
        while len(found := [entry for entry in self.logged() if entry["event"] == event]) < count:
            assert self.process.poll() is None, self.log.read_text("utf-8")
            os.sched_yield()
        return found

    def workers(self) -> list[int]:
        """The processes that answer legs; the service's own process only looks after them."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
        return [int(child) for child in children.split()]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


def run(
    *arguments: str, store: Path | str | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """`callsieve ARGUMENTS`, to its end.

    store: a CSV store's directory, or a URL. more: variables of its environment.
    """
    environment = {name: value for name, value in os.environ.items() if name != "CALLSIEVE_STORE"}
    if store is not None:
        environment["CALLSIEVE_STORE"] = f"csv:{store}" if isinstance(store, Path) else store
    return subprocess.run(
        [*CALLSIEVE, *arguments],
        env=environment | more,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@contextmanager
def running(
    store: Path, *options: str, url: str | None = None, **environment: str
) -> Iterator[Service]:
    """A service on a free port, ready; stopped at the end, by force if need be."""
    url = url or f"csv:{store}"
    command = [*CALLSIEVE, "serve", "--store", url, "--listen", "127.0.0.1:0", *options]
    with serving(command, store, environment, url=url) as service:
        yield service


@contextmanager
def serving(
    command: Sequence[str],
    store: Path,
    environment: Mapping[str, str] = MappingProxyType({}),
    descriptors: Sequence[int] = (),
    url: str = "",
) -> Iterator[Service]:
    """What this command runs, once it says that it listens.

    environment: over ours. descriptors: of ours, that it gets. url: of its store, if not `store`.
    """
    log = store.parent / f"{store.name}.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            command,
            pass_fds=descriptors,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | environment,
        )
    assert process.stdout is not None
    with process, process.stdout:
        try:
            line = process.stdout.readline()
            assert line.startswith("listening on "), log.read_text("utf-8")
            host, _, port = line.removeprefix("listening on ").strip().rpartition(":")
            yield Service(
                process, store, url or f"csv:{store}", (host, int(port)), log, environment
            )
        finally:
            if process.poll() is None:
                process.kill()
