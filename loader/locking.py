"""Exclusive use of files: a lock between processes with a bounded wait, and no Ctrl-C meanwhile."""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loader.store import StoreError, os_problem

# Longer than any import of a million rows takes; a stopped process must not stop everybody else.
WAIT_SECONDS = 120.0
POLL_SECONDS = 0.005


@contextmanager
def locked(path: Path, what: str, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock file at `path` (made when missing). `what` is named when the wait runs out.

    Raises StoreError when the lock cannot be had in `wait` seconds. The system drops the lock of a
    process that ends in any way.
    """
    deadline = time.monotonic() + wait
    descriptor = _open(path)
    try:
        while not (_try_lock(descriptor) and _is_at(descriptor, path)):
            if time.monotonic() >= deadline:
                raise StoreError(
                    f"{what}: another command has been changing it for more than {wait:g} seconds"
                )
            time.sleep(POLL_SECONDS)
            # Removing a list removes its lock file: then the lock is to be taken on the next one.
            if not _is_at(descriptor, path):
                os.close(descriptor)
                descriptor = -1
                descriptor = _open(path)
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _open(path: Path) -> int:
    try:
        # Reading is enough for flock, so a lock file made by root serves the service's user too.
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(os_problem(error, path)) from error


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the end; then it is raised."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
