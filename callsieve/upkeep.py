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
from loader.held_back import as_it_is_held_back, is_settled
from loader.live_lists import LiveLists
from loader.store import Store, StoreError
from lookup_core import Catalog

CHECK_SECONDS = 0.25
EDITED_SECONDS = 1.0
"""How long an edit stands before it is taken: editors and commands are then done with the file."""
RETRY_SECONDS = 60.0
HELD_BACK = 3
"""Exit code of `callsieve upkeep` when all is done but what was held back, which is made known."""


class Upkeep:
    """`check` again and again: runs `callsieve upkeep` when there is something to do.

    In a process of its own, because reading or writing a large list takes seconds.
    """

    def __init__(self, store: Store, catalog: Catalog, spawn: Spawn) -> None:
        self._store = store
        self._catalog = catalog
        self._live = LiveLists(catalog)
        self._spawn = spawn
        self._log = structlog.get_logger()
        self._running = False
        self._next = 0.0
        self._edited: dict[str, tuple[str, float]] = {}
        self._failed: dict[str, tuple[str, float]] = {}

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
        """Whether a list has been for a while what is neither published nor held back."""
        edited = {}
        for name in self._store.list_names():
            if not is_settled(self._store, self._catalog, name):
                version = self._store.version(name)
                failed, retry = self._failed.get(name, ("", 0.0))
                if version == failed and now < retry:
                    continue
                before, since = self._edited.get(name, (version, now))
                edited[name] = version, since if before == version else now
        self._edited = edited
        return any(now - since > EDITED_SECONDS for _, since in edited.values())

    def _still_failing(self) -> dict[str, tuple[str, float]]:
        """The lists that could not be published, by their versions, and when to try again."""
        retry = time.monotonic() + RETRY_SECONDS
        try:
            return {
                name: (held.version, retry)
                for name in self._store.list_names()
                if (held := as_it_is_held_back(self._store, self._catalog, name))
            }
        except (StoreError, OSError):  # the next check says so
            return {}

    def _run(self) -> None:
        directory = TemporaryDirectory(prefix="callsieve-")
        errors = Path(directory.name) / "errors"

        def ended(exit_code: int) -> None:
            self._running = False
            self._edited = {}
            self._failed = self._still_failing()
            self._log.info("upkeep", exit_code=exit_code)
            if exit_code:
                problem = errors.read_text("utf-8", "replace")[-2000:].strip()
                self._log.error("upkeep", problem=problem)
            if exit_code not in (0, HELD_BACK):
                self._next = time.monotonic() + RETRY_SECONDS
            directory.cleanup()

        self._running = True
        command = [sys.executable, "-m", "callsieve", "upkeep"]
        self._spawn(Job(command, {"CALLSIEVE_STORE": self._store.url}, errors=errors), ended)
