"""One list of a Redis store: adding, removing, reading, each in one step or over again."""

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from loader.change_log import Batch, Origin, new_batch_id, this_process
from loader.change_log import Change as Logged
from loader.entry_fields import BadRecordError
from loader.locking import WAIT_SECONDS
from loader.merging import checked, merged
from loader.number_forms import as_read
from loader.redis_batches import RedisBatches, hashed
from loader.redis_buckets import (
    Buckets,
    Change,
    Fields,
    Head,
    LookAgainError,
    Recorded,
)
from loader.redis_client import RedisClient
from loader.redis_edit import RedisEdit
from loader.redis_lines import fields_of_line, longest, stored
from loader.redis_log import RedisLog
from loader.redis_records import entry_of, value_of
from loader.redis_scripts import REMOVE_LIST
from loader.redis_staging import ListLock
from loader.store import AddOutcome, Entry, Reject, StoreError, UnknownListError, quoted

# How long to wait, on average, before a step is taken again: many writers must not stay in step.
POLL_SECONDS = 0.01

T = TypeVar("T")


class RedisList:
    """The list `name`. Raises UnknownListError when it is not there, at the first use."""

    def __init__(self, client: RedisClient, buckets: Buckets, log: RedisLog, name: str) -> None:
        self._client = client
        self._buckets = buckets
        self._log = log
        self._name = name

    def add(
        self,
        entry: Entry,
        origin: Origin | None,
        weigh: Callable[[Entry | None, Entry], object] | None,
    ) -> AddOutcome:
        entry = as_read(checked(entry))
        line = fields_of_line(entry.number)
        origin = origin or this_process()

        def step(head: Head) -> AddOutcome:
            values = self._buckets.read(self._name, head, line)
            there = stored(line, values)
            logged_old = longest(there.values())
            old = as_read(logged_old) if logged_old else None
            new = merged(old, entry)
            if new == old:
                return AddOutcome.PRESENT
            if weigh:
                weigh(old, new)
            logged = Logged(self._name, "update" if old else "add", new.number, logged_old, new)
            changes = {field: Change(values[field], None) for field in there}
            changes[line[0]] = Change(values.get(line[0]), value_of(new))
            self._change(head, changes, logged, origin)
            self._buckets.grow(head.id)
            return AddOutcome.UPDATED if old else AddOutcome.ADDED

        return self._done(step)

    def remove(self, number: str, origin: Origin | None) -> tuple[Entry, ...]:
        line = fields_of_line(number)
        origin = origin or this_process()

        def step(head: Head) -> tuple[Entry, ...]:
            values = self._buckets.read(self._name, head, line)
            there = stored(line, values)
            old = longest(there.values())
            if old is None:
                return ()
            logged = Logged(self._name, "remove", old.number, old)
            changes = {field: Change(values[field], None) for field in there}
            self._change(head, changes, logged, origin)
            return tuple(map(as_read, there.values()))

        return self._done(step)

    def edit(self, replace: bool) -> RedisEdit:
        """Has the list to itself, when others have finished with it."""
        return self._done(
            lambda head: RedisEdit(
                self._client, self._buckets, self._log, self._name, head, replace
            )
        )

    def read(self, fields: list[bytes]) -> dict[bytes, bytes]:
        """The values that there are."""
        return self._done(lambda head: self._buckets.read(self._name, head, fields))

    def entries(self) -> Iterator[Entry | Reject]:
        head = self.head()
        for at, (field, value) in enumerate(self._buckets.rows(head), 1):
            try:
                yield as_read(entry_of(field, value))
            except BadRecordError as error:
                yield Reject(at, f"{field!r} {value!r}", str(error))
        self._expect_current(head)

    def fields(self) -> tuple[Fields, Head]:
        """What a node needs, and what was known of the list before it was read."""
        head = self.head()
        fields = self._buckets.fields(head)
        self._expect_current(head)
        return fields, head

    def delete(self, origin: Origin | None) -> None:
        """The entries stay, as the rows of a batch."""
        origin = origin or this_process()
        lock = self._done(lambda head: ListLock(self._client, self._buckets, self._name, head))
        try:
            batches = RedisBatches(self._client, self._buckets)
            kept = hashed(batches.removed_list(lock.list_id), lock.renew)
            rows = kept.rows if kept else 0
            batch = Batch(new_batch_id(), 0, 0, rows, 0, 0, kept, None)
            logged = Logged(self._name, "remove list", batch=batch, region=self.region())
            keys = [self._buckets.key("lists"), lock.key]
            keys += [self._buckets.key(one) for one in ("meta", "changes", "log")]
            keys += [batches.list_key(batch.id), self._buckets.key("regions")]
            arguments = [self._name, lock.list_id, lock.token, self._buckets.most_changes]
            answer = b"logged"
            while answer == b"logged":
                step = self._log.next(logged, origin)
                answer = self._client.script(REMOVE_LIST, keys, [*arguments, *step.arguments])
            if answer != b"ok":
                raise lock.lost()
        finally:
            lock.close()

    def region(self) -> str | None:
        """The list's own."""
        found = self._client.call("HGET", self._buckets.key("regions"), self._name)
        return found.decode("utf-8", "replace") if found else None

    def head(self) -> Head:
        """Raises UnknownListError."""
        lists = self._buckets.key("lists")
        while found := self._client.call("HGET", lists, self._name):
            head = self._buckets.head(found.decode())
            if head is not None:
                return head
            if self._client.call("HGET", lists, self._name) == found:
                raise StoreError(f"list {quoted(self._name)}: its entries are gone from Redis")
        names = sorted(
            name.decode("utf-8", "replace") for name in self._client.call("HKEYS", lists)
        )
        raise UnknownListError(f"list {quoted(self._name)}: expected one of {', '.join(names)}")

    def _change(
        self, head: Head, changes: dict[bytes, Change], logged: Logged, origin: Origin
    ) -> None:
        step = self._log.next(logged, origin)
        self._buckets.change(self._name, head, changes, Recorded(step))

    def _expect_current(self, head: Head) -> None:
        """Raises StoreError when the list that was read is no longer the one in use."""
        if self._client.call("HGET", self._buckets.key("lists"), self._name) != head.id.encode():
            raise StoreError(
                f"list {quoted(self._name)}: replaced while it was being read; try again"
            )

    def _done(self, step: Callable[[Head], T]) -> T:
        """Takes the step, over again while others change the list under it."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                return step(self.head())
            except LookAgainError:
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"list {quoted(self._name)}: another command has been changing it for more"
                        f" than {WAIT_SECONDS:g} seconds"
                    ) from None
                time.sleep(random.uniform(0, 2 * POLL_SECONDS))
