"""The first process of `callsieve serve`: it holds the listening socket and keeps workers alive.

It answers no leg itself, so nothing that a leg does can hurt it. The socket stays open for as long
as it lives: connections that arrive while a worker is being replaced wait in the socket's queue.
All workers share that one socket; with one each (SO_REUSEPORT) the connections that wait for a
worker would die with it.

| told by | does |
|---|---|
| SIGTERM, SIGINT | stop listening, let the workers finish their legs, within the grace time |
| the same again | stop at once |
| SIGHUP | execute the installed version anew; it takes the socket and the workers over |
| a worker that dies, or sends no beat for `stall_seconds` | put another in its place |
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from callsieve import takeover
from callsieve.systemd import notify, watchdog_seconds
from callsieve.worker_settings import WorkerSettings

TICK_SECONDS = 0.25
START_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
PRESSED_SECONDS = 2.0

STOPPED_IN_TIME = 0
NOT_STARTED = 1
LEGS_LOST = 3

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass(frozen=True, slots=True)
class Job:
    """A command that runs beside the workers.

    environment: over the supervisor's own. standard_input: a descriptor. errors: a file for its
    standard error.
    """

    command: list[str]
    environment: dict[str, str]
    standard_input: int | None = None
    errors: Path | None = None


Spawn = Callable[[Job, Callable[[int], None]], None]
"""`Supervisor.spawn`."""


@dataclass(eq=False)
class _Worker:
    """beat: when it was heard of last. gone_by: when it was told to go, when it is to be gone.
    pressed: it was told a second time, to drop the legs it has.
    """

    pid: int
    link: socket.socket
    started: float
    beat: float
    ready: bool = False
    gone_by: float = math.inf
    pressed: bool = False


@dataclass
class Health:
    """What is asked of it over HTTP, from another thread. tick: the supervisor's last one."""

    tick: float = 0.0
    ready: bool = False
    restarts: int = 0
    workers: tuple[int, ...] = field(default_factory=tuple)


