"""Redis away, slow, empty, older, full, cut off: legs are decided from the last good generation."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from loader.redis_store import RedisStore
from loader.store import Entry, StoreError, open_store
from tests.integration.test_monitoring import Monitored
from tests.support.cutting_proxy import cutting_proxy
from tests.support.many_entries import add_many
from tests.support.nodes import NodeProcess, three_nodes
from tests.support.redis_servers import RedisServer, one_server, until
from tests.support.service import Service, run, running

LISTED = "+48600100200"
LEG = ("--flow", "inbound", "--caller", LISTED, "--called", "+48221234567")


class Site:
    """A server, a store in it with one number, and a node's directory."""

    def __init__(self, server: RedisServer, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self.url = server.url()
        self.environment = {"CALLSIEVE_NODE_DIRECTORY": str(directory / "node")}
        assert self.run("store", "create", self.url, "--region", "none").returncode == 0
        added = self.run("add", "Default", LISTED, "--description", "asked not to")
        assert added.returncode == 0, added.stderr

    def run(self, *arguments: str) -> CompletedProcess[str]:
        return run(*arguments, store=self.url, **self.environment)

    def service(self, *options: str) -> AbstractContextManager[Service]:
        return running(self.directory / "service", *options, url=self.url, **self.environment)

    def status(self, code: int) -> dict[str, Any]:
        done = self.run("status", "--json")
        assert done.returncode == code, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def state(self) -> str:
        done = self.run("status", "--json")
        return str(json.loads(done.stdout)["store"]["state"])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with one_server(tmp_path / "redis") as server:
        yield Site(server, tmp_path)


def expect_refused(done: CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 5, (done.stdout, done.stderr)
    for word in words:
        assert word in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def figure(service: Service, name: str) -> float:
    """A figure without labels, as Prometheus gets it."""
    return Monitored(service).figures()[(name,)]


def gone(site: Site) -> None:
    site.server.kill()


def paused(site: Site) -> None:
    site.server.pause()


@pytest.mark.parametrize(("fault", "words"), [(gone, "refused"), (paused, "no answer")])
def test_legs_are_decided_without_redis_also_after_a_restart(
    site: Site, fault: Callable[[Site], None], words: str
) -> None:
    with site.service() as service:
        assert service.probe(*LEG)["action"] == "hangup"
        until(lambda: site.state() == "following")
        assert site.status(code=0)["problems"] == []
        fault(site)
        expect_refused(site.run("add", "Default", "+48600100201"), words)
        until(lambda: site.state() == "unreachable")
        assert service.probe(*LEG)["action"] == "hangup"
        assert service.stop() == 0
    with site.service() as service:
        assert service.probe(*LEG)["action"] == "hangup"
        status = site.status(code=1)
        [default] = status["lists"]
        assert (default["list"], default["entries"]) == ("Default", 1)
        assert default["bytes"] > 0
        assert site.run("decide", *LEG, "--json").returncode == 0
        site.server.kill()
        site.server.start()  # with nothing saved
        until(lambda: site.state() == "empty")
        assert service.probe(*LEG)["action"] == "hangup"


@pytest.mark.parametrize("fault", [gone, paused])
def test_an_entry_ends_at_its_time_without_redis(site: Site, fault: Callable[[Site], None]) -> None:
    leg = ("--flow", "inbound", "--caller", "+48600100201", "--called", "+48221234567")
    with site.service() as service:
        until(lambda: site.state() == "following")
        ends = datetime.datetime.now().astimezone() + datetime.timedelta(seconds=5)
        added = site.run("add", "Default", "+48600100201", "--expires", ends.isoformat())
        assert added.returncode == 0, added.stderr
        assert service.probe(*leg)["action"] == "hangup"
        fault(site)
        until(lambda: service.probe(*leg)["action"] == "continue")
        assert datetime.datetime.now().astimezone() >= ends
        assert service.probe(*LEG)["action"] == "hangup"


def test_a_redis_that_came_back_empty_empties_nothing_until_it_is_told_to(site: Site) -> None:
    with site.service("--metrics", "127.0.0.1:0") as service:
        until(lambda: figure(service, "callsieve_store_following") == 1)
        site.server.command("FLUSHALL")
        until(lambda: site.state() == "empty")
        until(lambda: figure(service, "callsieve_store_following") == 0)
        assert figure(service, "callsieve_store_heard_age_seconds") < 60
        for command in (
            ["add", "Default", "+48600100201"],
            ["reload"],
            ["reload", "Default"],
            ["store", "create", site.url],
        ):
            expect_refused(site.run(*command), "came back empty", "callsieve reload --accept-loss")
        assert site.server.command("DBSIZE") == 0
        assert service.probe(*LEG)["action"] == "hangup"
        accepted = site.run("reload", "--accept-loss")
        assert accepted.returncode == 0, accepted.stderr
        assert service.probe(*LEG)["action"] == "continue"
        until(lambda: site.state() == "following")
        assert site.run("add", "Default", LISTED).returncode == 0
        assert service.probe(*LEG)["action"] == "hangup"


def test_a_service_does_not_start_on_an_empty_redis(tmp_path: Path) -> None:
    with one_server(tmp_path / "redis") as server:
        node = {"CALLSIEVE_NODE_DIRECTORY": str(tmp_path / "node")}
        done = run("serve", "--listen", "127.0.0.1:0", store=server.url(), **node)
        expect_refused(done, "expected a Callsieve store", "callsieve store create")
        assert server.command("DBSIZE") == 0


def test_a_redis_that_came_back_older_takes_nothing_from_the_node(site: Site) -> None:
    site.server.command("SAVE")
    assert site.run("add", "Default", "+48600100201").returncode == 0
    with three_nodes([site.url], site.directory) as [node]:
        until(lambda: node.numbers() == {LISTED, "+48600100201"})
        site.server.kill()
        site.server.start()  # from what SAVE left
        until(lambda: node.state() == "lost changes")
        expect_refused(site.run("add", "Default", "+48600100202"), "lost at least 1 changes")
        assert node.numbers() == {LISTED, "+48600100201"}
        done = run("reload", "--accept-loss", store=site.url, **node.environment)
        assert done.returncode == 0, done.stderr
        until(lambda: node.state() == "following")
        assert node.numbers() == {LISTED, "+48600100202"}


def test_another_store_under_the_same_name_is_not_followed(site: Site, tmp_path: Path) -> None:
    with one_server(tmp_path / "other") as other:
        open_store(other.url(), create=True).list_names()
        done = run("reload", store=other.url(), **site.environment)
        expect_refused(done, "expected the store", "--accept-loss")
        assert run("decide", *LEG, store=other.url(), **site.environment).returncode == 0


def test_a_redis_without_memory_refuses_changes_whole(site: Site) -> None:
    numbers = site.directory / "numbers.csv"
    numbers.write_text("".join(f"+48{600_000_000 + at}\n" for at in range(20_000)))
    with site.service() as service:
        site.server.command("CONFIG", "SET", "maxmemory", "1mb")
        before = sorted(site.server.command("KEYS", "*"))
        expect_refused(site.run("add", "Default", "+48600100201"), "out of memory")
        expect_refused(site.run("import", "Default", str(numbers)), "out of memory")
        assert sorted(site.server.command("KEYS", "*")) == before
        assert service.probe(*LEG)["action"] == "hangup"
        problems = site.status(code=1)["problems"]
        assert any("memory is used up" in str(problem) for problem in problems)
        site.server.command("CONFIG", "SET", "maxmemory", "0")
        assert site.run("add", "Default", "+48600100201").returncode == 0
        assert service.probe(*LEG[:2], "--caller", "+48600100201", *LEG[4:])["action"] == "hangup"


def test_entries_that_redis_dropped_are_missed(site: Site) -> None:
    """As an evicting maxmemory-policy drops them: whole keys, without a word."""
    assert site.run("reload").returncode == 0
    [bucket] = [key for key in site.server.command("KEYS", "*") if ":b:" in key]
    site.server.command("DEL", bucket)
    done = site.run("reload")
    assert done.returncode == 2
    assert "list Default: expected 1 entries in Redis, found 0" in done.stderr
    assert json.loads(site.run("decide", *LEG, "--json").stdout)["action"] == "hangup"
    site.server.command("CONFIG", "SET", "maxmemory", "1gb")
    site.server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    assert "maxmemory-policy: expected noeviction" in site.run("status").stderr


def test_a_full_copy_cut_in_the_middle_is_not_published(tmp_path: Path) -> None:
    numbers = {f"+48{600_000_000 + at}" for at in range(3000)}
    with one_server(tmp_path / "redis") as server, cutting_proxy(server.port) as proxy:
        store = open_store(server.url(), create=True)
        add_many(store, "Default", map(Entry, numbers))
        node = NodeProcess(f"redis://127.0.0.1:{proxy.port}", tmp_path, "node")
        whole = 24_000
        for cut in (1, 100, 1000, 5000, 12_000, whole):
            proxy.cut_after = cut
            done = run("reload", store=node.url, **node.environment)
            expect_refused(done, "redis://127.0.0.1")
            assert node.numbers() in (None, set())
        proxy.cut_after = None
        done = run("reload", store=node.url, **node.environment)
        assert done.returncode == 0, done.stderr
        assert node.numbers() == numbers


def test_a_change_cut_in_the_middle_is_made_or_not_and_can_be_repeated(tmp_path: Path) -> None:
    many = [Entry(f"+48{600_000_000 + at}") for at in range(100)]
    with one_server(tmp_path / "redis") as server, cutting_proxy(server.port) as proxy:
        through = open_store(f"redis://127.0.0.1:{proxy.port}", create=True)
        straight = open_store(server.url())
        through.list_names()
        sizes = set()
        for cut in range(0, 1000, 25):
            proxy.cut()
            proxy.mend()
            proxy.cut_after = cut
            try:
                add_many(through, "Default", many)
            except StoreError as error:
                assert "127.0.0.1" in str(error)  # noqa: PT017
            server.command("DEL", "none", *server.command("KEYS", "*:lock:*"))  # as it does in 30 s
            entries = list(straight.entries("Default", None))
            sizes.add(len(entries))
            for entry in entries:
                assert isinstance(entry, Entry)
                straight.remove("Default", entry.number, None)
        assert sizes == {0, 100}


def test_what_a_dead_import_left_is_deleted_by_the_next(site: Site) -> None:
    store = open_store(site.url)
    assert isinstance(store, RedisStore)
    before = {key for key in site.server.command("KEYS", "*") if ":b:" in key}

    def dying() -> Iterator[Entry]:
        for at in range(12_000):
            yield Entry(f"+48{600_000_000 + at}")
        site.server.kill()  # the connection is lost, and nothing can be tidied up
        yield Entry("+48999")

    site.server.command("CONFIG", "SET", "appendonly", "yes")
    until(lambda: site.server.command("INFO", "persistence")["aof_rewrite_in_progress"] == 0)
    with pytest.raises(StoreError):
        add_many(store, "Default", dying())
    site.server.start("--appendonly", "yes")
    assert [e.number for e in store.entries("Default", None) if isinstance(e, Entry)] == [LISTED]
    assert len(site.server.command("KEYS", "*:b:2:*")) > len(before)
    site.server.command("DEL", *site.server.command("KEYS", "*:lock:*"))  # as it does by itself
    add_many(store, "Default", [Entry(f"+48{600_000_000 + at}") for at in range(6000)])
    assert site.server.command("KEYS", "*:b:2:*") == []
    assert site.server.command("HLEN", store.key("garbage")) == 0
    assert len(list(store.entries("Default", None))) == 6001
