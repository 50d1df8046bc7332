"""Three nodes on real Redis servers that fail: no acknowledged change is lost, and all converge."""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loader.redis_store import RedisStore
from loader.store import AddOutcome, Entry, StoreError, open_store
from tests.support.cutting_proxy import cutting_proxy
from tests.support.many_entries import add_many
from tests.support.nodes import NodeProcess, three_nodes
from tests.support.patience import PATIENCE_SECONDS
from tests.support.redis_servers import (
    cluster_of_three,
    one_server,
    sentinel_trio,
    until,
)
from tests.support.service import CALLSIEVE, run

DURABLE = ("--appendonly", "yes", "--appendfsync", "everysec")


class Writer:
    """Adds and removes numbers of its own, and knows what it was told.

    expected: number -> whether it is in the list. in_doubt: numbers of changes that failed: they
    may have been made or not.
    """

    def __init__(self, url: str, first: int) -> None:
        self.url = url
        self.numbers = [f"+48{first + at}" for at in range(40)]
        self.expected: dict[str, bool] = {}
        self.in_doubt: set[str] = set()
        self.acknowledged = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._write)
        self._rng = random.Random(first)

    def _write(self) -> None:
        store = open_store(self.url)
        while not self.stop.is_set():
            number = self._rng.choice(self.numbers)
            wanted = self._rng.random() < 0.6
            try:
                if wanted:
                    assert store.add("Default", Entry(number), None) in AddOutcome
                else:
                    store.remove("Default", number, None)
            except StoreError:
                self.in_doubt.add(number)
                continue
            self.in_doubt.discard(number)
            self.expected[number] = wanted
            self.acknowledged += 1


@contextmanager
def writing(url: str) -> Iterator[list[Writer]]:
    """Two writers at work. A failure of theirs is the test's."""
    writers = [Writer(url, first) for first in (600_000_000, 700_000_000)]
    for writer in writers:
        writer.thread.start()
    try:
        yield writers
    finally:
        stop(writers)


def stop(writers: list[Writer]) -> None:
    for writer in writers:
        writer.stop.set()
    for writer in writers:
        writer.thread.join(PATIENCE_SECONDS)


def acknowledge_more(writers: list[Writer], how_many: int = 60) -> None:
    """Wait until each was told so often that a change is made."""
    wanted = [writer.acknowledged + how_many for writer in writers]
    until(lambda: all(w.acknowledged >= n for w, n in zip(writers, wanted, strict=True)))


def expect_nothing_lost(url: str, writers: list[Writer], nodes: list[NodeProcess]) -> None:
    rows = list(open_store(url).entries("Default", None))
    assert all(isinstance(row, Entry) for row in rows)
    stored = {row.number for row in rows if isinstance(row, Entry)}
    for writer in writers:
        assert writer.acknowledged
        for number, wanted in writer.expected.items():
            assert number in writer.in_doubt or (number in stored) == wanted, number
    until(lambda: all(node.numbers() == stored for node in nodes))


def new_store(url: str) -> RedisStore:
    store = open_store(url, create=True)
    assert isinstance(store, RedisStore)
    until(lambda: _is_made(store))
    return store


def _is_made(store: RedisStore) -> bool:
    try:
        return bool(store.list_names())
    except StoreError:
        return False


def test_one_server_that_is_paused_killed_and_cut_off(tmp_path: Path) -> None:
    with one_server(tmp_path / "redis", *DURABLE) as server, cutting_proxy(server.port) as proxy:
        new_store(server.url())
        through_proxy = f"redis://127.0.0.1:{proxy.port}"
        urls = [server.url(), server.url(), through_proxy]
        with three_nodes(urls, tmp_path) as nodes, writing(server.url()) as writers:
            acknowledge_more(writers)
            proxy.cut()  # the third node is cut off
            acknowledge_more(writers)
            nodes[0].kill()
            acknowledge_more(writers)
            server.pause()
            until(lambda: nodes[1].state() == "unreachable")
            server.resume()
            acknowledge_more(writers)
            nodes[0].start()
            server.kill()
            until(lambda: nodes[1].state() == "unreachable")
            server.start()
            acknowledge_more(writers)
            proxy.mend()
            acknowledge_more(writers)
        # The writers have stopped and the nodes were killed: they start with what they had.
        with three_nodes(urls, tmp_path) as nodes:
            expect_nothing_lost(server.url(), writers, nodes)


