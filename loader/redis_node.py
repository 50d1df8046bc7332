"""A node's copy of a Redis store: published on the node's own disk, and brought up to date.

The node knows its position in the store's change stream, which is written after what was published.
A node that dies in between applies some changes twice, which changes nothing: a record says what a
number is after it, not how it came to that.

What the store has lost is not taken out of the lists by itself: see LostChangesError.
"""

import datetime
from array import array
from collections.abc import Callable, Collection, Iterable
from typing import Generic, TypeVar

from loader.node_directory import Position
from loader.publishing import (
    RULES_DOCUMENT,
    ListReport,
    RulesReport,
    StoreReport,
    list_info,
    publish_rules,
)
from loader.redis_feed import NO_CHANGE, ForkedError, Record, TrimmedError, read_feed
from loader.redis_list import STEP
from loader.redis_records import expiry_from, number_of
from loader.redis_store import EmptyStoreError, RedisStore, StoreState
from loader.store import StoreError, escaped, is_prefix, rules_version
from lookup_core import Catalog, CatalogError, SnapshotError, pack

T = TypeVar("T")

NOTHING_TAKEN = (
    "; nothing was changed here, and legs go on being decided from what this node has."
    " To take the store as it is: callsieve reload --accept-loss"
)


class LostChangesError(StoreError):
    """The store has lost what this node has, and that cannot be told from a mistake.

    Another store under the same prefix, or one that went back in time. With replicas that confirm
    changes, a failover loses only what nobody was told was done, and the node just follows.
    """


class Node(Generic[T]):
    """One store on this node. Processes take turns."""

    def __init__(
        self,
        store: RedisStore,
        catalog: Catalog,
        check: Callable[[str, Collection[str]], T],
    ) -> None:
        """check(text, list names): ValueError for bad rules."""
        self._store = store
        self._catalog = catalog
        self._check = check

    def catch_up(self, now: datetime.datetime) -> StoreReport[T]:
        """Publish what the store has and this node has not. Expired at `now` (aware): left out.

        A list or rules that cannot be published are named in the report's problems and tried again
        the next time; what was published of them before stays.
        Raises LostChangesError, EmptyStoreError, StoreUnreachableError, StoreError.
        """
        self._store.check()
        with self._store.node.publishing():
            position = self._store.node.position()
            state = self._store.state()
            if position is None:
                return self._publish(state, state.lists, now)
            if position.store != state.store:
                raise LostChangesError(
                    f"{self._store.url}: expected the store {position.store}, which this node has"
                    f" followed, found {state.store}" + NOTHING_TAKEN
                )
            try:
                changed = self._changed(position, state)
            except TrimmedError:
                changed = set(state.lists)
            except ForkedError as error:
                if not self._store.place.replicas:
                    raise LostChangesError(
                        f"{self._store.url}: {error}: it went back in time, as a restart from an"
                        " older file does" + NOTHING_TAKEN
                    ) from None
                changed = set(state.lists)
            return self._publish(state, changed | set(position.stale), now)

    def reread(self, names: Iterable[str], now: datetime.datetime) -> StoreReport[T]:
        """As catch_up(), and publish these lists again from all that the store has of them."""
        names = set(names)
        self.catch_up(now)
        with self._store.node.publishing():
            reports, problems = self._copy_lists(names, now)
        return StoreReport(tuple(reports), (), None, tuple(problems.values()))

    def start_anew(self, now: datetime.datetime) -> StoreReport[T]:
        """Publish what the store has, whatever this node had; make the store if there is none."""
        with self._store.node.publishing():
            try:
                state = self._store.state()
            except EmptyStoreError:
                self._store.create()
                state = self._store.state()
            return self._publish(state, state.lists, now)

    def _changed(self, position: Position, state: StoreState) -> set[str]:
        """The lists that the feed has changes of. Raises TrimmedError, ForkedError."""
        if position.last != NO_CHANGE and state.last == NO_CHANGE:
            raise ForkedError(position.rev)
        if _order(state.last) < _order(position.last):
            raise ForkedError(max(position.rev - state.rev, 1))
        records = read_feed(
            self._store.client,
            self._store.key("changes"),
            position.last,
            position.rev,
            state.last,
        )
        return {record.list for record in records if _concerns_lists(record)}

    def _publish(
        self, state: StoreState, changed: Collection[str], now: datetime.datetime
    ) -> StoreReport[T]:
        """Lists first, then the rules that name them, then the lists that nothing names any more.

        The position comes last: it never says more than what was published.
        """
        catalog = self._catalog
        published = catalog.current()
        wanted = [name for name in state.lists if name in changed or name not in published.lists]
        reports, failed = self._copy_lists(wanted, now)
        problems = list(failed.values())
        rules: RulesReport[T] | None = None
        in_force = published.documents.get(RULES_DOCUMENT)
        rules_hold = in_force is not None and rules_version(in_force.text) == state.rules
        if not rules_hold:
            try:
                rules = publish_rules(
                    self._store, catalog, lambda text: self._check(text, state.lists.keys())
                )
                rules_hold = True
            except (ValueError, StoreError) as error:
                problems.append(f"rules not taken: {error}")
        withdrawn = []
        for name in [name for name in published.lists if name not in state.lists]:
            if rules_hold:
                catalog.withdraw(name)
                withdrawn.append(name)
            else:
                problems.append(f"list {escaped(name)}: removed, kept until the rules are")
        position = Position(state.store, state.last, state.rev, tuple(sorted(failed)))
        if position != self._store.node.position():
            self._store.node.put_position(position)
        return StoreReport(tuple(reports), tuple(withdrawn), rules, tuple(problems))

    def _copy_lists(
        self, names: Iterable[str], now: datetime.datetime
    ) -> tuple[list[ListReport], dict[str, str]]:
        """Reports of those that were published, problems with the others."""
        reports = []
        problems = {}
        for name in names:
            try:
                reports.append(self._copy_list(name, now))
            except (StoreError, CatalogError, SnapshotError, OSError) as error:
                problems[name] = f"list {escaped(name)}: {error}"
        return reports, problems

    def _copy_list(self, name: str, now: datetime.datetime) -> ListReport:
        """Publish a list from all that the store has of it."""
        redis_list = self._store.list(name)
        fields, before = redis_list.fields()
        after = redis_list.head()
        keys = fields.plain
        if after.buckets != before.buckets:  # a field that moved meanwhile may have come twice
            keys = array("Q", set(keys))
            fields.others = list(dict(fields.others).items())
        found = len(keys) + len(fields.others) + fields.unreadable
        if abs(found - before.entries) > (after.rev - before.rev) * STEP:
            raise StoreError(
                f"expected {before.entries} entries in Redis, found {found}: has it dropped some,"
                " by its maxmemory-policy?"
            )
        prefixes = []
        expired = 0
        next_expiry: datetime.datetime | None = None
        for field, expiry in fields.others:
            number, expires = number_of(field), expiry_from(expiry)
            if expires is not None:
                if expires < now:
                    expired += 1
                    continue
                next_expiry = min(next_expiry or expires, expires)
            if is_prefix(number):
                prefixes.append(number)
            else:
                keys.append(pack(number))
        entries = len(keys) + len(prefixes)
        info = list_info(entries, fields.unreadable, next_expiry, now)
        generation = self._catalog.publish(name, keys, sorted(prefixes), info)
        return ListReport(name, generation, entries, fields.unreadable, expired, next_expiry, ())


def _concerns_lists(record: Record) -> bool:
    return record.operation == "list" or bool(record.to_set or record.to_delete)


def _order(position: str) -> tuple[int, ...]:
    return tuple(map(int, position.split("-")))
