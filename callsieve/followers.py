"""Keeps `callsieve follow` running beside a service on a Redis store.

A process of its own: a full copy and the building of a large list take seconds, in which the
supervisor would hear of no worker. What the follower publishes reaches the workers as every other
publication does.
"""

from __future__ import annotations

import os
import sys
import time

import structlog

from callsieve.supervisor import Job, Spawn

RESTART_SECONDS = 1.0


class Following:
    """`check` again and again: starts the follower, and another when it has ended.

    It ends with this process, however that ends: its standard input does.
    """

    def __init__(self, url: str, spawn: Spawn) -> None:
        self._url = url
        self._spawn = spawn
        self._input, self._held_open = os.pipe()
        self._running = False
        self._next = 0.0
        self._log = structlog.get_logger()

    def check(self) -> None:
        if self._running or time.monotonic() < self._next:
            return
        self._running = True
        command = [sys.executable, "-m", "callsieve", "follow", "--with-parent"]
        environment = {"CALLSIEVE_STORE": self._url}
        self._spawn(Job(command, environment, standard_input=self._input), self._ended)

    def _ended(self, exit_code: int) -> None:
        self._log.error("follower_ended", exit_code=exit_code)
        self._running = False
        self._next = time.monotonic() + RESTART_SECONDS
