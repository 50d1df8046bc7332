"""One list of a Redis store: adding, removing, reading, each in one step or over again."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import TypeVar

from loader.locking import WAIT_SECONDS
from loader.merging import checked, merged
from loader.redis_buckets import Buckets, Change, Fields, Head, LookAgainError, expect_done
from loader.redis_client import RedisClient
from loader.redis_records import BadRecordError, entry_of, field_of, value_of
from loader.redis_scripts import REMOVE_LIST
from loader.redis_staging import Staging, sweep
from loader.store import AddOutcome, Entry, Reject, StoreError, UnknownListError, quoted

# Numbers that one step sets: 0.05 s in which Redis does nothing else, and 80 KB in the stream.
STEP = 5_000
POLL_SECONDS = 0.02

T = TypeVar("T")


class RedisList:
    """The list `name`. Raises UnknownListError when it is not there, at the first use."""

    def __init__(self, client: RedisClient, buckets: Buckets, name: str) -> None:
        self._client = client
        self._buckets = buckets
        self._name = name

    def add_many(self, entries: Iterable[Entry]) -> dict[AddOutcome, int]:
        given = map(checked, entries)
        first = list(islice(given, STEP + 1))
        if len(first) > STEP:
            return self._replaced_with(chain(first, given))
        fields = [field_of(entry.number) for entry in first]

        def step(head: Head) -> dict[AddOutcome, int]:
            changes, counts = weigh(first, self._buckets.read(self._name, head, fields))
            if changes:
                self._buckets.change(self._name, head, changes)
            if counts[AddOutcome.ADDED]:
                self._buckets.grow(head.id)
            return counts

        return self._done(step)

    def try_many(self, entries: Iterable[Entry]) -> dict[AddOutcome, int]:
        """What add_many() would say."""
        given = map(checked, entries)
        counts = dict.fromkeys(AddOutcome, 0)
        would_be: dict[bytes, bytes] = {}
        while some := list(islice(given, STEP)):
            known = self.read([field_of(entry.number) for entry in some])
            changes, more = weigh(some, known | would_be)
            would_be |= {field: change.new for field, change in changes.items() if change.new}
            for outcome, count in more.items():
                counts[outcome] += count
        return counts

    def _replaced_with(self, entries: Iterator[Entry]) -> dict[AddOutcome, int]:
        """Add to a copy of the list, and put that in its place."""
        counts = dict.fromkeys(AddOutcome, 0)
        with self._staged(empty=False) as staging:
            while some := list(islice(entries, STEP)):
                known = staging.read([field_of(entry.number) for entry in some])
                changes, more = weigh(some, known)
                staging.change(changes)
                for outcome, count in more.items():
                    counts[outcome] += count
        return counts

    def load(self, entries: Iterable[Entry]) -> int:
        """Put a list of just these in its place; how many there were."""
        given = map(checked, entries)
        loaded = 0
        with self._staged(empty=True) as staging:
            while some := list(islice(given, STEP)):
                try:
                    staging.change(_loaded(some, {}))
                except LookAgainError:  # some were there before
                    known = staging.read([field_of(entry.number) for entry in some])
                    staging.change(_loaded(some, known))
                loaded += len(some)
        return loaded

    @contextlib.contextmanager
    def _staged(self, empty: bool) -> Iterator[Staging]:
        """A copy of the list that takes its place at the end, unless the block raises."""
        staging = self._done(
            lambda head: Staging(self._client, self._buckets, self._name, head, empty=empty)
        )
        try:
            yield staging
            staging.put_in_place()
        finally:
            staging.close()

    def remove(self, number: str) -> tuple[Entry, ...]:
        field = field_of(number)

        def step(head: Head) -> tuple[Entry, ...]:
            known = self._buckets.read(self._name, head, [field])
            if field not in known:
                return ()
            self._buckets.change(self._name, head, {field: Change(known[field], None)})
            return (entry_of(field, known[field]),)

        return self._done(step)

    def read(self, fields: list[bytes]) -> dict[bytes, bytes]:
        """The values that there are."""
        return self._done(lambda head: self._buckets.read(self._name, head, fields))

    def entries(self) -> Iterator[Entry | Reject]:
        head = self.head()
        for at, (field, value) in enumerate(self._buckets.rows(head), 1):
            try:
                yield entry_of(field, value)
            except BadRecordError as error:
                yield Reject(at, f"{field!r} {value!r}", str(error))
        self._expect_current(head)

    def fields(self) -> tuple[Fields, Head]:
        """What a node needs, and what was known of the list before it was read."""
        head = self.head()
        fields = self._buckets.fields(head)
        self._expect_current(head)
        return fields, head

    def delete(self) -> None:
        def step(head: Head) -> None:
            keys = [self._buckets.key("lists"), self._buckets.key("lock", head.id)]
            keys += [self._buckets.key(one) for one in ("meta", "changes", "garbage")]
            arguments = [self._name, head.id, self._buckets.most_changes]
            expect_done(self._client.script(REMOVE_LIST, keys, arguments))

        self._done(step)
        sweep(self._client, self._buckets)

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
                time.sleep(POLL_SECONDS)


def _loaded(entries: Iterable[Entry], known: Mapping[bytes, bytes]) -> dict[bytes, Change]:
    """What setting `entries` changes, where the list has the values `known`."""
    changes: dict[bytes, Change] = {}
    for entry in entries:
        field = field_of(entry.number)
        before = known.get(field)
        now = changes[field].new if field in changes else before
        if now is None or _outlasts(entry, entry_of(field, now)):
            changes[field] = Change(before, value_of(entry))
    return changes


def _outlasts(new: Entry, old: Entry) -> bool:
    if old.expires is None:
        return False
    return new.expires is None or new.expires > old.expires


def weigh(
    entries: Iterable[Entry], known: Mapping[bytes, bytes]
) -> tuple[dict[bytes, Change], dict[AddOutcome, int]]:
    """What adding `entries` in turn changes, where the list has the values `known`."""
    counts = dict.fromkeys(AddOutcome, 0)
    changes: dict[bytes, Change] = {}
    for entry in entries:
        field = field_of(entry.number)
        before = known.get(field)
        now = changes[field].new if field in changes else before
        old = entry_of(field, now) if now is not None else None
        new = merged(old, entry)
        if new == old:
            counts[AddOutcome.PRESENT] += 1
            continue
        counts[AddOutcome.ADDED if old is None else AddOutcome.UPDATED] += 1
        changes[field] = Change(before, value_of(new))
    return changes, counts
