"""What a node keeps of a Redis store on its own disk, so that it goes on when Redis is not there.

snapshots/        the published lists and rules: the last good generation of each
position.json     how far in the store's change stream they are
health.json       how the following goes: see Health
publish.lock      held by the process that publishes
"""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loader.locking import locked
from loader.store import StoreError, os_problem

VARIABLE = "CALLSIEVE_NODE_DIRECTORY"
DEFAULT = Path("/var/lib/callsieve/node")
MAX_FILE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Position:
    """How far a node is. store: the store's identity. last: id of the last change it has; rev: that
    change's number. stale: lists that must be read anew, because that has failed.
    """

    store: str
    last: str
    rev: int
    stale: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """How the following goes. state: "following", "unreachable", "empty", "lost changes" or
    "failing". since, heard: ISO times of the state's beginning and of the last answer ("" for
    none). problem: the error's text.
    """

    state: str
    since: str
    heard: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class NodeDirectory:
    """One store's directory on this node."""

    path: Path

    @classmethod
    def of(cls, prefix: str, environment: Mapping[str, str] = os.environ) -> "NodeDirectory":
        """The directory of the store with this key prefix, below CALLSIEVE_NODE_DIRECTORY."""
        return cls(Path(environment.get(VARIABLE) or DEFAULT) / prefix)

    @property
    def snapshots(self) -> Path:
        return self.path / "snapshots"

    def create(self) -> None:
        """Raises StoreError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{os_problem(error, self.path)}: this node keeps its copy of the lists there;"
                f" {VARIABLE} names another directory"
            ) from error

    def publishing(self) -> contextlib.AbstractContextManager[None]:
        """Held by one process at a time. Raises StoreError when that takes too long."""
        self.create()
        return locked(self.path / "publish.lock", f"{self.path}")

    def position(self) -> Position | None:
        """None: nothing was followed yet. A file that cannot be read raises StoreError."""
        found = self._read("position.json")
        if found is None:
            return None
        try:
            return Position(
                str(found["store"]),
                str(found["last"]),
                int(found["rev"]),
                tuple(str(name) for name in found["stale"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"{self.path / 'position.json'}: expected store, last, rev and stale: {error!r};"
                " callsieve reload --accept-loss makes it anew"
            ) from None

    def put_position(self, position: Position) -> None:
        """Not synced to the disk: after a power failure some changes are made once more."""
        self._write("position.json", asdict(position))

    def health(self) -> Health | None:
        found = self._read("health.json")
        names = ("state", "since", "heard", "problem")
        return Health(*(str(found.get(name, "")) for name in names)) if found is not None else None

    def put_health(self, health: Health) -> None:
        self._write("health.json", asdict(health))

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self.path / name
        try:
            with path.open("rb") as file:
                found = json.loads(file.read(MAX_FILE_BYTES))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(os_problem(error, path)) from error
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise StoreError(f"{path}: expected a JSON object")
        return found

    def _write(self, name: str, content: dict[str, Any]) -> None:
        path = self.path / name
        working = self.path / f".{name}.new"
        try:
            with working.open("w") as file:
                json.dump(content, file)
            working.replace(path)
        except OSError as error:
            raise StoreError(os_problem(error, path)) from error
