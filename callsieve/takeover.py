"""How a running service becomes the version that is installed now, in the same process.

The process executes `callsieve serve` anew and keeps the listening socket and the workers' links
open across that, so nobody is refused in between, and the workers go on answering. The new program
finds them named in the environment, starts workers of its own and, when they are ready, lets the
old ones finish.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, NoReturn

_VARIABLE = "CALLSIEVE_TAKEOVER"
_TRY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What the version before left: its socket and its workers (pid, descriptor of the link)."""

    listening: socket.socket
    workers: list[tuple[int, int]]


def is_runnable(log: Any) -> bool:
    """Whether the installed version starts at all. One that does not is not executed."""
    command = [sys.executable, "-m", "callsieve", "serve", "--help"]
    tried = subprocess.run(command, capture_output=True, timeout=_TRY_SECONDS, check=False)
    if tried.returncode:
        problem = tried.stderr.decode("utf-8", "replace")[-2000:]
        log.error("not_taken_over", exit_code=tried.returncode, problem=problem)
    return tried.returncode == 0


def execute_anew(listening: socket.socket, workers: list[tuple[int, socket.socket]]) -> NoReturn:
    for kept in (listening, *(link for _, link in workers)):
        kept.set_inheritable(True)
    os.environ[_VARIABLE] = json.dumps(
        {"listening": listening.fileno(), "workers": [(p, link.fileno()) for p, link in workers]}
    )
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "callsieve", *sys.argv[1:]])


def inherited() -> Inheritance | None:
    """What this process was executed with; None for one that was started."""
    text = os.environ.pop(_VARIABLE, None)
    if text is None:
        return None
    left = json.loads(text)
    os.set_inheritable(left["listening"], False)
    return Inheritance(
        socket.socket(fileno=left["listening"]), [(pid, link) for pid, link in left["workers"]]
    )
