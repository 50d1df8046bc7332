"""Follows a Redis store for as long as the process lives: each change is published as it comes."""

import datetime
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loader.node_directory import Health, Position
from loader.publishing import ListReport, StoreReport
from loader.reading_version import reading_version
from loader.redis_client import StoreUnreachableError
from loader.redis_feed import NO_CHANGE, wait_for_change
from loader.redis_node import LostChangesError, Node
from loader.redis_store import EmptyStoreError, RedisStore
from loader.store import StoreError
from lookup_core import CatalogError, SnapshotError

NAME_VARIABLE = "CALLSIEVE_NODE_NAME"
# How long one question to Redis stays open; it is answered at once when there is a change.
BLOCK_MILLISECONDS = 1000
EXPIRY_SECONDS = 0.2
REPORT_SECONDS = 5.0
# Waiting after a failure, doubled each time. Nodes must not all come back in the same moment.
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.1, 2.0
RETRY_SPREAD = 0.5

_STATES: Mapping[type[StoreError], str] = {
    StoreUnreachableError: "unreachable",
    EmptyStoreError: "empty",
    LostChangesError: "lost changes",
}
FOLLOWING = "following"
FAILING = "failing"


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What a node last said of itself in the store. rev: the last change it has; at: ISO time.

    failed: the lists that it could not publish, and tries again. reading: what it reads numbers by;
    "" of a node of a version before.
    """

    name: str
    rev: int
    at: str
    failed: tuple[str, ...] = ()
    reading: str = ""


def follow(
    store: RedisStore,
    node: Node[Any],
    name: str,
    published: Callable[[Sequence[ListReport], StoreReport[Any] | None], object],
    health_changed: Callable[[Health], object],
    go_on: Callable[[], bool],
) -> None:
    """Follow the store until go_on() is false, whatever becomes of Redis.

    name: what this node is called in the store. published, health_changed: told of each; lists that
    something has expired in come without a report of the store.
    """
    retry = FIRST_RETRY_SECONDS
    reported_at = 0.0
    reported: Position | None = None
    health = Health("", "", "")
    folding = _Folding(node)
    expiring = _Expiring(node, lambda lists: published(lists, None), go_on)
    expiring.start()
    while go_on():
        now = datetime.datetime.now(datetime.UTC)
        problems: list[str] = []
        try:
            report = node.catch_up(now)
            position = store.node.position()
            problems += report.problems
            if position != reported or time.monotonic() - reported_at > REPORT_SECONDS:
                reported_at, reported = time.monotonic(), position
                rev, failed = (position.rev, position.stale) if position else (0, ())
                try:
                    report_of_node = NodeReport(
                        name, rev, now.isoformat(), failed, reading_version()
                    )
                    put_node_report(store, report_of_node)
                except StoreError as error:  # such as out of memory: following goes on
                    problems.append(f"this node cannot say how far it is: {error}")
            state = FOLLOWING
            if report.lists or report.rules or report.withdrawn:
                published(report.lists, report)
            retry = FIRST_RETRY_SECONDS
        except StoreError as error:
            state = state_of(error)
            problems.append(str(error))
        problems += [found for found in (folding.problem, expiring.problem) if found]
        problem = "\n".join(problems)
        heard = now.isoformat() if state != "unreachable" else health.heard
        is_new = (state, problem) != (health.state, health.problem)
        health = Health(state, now.isoformat() if is_new else health.since, heard, problem)
        store.node.put_health(health)
        if is_new:
            health_changed(health)
        folding.start_if_due()
        if state == FOLLOWING:
            _wait(store, position.last if position else NO_CHANGE)
        else:
            time.sleep(retry * random.uniform(1 - RETRY_SPREAD, 1))
            retry = min(2 * retry, LONGEST_RETRY_SECONDS)


class _Expiring(threading.Thread):
    """Lets entries end at their time, whether Redis answers or not. problem: the last try's."""

    def __init__(
        self,
        node: Node[Any],
        published: Callable[[Sequence[ListReport]], object],
        go_on: Callable[[], bool],
    ) -> None:
        super().__init__(daemon=True)
        self._node = node
        self._published = published
        self._go_on = go_on
        self.problem = ""

    def run(self) -> None:
        while self._go_on():
            try:
                if expired := self._node.expire(datetime.datetime.now(datetime.UTC)):
                    self._published(expired)
                self.problem = ""
            except (StoreError, CatalogError, SnapshotError, OSError) as error:
                self.problem = f"entries that have expired stay: {error}"
            time.sleep(EXPIRY_SECONDS)


class _Folding:
    """Folds lists in the background: changes go on being published meanwhile. problem: the last
    try's.
    """

    def __init__(self, node: Node[Any]) -> None:
        self._node = node
        self._thread: threading.Thread | None = None
        self.problem = ""

    def start_if_due(self) -> None:
        if (self._thread is None or not self._thread.is_alive()) and self._node.folding_is_due():
            self._thread = threading.Thread(target=self._fold, daemon=True)
            self._thread.start()

    def _fold(self) -> None:
        try:
            self._node.fold()
            self.problem = ""
        except (KeyError, CatalogError, SnapshotError, OSError) as error:
            self.problem = f"a list cannot be written anew: {error}"


def _wait(store: RedisStore, last: str) -> None:
    """Until there is a change after `last`, or for a while; a failure is met by what comes next."""
    try:
        wait_for_change(store.client, store.key("changes"), last, BLOCK_MILLISECONDS)
    except StoreError:
        return


def state_of(error: StoreError) -> str:
    return _STATES.get(type(error), FAILING)


def put_node_report(store: RedisStore, report: NodeReport) -> None:
    """Raises StoreError."""
    fields = asdict(report)
    del fields["name"]
    content = json.dumps(fields)
    store.client.call("HSET", store.key("nodes"), report.name, content)


def node_reports(store: RedisStore) -> list[NodeReport]:
    """Sorted by name. Raises StoreError."""
    reports = []
    for name, content in store.client.call("HGETALL", store.key("nodes")).items():
        found = json.loads(content)
        failed = tuple(found.get("failed", ()))  # a node of a version before does not say it
        reading = str(found.get("reading", ""))
        reports.append(
            NodeReport(name.decode("utf-8", "replace"), found["rev"], found["at"], failed, reading)
        )
    return sorted(reports, key=lambda report: report.name)


def node_name(environment: Mapping[str, str]) -> str:
    """What this node is called: CALLSIEVE_NODE_NAME, or the host's name."""
    return environment.get(NAME_VARIABLE) or socket.gethostname()
