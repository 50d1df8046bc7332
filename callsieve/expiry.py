"""Takes expired entries out while the service runs, by publishing their lists anew."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from callsieve.supervisor import Spawn
from lookup_core import Catalog, PublishedList

CHECK_SECONDS = 0.5
RETRY_SECONDS = 60.0


class Expiry:
    """`check` again and again: when an entry's time is over, its list is reloaded.

    In a process of its own, because building a large list takes seconds.
    """

    def __init__(self, catalog: Catalog, url: str, spawn: Spawn) -> None:
        self._catalog = catalog
        self._url = url
        self._spawn = spawn
        self._log = structlog.get_logger()
        self._running = False
        self._next = 0.0

    def check(self) -> None:
        if self._running or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + CHECK_SECONDS
        names = list(_due(self._catalog, datetime.datetime.now(datetime.UTC)))
        if not names:
            return
        directory = TemporaryDirectory(prefix="callsieve-")
        errors = Path(directory.name) / "errors"

        def ended(exit_code: int) -> None:
            self._running = False
            self._log.info("expired", lists=names, exit_code=exit_code)
            if exit_code:
                problem = errors.read_text("utf-8", "replace")[-2000:]
                self._log.error("expiry", problem=problem)
                self._next = time.monotonic() + RETRY_SECONDS
            directory.cleanup()

        self._running = True
        # The store's URL may hold a password: it has no place in the list of processes.
        command = [sys.executable, "-m", "callsieve", "reload", "--", *names]
        self._spawn(command, {"CALLSIEVE_STORE": self._url}, ended, errors=errors)


def _due(catalog: Catalog, now: datetime.datetime) -> Iterator[str]:
    for name, found in catalog.current().lists.items():
        if not isinstance(found, PublishedList):
            continue
        moment = found.info.get("next_expiry")
        if isinstance(moment, str) and datetime.datetime.fromisoformat(moment) < now:
            yield name