def test_nodes_converge_while_connections_break_in_the_middle(tmp_path: Path) -> None:
    rng = random.Random(20261124)
    with one_server(tmp_path / "redis") as server, cutting_proxy(server.port) as proxy:
        store = new_store(server.url())
        add_many(store, "Default", [Entry(f"+48{600_000_000 + at}") for at in range(3000)])
        url = f"redis://127.0.0.1:{proxy.port}"
        proxy.cut_after = 0
        with three_nodes([url] * 3, tmp_path) as nodes, writing(server.url()) as writers:
            for _ in range(30):
                proxy.cut_after = rng.randrange(1, 40_000)
                acknowledge_more(writers, 5)
                proxy.cut()
                proxy.mend()
            stop(writers)
            expect_nothing_lost(server.url(), writers, nodes)


def test_a_master_that_dies_behind_sentinels(tmp_path: Path) -> None:
    with sentinel_trio(tmp_path / "redis") as trio:
        new_store(trio.url)
        with three_nodes([trio.url] * 3, tmp_path) as nodes, writing(trio.url) as writers:
            acknowledge_more(writers)
            first = trio.current_master()
            first.kill()
            until(lambda: trio.current_master() is not first)
            acknowledge_more(writers)
            first.start()  # as a replica of the new one
            second = trio.current_master()
            second.pause()
            until(lambda: trio.current_master() is not second)
            second.resume()
            acknowledge_more(writers)
            stop(writers)
            expect_nothing_lost(trio.url, writers, nodes)


def test_a_cluster_whose_node_dies(tmp_path: Path) -> None:
    with cluster_of_three(tmp_path / "redis", *DURABLE) as servers:
        hosts = ",".join(server.address for server in servers)
        url = f"redis+cluster://{hosts}?replicas=0"
        store = new_store(url)
        slot = servers[0].command("CLUSTER", "KEYSLOT", store.key("meta"))
        with three_nodes([url] * 3, tmp_path) as nodes, writing(url) as writers:
            acknowledge_more(writers)
            holder = next(s for s in servers if s.command("CLUSTER", "COUNTKEYSINSLOT", slot))
            assert all(
                key.startswith("{callsieve}:") for s in servers for key in s.command("KEYS", "*")
            )
            holder.kill()
            until(lambda: nodes[1].state() == "unreachable")
            holder.start()
            acknowledge_more(writers)
            stop(writers)
            expect_nothing_lost(url, writers, nodes)


@pytest.mark.parametrize("missed", [3, 30])
def test_a_node_that_was_away_catches_up_from_where_it_was(tmp_path: Path, missed: int) -> None:
    """After 3 changes from the stream, after 30 by a full copy: the stream keeps 10."""
    with one_server(tmp_path / "redis") as server:
        url = server.url(changes=10)
        store = new_store(url)
        store.create_list("Other")
        with three_nodes([url], tmp_path) as [node]:
            until(lambda: node.numbers("Other") == set())
        for at in range(missed):
            store.add("Default", Entry(f"+48{600_000_000 + at}"), None)
        store.remove("Default", "+48600000000", None)
        expected = {f"+48{600_000_000 + at}" for at in range(1, missed)}
        with three_nodes([url], tmp_path) as [node]:
            until(lambda: node.numbers() == expected)
            assert server.command("XLEN", store.key("changes")) <= 10


def test_a_change_that_this_node_cannot_publish_is_an_error(tmp_path: Path) -> None:
    """It is in the store, but no leg of this node is decided by it: `added` would be a lie."""

    def disk_is_full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))

    node = {"CALLSIEVE_NODE_DIRECTORY": str(tmp_path / "node")}
    with one_server(tmp_path / "redis") as server:
        url = server.url()
        assert run("store", "create", url, "--region", "none", **node).returncode == 0
        assert run("add", "Default", "+48600100200", store=url, **node).returncode == 0
        refused = subprocess.run(
            [*CALLSIEVE, "add", "Default", "+48600100201"],
            env=os.environ | node | {"CALLSIEVE_STORE": url},
            preexec_fn=disk_is_full,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (refused.returncode, refused.stdout) == (5, "")
        assert "this node has yet to publish it" in refused.stderr
        # Whatever publishes next brings it.
        assert run("add", "Default", "+48600100202", store=url, **node).returncode == 0
        decided = run("list", "ls", "--json", store=url, **node)
        assert [row["entries"] for row in json.loads(decided.stdout)] == [3], decided.stdout
