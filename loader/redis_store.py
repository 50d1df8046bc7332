"""The Redis store: the truth for many nodes. redis_scripts has its keys and its steps.

A change is one step together with its record in the change log and its record in the change
stream, which every node follows (redis_node). A few thousand numbers are compared and set in one
step; more are put into a copy of the list, which then takes its place in one step (redis_edit).

Redis 6.2 or later. Redis must keep what it was told: with `maxmemory` its policy must be
noeviction, and only appendonly or a replica lets a change outlive a crash of the server.
"""

import contextlib
import datetime
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loader.attached_list import Attached
from loader.change_log import Batch, Change, Origin, Part, this_process
from loader.entry_fields import field_of
from loader.list_keys import ListKeys, list_keys
from loader.new_rules import new_rules
from loader.node_directory import NodeDirectory
from loader.number_forms import as_read
from loader.redis_batches import RedisBatches
from loader.redis_buckets import Buckets
from loader.redis_client import RedisClient, StoreUnreachableError
from loader.redis_edit import RedisEdit
from loader.redis_feed import NO_CHANGE
from loader.redis_lines import fields_of_line, stored
from loader.redis_list import RedisList
from loader.redis_log import RedisLog
from loader.redis_records import entry_of
from loader.redis_rules import RedisRules
from loader.redis_scripts import CREATE, CREATE_LIST, STATE
from loader.redis_url import parse_redis_url
from loader.store import (
    DEFAULT_LIST,
    AddOutcome,
    BadValueError,
    Entry,
    Reject,
    StoreError,
    check_list_name,
    check_number,
    covers,
    quoted,
    rules_version,
)

FORMAT = "1"
MAX_PREFIX_CHARACTERS = 15  # + and 14 digits
CONFIRM_MILLISECONDS = 1000


class EmptyStoreError(StoreError):
    """Redis is there and has no store under this prefix."""


@dataclass(frozen=True, slots=True)
class StoreState:
    """A store at one moment.

    store: its identity, made with it. rev: changes so far. last: id of the newest one in the
    stream, or NO_CHANGE. rules: their version. lists: name -> list id.
    """

    store: str
    rev: int
    last: str
    rules: str
    lists: Mapping[str, str]


