"""Keeps what is published in step with a CSV store while the service runs.

Entries end at their time, edits by hand are picked up, and lists that have gathered many changes
are written anew.
"""

from __future__ import annotations

import datetime
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from callsieve.supervisor import Job, Spawn
from loader.live_lists import LiveLists
from loader.publishing import is_current
from loader.store import Store, StoreError
from lookup_core import Catalog

CHECK_SECONDS = 0.25
EDITED_SECONDS = 1.0
"""How long an edit stands before it is taken: editors and commands are then done with the file."""
RETRY_SECONDS = 60.0


class Upkeep:
    """`check` again and again: runs `callsieve upkeep` when there is something to do.

    In a process of its own, because reading or writing a large list takes seconds.
    """

    def __init__(self, store: Store, catalog: Catalog, spawn: Spawn) -> None:
        self._store = store
        self._catalog = catalog
        self._live = LiveLists(catalog, store.expiries)
        self._spawn = spawn
        self._log = structlog.get_logger()
        self._running = False
        self._next = 0.0
        self._edited: dict[str, tuple[str, float]] = {}

    def check(self) -> None:
        now = time.monotonic()
        if self._running or now < self._next:
            return
        self._next = now + CHECK_SECONDS
        if self._is_due(now):
            self._run()

    def _is_due(self, now: float) -> bool:
        moment = datetime.datetime.now(datetime.UTC)
        if any(self._live.has_expired(name, moment) for name in self._catalog.current().lists):
            return True
        try:
            return self._is_edited(now) or bool(self._live.to_fold())
        except (StoreError, OSError) as error:
            self._log.error("upkeep", problem=str(error))
            self._next = now + RETRY_SECONDS
            return False

    def _is_edited(self, now: float) -> bool:
        """Whether a list has been for a while what is not published."""
        edited = {}
        for name in self._store.list_names():
            if not is_current(self._store, self._catalog, name):
                version = self._store.version(name)
                before, since = self._edited.get(name, (version, now))
                edited[name] = version, since if before == version else now
        self._edited = edited
        return any(now - since > EDITED_SECONDS for _, since in edited.values())

    def _run(self) -> None:
        directory = TemporaryDirectory(prefix="callsieve-")
        errors = Path(directory.name) / "errors"

        def ended(exit_code: int) -> None:
            self._running = False
            self._edited = {}
            self._log.info("upkeep", exit_code=exit_code)
            if exit_code:
                problem = errors.read_text("utf-8", "replace")[-2000:]
                self._log.error("upkeep", problem=problem)
                self._next = time.monotonic() + RETRY_SECONDS
            directory.cleanup()

        self._running = True
        command = [sys.executable, "-m", "callsieve", "upkeep"]
        self._spawn(Job(command, {"CALLSIEVE_STORE": self._store.url}, errors=errors), ended)
