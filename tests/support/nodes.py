"""Nodes of a Redis store: each a `callsieve follow` with a catalog of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from loader.redis_url import parse_redis_url
from lookup_core import Catalog, CatalogError, PublishedList
from tests.support.service import CALLSIEVE


class NodeProcess:
    """One node. Its catalog can be read whether it runs or not."""

    def __init__(self, url: str, directory: Path, name: str) -> None:
        self.url = url
        self.name = name
        self.directory = directory / name
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {
            "CALLSIEVE_NODE_DIRECTORY": str(self.directory),
            "CALLSIEVE_NODE_NAME": self.name,
        }

    @property
    def state_directory(self) -> Path:
        return self.directory / parse_redis_url(self.url).prefix

    def start(self) -> NodeProcess:
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*CALLSIEVE, "follow", "--store", self.url],
                env=os.environ | self.environment,
                stderr=log,
            )
        return self

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def numbers(self, name: str = "Default") -> set[str] | None:
        """The list's exact numbers as they are published; None when it is not."""
        try:
            found = Catalog(self.state_directory / "snapshots").current().lists.get(name)
        except CatalogError:
            return None
        return set(found.snapshot) if isinstance(found, PublishedList) else None

    def state(self) -> str:
        """What the follower last said of the store; "" for nothing yet."""
        try:
            found = json.loads((self.state_directory / "health.json").read_text())
        except FileNotFoundError:
            return ""
        return str(found["state"])


@contextmanager
def three_nodes(urls: list[str], directory: Path) -> Iterator[list[NodeProcess]]:
    """One node for each URL, started; killed at the end."""
    with ExitStack() as stack:
        nodes = [NodeProcess(url, directory, f"node{at}") for at, url in enumerate(urls)]
        for node in nodes:
            stack.callback(node.kill)
            node.start()
        yield nodes
