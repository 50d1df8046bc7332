"""What publishers of a catalog do to its directory: lock it, make files, commit them in one step.

    lock        held, by flock, by the publisher that commits
    building    held shared by everybody who has a file in the making
    counter     see counter.py

A publisher that is killed at any step leaves the generation before or the new one, and no lock.
"""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from lookup_core.catalog_file import CATALOG_FILE, Contents, encode, load
from lookup_core.counter import COUNTER_FILE, counted, create_counter
from lookup_core.errors import CatalogError
from lookup_core.generation_files import delete_all_but
from lookup_core.snapshot_format import (
    is_temporary,
    replace_file,
    sync_directory,
    temporary_path,
    write_temporary,
)

LOCK_WAIT_SECONDS = 300.0  # several times the build of a national registry


def create_catalog(directory: Path) -> None:
    """Makes the directory an empty catalog unless it is one. Raises CatalogError, OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    with building(directory), locked(directory):
        file = directory / CATALOG_FILE
        if not file.exists():
            replace_file(file, [encode(file, Contents())])
        # Last: what has a counter is a catalog.
        create_counter(directory / COUNTER_FILE)


@contextlib.contextmanager
def building(directory: Path) -> Iterator[Path]:
    """Gives the name of a file to make. Whoever comes when nobody is at work clears away what
    killed publishers left.
    """
    with (directory / "building").open("ab") as file:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for path in directory.iterdir():
                if is_temporary(path.name):
                    path.unlink(missing_ok=True)
        # Nobody holds it exclusively for longer than the clearing takes.
        fcntl.flock(file, fcntl.LOCK_SH)
        working = temporary_path(directory)
        try:
            yield working
        finally:
            working.unlink(missing_ok=True)
            fcntl.flock(file, fcntl.LOCK_UN)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds the publishers' lock. The kernel lets go of it when a publisher dies.

    Raises CatalogError when it cannot be had in LOCK_WAIT_SECONDS.
    """
    path = directory / "lock"
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise CatalogError(
                        f"{path}: expected to get the lock within {LOCK_WAIT_SECONDS:.0f} s,"
                        " found it held by another publisher"
                    ) from None
                # Not a blocking flock: under gevent that would stop every call of the process.
                time.sleep(0.02)
        try:
            yield
        finally:
            # Closing is not enough: a child forked meanwhile has the descriptor too.
            fcntl.flock(file, fcntl.LOCK_UN)


@contextlib.contextmanager
def committing(directory: Path) -> Iterator[Contents]:
    """Locks, gives what is published, and commits what the caller made of it."""
    with locked(directory):
        file = directory / CATALOG_FILE
        contents = load(file)
        yield contents
        contents.sequence += 1
        temporary = write_temporary(file, [encode(file, contents)])
        with counted(directory / COUNTER_FILE):
            temporary.replace(file)
            sync_directory(directory)
        delete_all_but(directory, contents.generations())
