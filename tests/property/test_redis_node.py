"""A node against a dictionary: whatever happens in the store, it publishes what is in force."""

from __future__ import annotations

import datetime
import struct
from pathlib import Path
from typing import cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from loader.change_log import BatchDetails
from loader.entry_fields import microseconds
from loader.node_directory import NodeDirectory
from loader.publishing import next_expiry
from loader.redis_node import Node
from loader.redis_store import RedisStore
from loader.store import Entry, is_prefix
from lookup_core import Catalog, PublishedList
from lookup_core.snapshot_format import FORMAT_VERSION
from tests.conftest import NewStore
from tests.support.reference_writer import resealed

START = datetime.datetime(2098, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)

numbers = st.sampled_from(
    ["+48600100200", "+48600100201", "+48600*", "+4860*", "1000", "*30", "anonymous", "no-number"]
)
expiries = st.one_of(st.none(), st.integers(1, 5).map(lambda days: START + days * DAY))
entries = st.builds(Entry, numbers, st.just(START.date()), st.just(""), expiries)


class NodeMachine(RuleBasedStateMachine):
    """The clock stands still but for pass_time(), and the node is behind until catch_up()."""

    def __init__(self, url: str, directory: Path) -> None:
        super().__init__()
        self.url = url
        self.now = START
        self.directory = directory
        self.model: dict[str, dict[str, Entry]] = {"Default": {}}
        self.behind = True

    @initialize()
    def make(self) -> None:
        self.store = RedisStore(f"{self.url}&changes=6", create=True)
        self.store.list_names()
        self.start_node()

    @rule()
    def start_node(self) -> None:
        """Another process: it has what is on the disk."""
        store = RedisStore(self.store.url)
        store.node = NodeDirectory(self.directory)
        store.node.create()
        self.catalog = Catalog(store.catalog_directory, create=True)
        self.node: Node[str] = Node(store, self.catalog, lambda text, _: text)

    @rule()
    def start_another_version_of_the_node(self) -> None:
        """It cannot open what is on the disk, as those files of another format are."""
        for path in (self.directory / "snapshots").glob("*.snapshot"):
            data = bytearray(path.read_bytes())
            struct.pack_into("<I", data, 12, FORMAT_VERSION - 1)
            path.write_bytes(resealed(data))
        self.start_node()
        self.behind = True

    @rule(name=st.sampled_from(["Default", "Other"]), entry=entries)
    def add(self, name: str, entry: Entry) -> None:
        if name in self.model:
            self.store.add(name, entry, None)
            self.model[name][entry.number] = entry
            self.behind = True

    @rule(name=st.sampled_from(["Default", "Other"]), number=numbers)
    def remove(self, name: str, number: str) -> None:
        if name in self.model:
            self.store.remove(name, number, None)
            self.model[name].pop(number, None)
            self.behind = True

    @rule(many=st.lists(entries, unique_by=lambda entry: entry.number))
    def replace(self, many: list[Entry]) -> None:
        with self.store.edit("Default", None, replace=True) as edit:
            for entry in many:
                edit.put(entry)
            edit.commit(BatchDetails())
        self.model["Default"] = {entry.number: entry for entry in many}
        self.behind = True

    @rule()
    def create_or_remove_a_list(self) -> None:
        if self.model.pop("Other", None) is None:
            self.store.create_list("Other")
            self.model["Other"] = {}
        else:
            self.store.remove_list("Other")
        self.behind = True

    @rule()
    def catch_up(self) -> None:
        report = self.node.catch_up(self.now)
        assert report.problems == ()
        self.node.expire(self.now)
        self.behind = False

    @rule()
    def reread(self) -> None:
        self.node.reread(self.model, self.now)
        self.behind = False

    @precondition(lambda self: not self.behind)
    @rule()
    def fold(self) -> None:
        for name in self.model:
            self.catalog.fold(name)

    @precondition(lambda self: not self.behind)
    @rule(days=st.integers(1, 2))
    def pass_time(self, days: int) -> None:
        """Without the store."""
        self.now += days * DAY + datetime.timedelta(hours=1)
        self.node.expire(self.now)

    @invariant()
    def publishes_what_is_in_force(self) -> None:
        if self.behind:
            return
        view = self.catalog.current()
        assert set(view.lists) == set(self.model)
        for name, expected in self.model.items():
            found = view.lists[name]
            assert isinstance(found, PublishedList)
            in_force = [entry for entry in expected.values() if not entry.expired(self.now)]
            prefixes = {entry.number for entry in in_force if is_prefix(entry.number)}
            assert set(found.snapshot.prefixes) == prefixes
            assert set(found.snapshot) == {entry.number for entry in in_force} - prefixes
            assert found.info["entries"] == len(in_force)
            ends = [entry.expires for entry in in_force if entry.expires]
            assert next_expiry(found) == min(ends, default=None)
            # And from now on without anybody who takes out what ends.
            for later in (self.now, self.now + DAY, self.now + 3 * DAY):
                ended = found.snapshot.ended(microseconds(later))
                assert set(ended) == {one.number for one in in_force if one.expired(later)}


def test_a_node_publishes_what_is_in_force(new_redis_store: NewStore, tmp_path: Path) -> None:
    made = iter(range(10**9))
    make = cast(
        "type[NodeMachine]", lambda: NodeMachine(new_redis_store(), tmp_path / f"n{next(made)}")
    )
    run_state_machine_as_test(
        make, settings=settings(max_examples=60, stateful_step_count=25, deadline=None)
    )
