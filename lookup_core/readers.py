"""Which processes follow a catalog, and how far each is: a file for each in `readers/`.

    readers/<pid>-<random>    4 bytes CRC-32 of the rest, then JSON: what the process has

A process holds an flock on its file for as long as it lives, so the file of one that was killed can
be told and deleted, by whoever looks, even where its number is another process's by now.
"""

import contextlib
import fcntl
import json
import os
import secrets
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lookup_core.follower import Follower
from lookup_core.views import View

_MAX_BYTES = 65_536
_MAX_PROBLEMS = 20
_MAX_PROBLEM = 500
_RACES = 100


@dataclass(frozen=True, slots=True)
class Reader:
    """A process that follows a catalog.

    sequence: of the View it has; -1 when it has none yet. problems: of that View: what it has not
    got as it was published, one sentence each.
    """

    pid: int
    sequence: int
    problems: tuple[str, ...] = ()

    def has(self, sequence: int) -> bool:
        """Whether it has everything that was published up to there."""
        return self.sequence >= sequence and not self.problems


class ReaderFile:
    """This process's file. close() deletes it."""

    def __init__(self, catalog: Follower) -> None:
        """Raises OSError. Files of killed processes are deleted first."""
        directory = _directory(catalog)
        directory.mkdir(exist_ok=True)
        readers(catalog)
        self._file, self._path = _locked_file(directory)

    def write(self, view: View) -> None:
        """Makes known that this process has `view`. Raises OSError; what was known stays then."""
        problems = [text[:_MAX_PROBLEM] for text in view.problems[:_MAX_PROBLEMS]]
        content = {"pid": os.getpid(), "sequence": view.sequence, "problems": problems}
        data = json.dumps(content).encode("ascii")
        data = zlib.crc32(data).to_bytes(4, "little") + data
        # In place: a new file would not be locked. Readers tell a half-written one by its checksum.
        os.pwrite(self._file.fileno(), data, 0)
        os.ftruncate(self._file.fileno(), len(data))

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        self._file.close()


def readers(catalog: Follower) -> list[Reader]:
    """The processes that follow this catalog now, by pid. Raises OSError."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for path in _directory(catalog).iterdir():
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                if _is_held(file):
                    found.append(_read(file, path))
                else:
                    with contextlib.suppress(PermissionError):
                        path.unlink(missing_ok=True)
    return sorted(found, key=lambda reader: reader.pid)


def _directory(catalog: Follower) -> Path:
    return catalog.directory / "readers"


def _locked_file(directory: Path) -> tuple[BinaryIO, Path]:
    while True:
        path = directory / f"{os.getpid()}-{secrets.token_hex(8)}"
        file = path.open("xb")
        fcntl.flock(file, fcntl.LOCK_EX)
        # Somebody may have looked before it was locked, and deleted it.
        if os.fstat(file.fileno()).st_nlink:
            return file, path
        file.close()


def _is_held(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _read(file: BinaryIO, path: Path) -> Reader:
    for _ in range(_RACES):
        data = os.pread(file.fileno(), _MAX_BYTES, 0)
        if data and int.from_bytes(data[:4], "little") == zlib.crc32(data[4:]):
            content = json.loads(data[4:])
            return Reader(content["pid"], content["sequence"], tuple(content["problems"]))
    pid = path.name.partition("-")[0]
    return Reader(int(pid) if pid.isdecimal() else 0, -1)