class Supervisor:
    """`run` returns the exit code.

    announce(): called once, when all workers are ready. buried(pid): a worker is gone.
    tick(): called several times a second.
    """

    def __init__(
        self,
        listening: socket.socket,
        settings: WorkerSettings,
        workers: int,
        *,
        grace_seconds: float,
        stall_seconds: float,
        announce: Callable[[], None],
        buried: Callable[[int], None],
    ) -> None:
        self._listening: socket.socket | None = listening
        self._settings = settings
        self._wanted = workers
        self._grace_seconds = grace_seconds
        self._stall_seconds = stall_seconds
        self._announce = announce
        self._buried = buried
        self._log = structlog.get_logger()
        self._workers: list[_Worker] = []
        self._leaving: list[_Worker] = []
        self._before: list[_Worker] = []  # those of the version before, until ours are ready
        self._jobs: dict[int, Callable[[int], None]] = {}
        self._start_at = 0.0
        self._pause = FIRST_PAUSE_SECONDS
        self._signals: list[int] = []
        self._stopping = 0
        self._lost = False
        self._announced = False
        self._exit_code: int | None = None
        self._selector = selectors.DefaultSelector()
        self._watchdog = watchdog_seconds()
        self._notified = 0.0
        self.tick: Callable[[], None] = lambda: None
        self.health = Health()

    def adopt(self, workers: list[tuple[int, int]]) -> None:
        """Take over the workers (pid, descriptor of the link) of the version before."""
        now = time.monotonic()
        for pid, descriptor in workers:
            worker = _Worker(pid, socket.socket(fileno=descriptor), now, now, ready=True)
            os.set_inheritable(descriptor, False)
            self._before.append(worker)
            self._selector.register(worker.link, selectors.EVENT_READ, worker)
        # Even where none was left: the service was announced, and does not end for one bad start.
        self._announced = True

    def run(self) -> int:
        self._listen_to_signals()
        while self._exit_code is None:
            for key, _ in self._selector.select(TICK_SECONDS):
                if key.data is None:
                    key.fileobj.recv(4096)  # type: ignore[union-attr]  # signals: taken below
                else:
                    self._hear(key.data)
            self._reap()
            self._obey()
            self._look_after_workers()
            self.tick()
            self._report()
        return self._exit_code

    def spawn(self, job: Job, ended: Callable[[int], None]) -> None:
        """Start a job; ended(exit code)."""
        actions: list[object] = []
        if job.standard_input is not None:
            actions.append((os.POSIX_SPAWN_DUP2, job.standard_input, 0))
        if job.errors is not None:
            flags = os.O_WRONLY | os.O_CREAT
            actions.append((os.POSIX_SPAWN_OPEN, 2, str(job.errors), flags, 0o600))
        pid = _spawn(job.command, os.environ | job.environment, actions)
        self._jobs[pid] = ended

    # Signals

    def _listen_to_signals(self) -> None:
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        self._selector.register(woken, selectors.EVENT_READ)
        self._wake = wake
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda told, _: self._signals.append(told))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _obey(self) -> None:
        while self._signals:
            number = self._signals.pop(0)
            if number in (signal.SIGTERM, signal.SIGINT):
                self._stop()
            elif number == signal.SIGHUP and not self._stopping and not self._before:
                self._hand_over()

    def _stop(self) -> None:
        self._stopping += 1
        if self._stopping == 1:
            notify("STOPPING=1")
            self._log.info("stopping", grace_seconds=self._grace_seconds)
            if self._listening is not None:
                self._listening.close()
                self._listening = None
            for worker in [*self._workers, *self._before]:
                self._dismiss(worker)
            self._workers, self._before = [], []
        else:
            for worker in self._leaving:
                worker.gone_by = 0.0

    def _hand_over(self) -> None:
        if self._listening is None or not takeover.is_runnable(self._log):
            return
        # WATCHDOG: the new version has the whole time to load.
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "WATCHDOG=1")
        self._log.info("handing_over")
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        kept = [(worker.pid, worker.link) for worker in self._workers]
        takeover.execute_anew(self._listening, kept)

    # Workers

    def _look_after_workers(self) -> None:
        now = time.monotonic()
        for worker in [*self._workers, *self._before]:
            limit = self._stall_seconds if worker.ready else START_SECONDS
            if now - worker.beat > limit:
                self._log.error("worker_stalled", pid=worker.pid, seconds=round(now - worker.beat))
                self._kill(worker, signal.SIGKILL)
                worker.beat = now  # it is buried when the kernel says that it is gone
        for worker in self._leaving:
            if now > worker.gone_by:
                self._kill(worker, signal.SIGKILL if worker.pressed else signal.SIGTERM)
                worker.pressed = True
                worker.gone_by = now + PRESSED_SECONDS
        if self._stopping:
            if not self._leaving:
                self._exit_code = LEGS_LOST if self._lost else STOPPED_IN_TIME
            return
        while len(self._workers) < self._wanted and now >= self._start_at:
            self._start_worker()
        if all(worker.ready for worker in self._workers):
            for worker in self._before:
                self._dismiss(worker)
            if self._before:
                self._log.info("took_over", workers=[worker.pid for worker in self._workers])
                notify("READY=1")
                self._before = []
            if not self._announced and len(self._workers) == self._wanted:
                self._announced = True
                self._announce()
                notify("READY=1")

    def _start_worker(self) -> None:
        assert self._listening is not None
        ours, theirs = socket.socketpair()
        ours.sendall(self._settings.to_json())
        ours.setblocking(False)
        with theirs:
            theirs.set_inheritable(True)
            self._listening.set_inheritable(True)
            command = [sys.executable, "-m", "callsieve.worker"]
            command += [str(self._listening.fileno()), str(theirs.fileno())]
            pid = _spawn(command, dict(os.environ), [])
            self._listening.set_inheritable(False)
        now = time.monotonic()
        worker = _Worker(pid, ours, now, now)
        self._workers.append(worker)
        self._selector.register(ours, selectors.EVENT_READ, worker)
        self._log.info("worker_started", pid=pid)

    def _hear(self, worker: _Worker) -> None:
        try:
            heard = worker.link.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            heard = b""
        if not heard:  # it is gone or going; _reap() is told of that
            with contextlib.suppress(KeyError):
                self._selector.unregister(worker.link)
            return
        worker.beat = time.monotonic()
        worker.ready = True

    def _dismiss(self, worker: _Worker) -> None:
        """Let it finish its legs and go."""
        self._kill(worker, signal.SIGTERM)
        worker.gone_by = time.monotonic() + self._grace_seconds
        self._leaving.append(worker)

    def _kill(self, worker: _Worker, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, number)

    def _reap(self) -> None:
        """Also of processes that are nobody's: in a container we are the first process."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            exit_code = os.waitstatus_to_exitcode(status)
            if pid in self._jobs:
                self._jobs.pop(pid)(exit_code)
            for worker in [*self._workers, *self._before, *self._leaving]:
                if worker.pid == pid:
                    self._bury(worker, exit_code)

    def _bury(self, worker: _Worker, exit_code: int) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(worker.link)
        worker.link.close()
        self._buried(worker.pid)
        if worker in self._leaving:
            self._leaving.remove(worker)
            self._lost = self._lost or (exit_code != 0 and worker.ready)
            return
        self._log.error("worker_died", pid=worker.pid, exit_code=exit_code)
        if worker in self._before:
            self._before.remove(worker)
            return
        self._workers.remove(worker)
        self.health.restarts += 1
        now = time.monotonic()
        if not worker.ready:
            self._failed_to_start()
        self._pause = (
            FIRST_PAUSE_SECONDS
            if now - worker.started > LONGEST_PAUSE_SECONDS * 2
            else min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        )
        self._start_at = now + self._pause

    def _failed_to_start(self) -> None:
        """Without the first ones there is no service; without a new version's it is not taken."""
        if not self._announced:
            for worker in self._workers:
                self._kill(worker, signal.SIGKILL)
            self._exit_code = NOT_STARTED
        elif self._before:
            self._log.error("not_taken_over", kept=[worker.pid for worker in self._before])
            for worker in self._workers:
                self._kill(worker, signal.SIGKILL)
                self._leaving.append(worker)
            self._workers, self._before = self._before, []
            notify("READY=1")

    def _report(self) -> None:
        now = time.monotonic()
        fresh = [worker for worker in self._workers + self._before if worker.ready]
        self.health.ready = bool(fresh) and not self._stopping
        self.health.workers = tuple(worker.pid for worker in fresh)
        self.health.tick = now
        if self._watchdog is not None and now - self._notified >= self._watchdog:
            self._notified = now
            notify("WATCHDOG=1", f"STATUS={len(fresh)} workers answer legs")


def _spawn(command: list[str], environment: dict[str, str], actions: list[object]) -> int:
    return os.posix_spawn(
        command[0],
        command,
        environment,
        file_actions=actions,  # type: ignore[arg-type]
        setsigmask=(),
        setsigdef=_SIGNALS,
    )