class RedisStore:
    """Implements loader.store.Store. Connects when it is first needed."""

    last_step = None  # nodes learn of changes from the stream

    def __init__(self, url: str, create: bool = False, region: str | None = None) -> None:
        """create: make a new store where there is none, unless this node has followed one there.
        region: the default region of a store that is made.

        Not to be asked for by what runs by itself: in the middle of a failover a server may be
        empty for a moment. Raises BadValueError for the URL.
        """
        self.place = parse_redis_url(url)
        self.client = RedisClient(self.place)
        # The braces are the hash tag: on a Cluster, all keys of the store are on one node.
        self._buckets = Buckets(self.client, f"{{{self.place.prefix}}}", self.place.changes)
        self.node = NodeDirectory.of(self.place.prefix)
        self._log = RedisLog(self.client, self.key("meta"), self.key("log"))
        self._batches = RedisBatches(self.client, self._buckets)
        self._rules = RedisRules(self.client, self._buckets, self._log, self.url)
        self._create = create
        self._new_region = region
        self._is_checked = False

    @property
    def url(self) -> str:
        return self.place.url

    @property
    def catalog_directory(self) -> Path:
        return self.node.snapshots

    def source(self, name: str) -> str:
        return f"{self.url} {name}"

    def version(self, name: str) -> str:
        return str(self.list(name).head().rev)

    def key(self, *parts: str | int) -> str:
        return self._buckets.key(*parts)

    # The store as a whole

    def state(self) -> StoreState:
        """Raises EmptyStoreError, StoreError."""
        keys = [self.key(one) for one in ("meta", "lists", "changes", "rules")]
        meta, lists, newest, rules = self.client.script(STATE, keys)
        if not meta:
            raise self._empty()
        fields = dict(zip(meta[::2], meta[1::2], strict=True))
        if (found := fields.get(b"format", b"").decode("utf-8", "replace")) != FORMAT:
            raise StoreError(
                f"{self.url}: expected a store of format {FORMAT}, found {quoted(found)}"
            )
        return StoreState(
            fields[b"store"].decode(),
            int(fields[b"rev"]),
            newest[0][0].decode() if newest else NO_CHANGE,
            rules.decode() if rules else "",
            {
                name.decode("utf-8", "surrogateescape"): list_id.decode()
                for name, list_id in zip(lists[::2], lists[1::2], strict=True)
            },
        )

    def create(self, region: str | None) -> None:
        """Make the store where there is none: the list Default, and rules to begin with, with this
        default region.
        """
        keys = [self.key("meta"), self.key("rules"), self.key("lists"), self.key("head", 1)]
        identity = secrets.token_hex(16)
        rules = new_rules(region)
        arguments = [identity, rules, rules_version(rules), DEFAULT_LIST, 1]
        self._confirm(bool(self.client.script(CREATE, keys, arguments)))

    def check(self) -> None:
        """Once: that there is a store of this format. Makes one where that was asked for.

        Raises EmptyStoreError, StoreError.
        """
        if self._is_checked:
            return
        try:
            self.state()
        except EmptyStoreError:
            if not self._create or self.node.position() is not None:
                raise
            self.create(self._new_region)
        self._is_checked = True

    def is_new(self) -> bool:
        """Whether there is no store, and this node has followed none there. Raises StoreError."""
        try:
            self.state()
        except EmptyStoreError:
            return self.node.position() is None
        return False

    def _empty(self) -> EmptyStoreError:
        text = f"{self.url}: expected a Callsieve store, found no key {self.key('meta')}"
        if self.node.position() is not None:
            text += (
                ", where this node has followed one: Redis came back empty, or it is another Redis."
                " Nothing was changed, and legs go on being decided from what this node has."
                " To begin anew, without those lists: callsieve reload --accept-loss"
            )
        else:
            text += "; callsieve store create makes one"
        return EmptyStoreError(text)

    def problems(self) -> tuple[str, ...]:
        self.check()
        bad_names = []
        for name in self.state().lists:
            try:
                check_list_name(name)
            except BadValueError as error:
                bad_names.append(f"{self.url}: {error}")
        return (*bad_names, *self._memory_problems())

    def _memory_problems(self) -> Iterator[str]:
        try:
            memory = self.client.info(self.key("meta"), "memory")
        except StoreUnreachableError:
            raise
        except StoreError:  # an ACL may well forbid INFO; nothing else depends on it
            return
        most = int(memory.get("maxmemory", 0))
        policy = str(memory.get("maxmemory_policy", "noeviction"))
        if most and policy != "noeviction":
            yield (
                f"{self.url}: maxmemory-policy: expected noeviction, found {policy}: Redis may drop"
                " entries when its memory is used up"
            )
        if most and int(memory.get("used_memory", 0)) >= most:
            yield f"{self.url}: its memory is used up ({most} bytes), so it takes no changes"

    # Lists

    def list_names(self) -> tuple[str, ...]:
        self.check()
        names = {DEFAULT_LIST}
        for name in self.state().lists:
            with contextlib.suppress(BadValueError):  # problems() has it
                names.add(check_list_name(name))
        return tuple(sorted(names))

    def region_of(self, name: str) -> str | None:
        return self.list(name).region()

    def create_list(
        self, name: str, origin: Origin | None = None, region: str | None = None
    ) -> bool:
        check_list_name(name)
        self.check()
        new_id = str(self.client.call("HINCRBY", self.key("meta"), "next", 1))
        keys = [self.key(one) for one in ("lists", "meta", "changes", "log")]
        keys += [self.key("head", new_id), self.key("regions")]
        answer = b"logged"
        while answer == b"logged":
            change = Change(name, "create list", region=region)
            step = self._log.next(change, origin or this_process())
            arguments = [name, new_id, self.place.changes, *step.arguments, region or ""]
            answer = self.client.script(CREATE_LIST, keys, arguments)
        self._confirm(answer == b"ok")
        return bool(answer == b"ok")

    def remove_list(self, name: str, origin: Origin | None = None) -> None:
        if name == DEFAULT_LIST:
            raise BadValueError(f"list {quoted(name)}: it always exists and cannot be removed")
        self.list(name).delete(origin)
        self._confirm(True)

    def list(self, name: str) -> RedisList:
        check_list_name(name)
        self.check()
        return RedisList(self.client, self._buckets, self._log, name)

    def entries(self, name: str, region: str | None) -> Iterator[Entry | Reject]:  # noqa: ARG002
        """In no order. What is in Redis is canonical, so that no region is needed."""
        return self.list(name).entries()

    def keys(self, name: str, region: str | None, now: datetime.datetime) -> ListKeys:
        return list_keys(self.entries(name, region), now)

    def add(
        self,
        name: str,
        entry: Entry,
        region: str | None,  # noqa: ARG002
        origin: Origin | None = None,
        weigh: Callable[[Entry | None, Entry], object] | None = None,
    ) -> AddOutcome:
        outcome = self.list(name).add(entry, origin, weigh)
        self._confirm(outcome is not AddOutcome.PRESENT)
        return outcome

    def remove(
        self,
        name: str,
        number: str,
        region: str | None,  # noqa: ARG002
        origin: Origin | None = None,
    ) -> tuple[Entry, ...]:
        removed = self.list(name).remove(check_number(number), origin)
        self._confirm(bool(removed))
        return removed

    @contextlib.contextmanager
    def edit(
        self,
        name: str,
        region: str | None,  # noqa: ARG002
        replace: bool = False,
    ) -> Iterator[RedisEdit]:
        edit = self.list(name).edit(replace)
        try:
            yield edit
        finally:
            edit.close()
        self._confirm(edit.is_made)

    def attached(self, name: str) -> Attached | None:
        self.list(name).head()
        return None

    def attach(self, name: str, attached: Attached, origin: Origin | None = None) -> None:  # noqa: ARG002
        raise self._no_registries(name)

    def apply_changes(
        self,
        name: str,
        file: Path,  # noqa: ARG002
        since: datetime.date,  # noqa: ARG002
        as_of: datetime.date,  # noqa: ARG002
        region: str | None,  # noqa: ARG002
        origin: Origin | None = None,  # noqa: ARG002
    ) -> Batch:
        raise self._no_registries(name)

    def _no_registries(self, name: str) -> BadValueError:
        return BadValueError(
            f"list {quoted(name)}: expected a store in a directory, found {self.url}: a registry's"
            " file is one of this machine, and other nodes do not have it"
        )

    # The change log

    def note(self, change: Change, origin: Origin | None = None) -> None:
        self.check()
        self._log.append(change, origin or this_process())
        self._confirm(True)

    def log_lines(self) -> Iterator[bytes]:
        self.check()
        return self._log.lines()

    def batch_rows(
        self,
        batch: Batch,
        part: Part,
        region: str | None = None,  # noqa: ARG002
    ) -> Iterator[Entry | Reject]:
        return self._batches.rows(batch, part)

    def find_in_batch(self, batch: Batch, part: Part, number: str) -> Iterator[Entry]:
        for row in self._batches.rows(batch, part):
            if isinstance(row, Entry) and covers((entry := as_read(row)).number, number):
                yield entry

    def check_batch(self, batch: Batch) -> None:
        self._batches.check(batch)

    def find(self, number: str, region: str | None) -> Iterator[tuple[str, Entry]]:  # noqa: ARG002
        line = fields_of_line(check_number(number))
        above: list[bytes] = []
        if number.startswith("+"):
            ends = range(2, min(len(number.rstrip("*")), MAX_PREFIX_CHARACTERS) + 1)
            above = [field_of(prefix) for end in ends if (prefix := f"{number[:end]}*") != number]
        for name in self.list_names():
            values = self.list(name).read([*line, *above])
            found = stored(line, values)
            found |= {field: entry_of(field, values[field]) for field in above if field in values}
            for _, entry in sorted(found.items()):
                yield name, as_read(entry)

    # Rules

    def rules_text(self) -> str:
        self.check()
        return self._rules.text()

    def put_rules(
        self, text: str, version: str, origin: Origin | None = None, what: str = "rules"
    ) -> None:
        self.check()
        self._confirm(self._rules.put(text, version, origin, what))

    def note_rules_edit(self, before: str, origin: Origin | None = None) -> None:
        """Nothing: nobody edits them by hand."""

    def kept_rules(self, sha256: str) -> str:
        return self._rules.kept(sha256)

    def locked(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Keeps other processes of this node from publishing; a change needs no lock."""
        self.list(name).head()
        return self.node.publishing()

    def _confirm(self, changed: bool) -> None:
        """Wait until as many replicas have everything as the URL asks for.

        A command that changed nothing asks too: it may be the repetition of one that was not
        confirmed. Raises StoreError.
        """
        wanted = self.place.replicas
        if not wanted:
            return
        if not changed:  # Redis counts from this connection's last change on
            self.client.call("HINCRBY", self.key("meta"), "asked", 1)
        confirmed = self.client.wait(self.key("meta"), wanted, CONFIRM_MILLISECONDS)
        if confirmed < wanted:
            raise StoreError(
                f"{self.url}: done, but only {confirmed} of {wanted} replicas confirmed it within"
                f" {CONFIRM_MILLISECONDS} ms: should the master fail now, it is lost."
                " Repeat the command to ask again"
            )
