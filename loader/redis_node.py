"""A node's copy of a Redis store: published on the node's own disk, and brought up to date.

The node knows its position in the store's change stream, which is written after what was published.
A node that dies in between applies some changes twice, which changes nothing: a record says what a
number is after it, not how it came to that.

What the store has lost is not taken out of the lists by itself: see LostChangesError.
"""

import datetime
from collections.abc import Callable, Collection, Iterable
from typing import Generic, TypeVar

from loader.node_directory import Position
from loader.node_lists import NodeLists
from loader.publishing import (
    RULES_DOCUMENT,
    ListReport,
    RulesReport,
    StoreReport,
    publish_rules,
)
from loader.redis_feed import NO_CHANGE, ForkedError, TrimmedError, read_feed
from loader.redis_store import EmptyStoreError, RedisStore, StoreState
from loader.store import StoreError, UnknownListError, escaped, rules_version
from lookup_core import Catalog, CatalogError, SnapshotError

T = TypeVar("T")

# What the changes of a list come to. Field -> expiry, None for one that was taken out.
# WHOLE: the list must be read from the store.
Changes = dict[bytes, bytes | None]
WHOLE = None

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
        self._lists = NodeLists(store, catalog)

    def catch_up(self, now: datetime.datetime) -> StoreReport[T]:
        """Publish what the store has and this node has not. Expired at `now` (aware): left out.

        A list or rules that cannot be published are named in the report's problems and tried again
        the next time; what was published of them before stays.
        Raises LostChangesError, EmptyStoreError, StoreUnreachableError, StoreError.
        """
        self._store.check()
        self._store.state()  # if Redis hangs, then here and not while others wait for this process
        with self._store.node.publishing():
            position = self._store.node.position()
            state = self._store.state()
            if position is None:
                return self._publish(state, dict.fromkeys(state.lists, WHOLE), now)
            if position.store != state.store:
                raise LostChangesError(
                    f"{self._store.url}: expected the store {position.store}, which this node has"
                    f" followed, found {state.store}" + NOTHING_TAKEN
                )
            try:
                changed = self._changed(position, state)
            except TrimmedError:
                changed = dict.fromkeys(state.lists, WHOLE)
            except ForkedError as error:
                if not self._store.place.replicas:
                    raise LostChangesError(
                        f"{self._store.url}: {error}: it went back in time, as a restart from an"
                        " older file does" + NOTHING_TAKEN
                    ) from None
                changed = dict.fromkeys(state.lists, WHOLE)
            anew = [*position.stale, *self._lists.read_otherwise()]
            return self._publish(state, changed | dict.fromkeys(anew, WHOLE), now)

    def reread(self, names: Iterable[str], now: datetime.datetime) -> StoreReport[T]:
        """As catch_up(), and publish these lists again from all that the store has of them."""
        wanted: dict[str, Changes | None] = dict.fromkeys(names, WHOLE)
        self.catch_up(now)
        with self._store.node.publishing():
            reports, problems = self._publish_lists(wanted, now)
        return StoreReport(tuple(reports), (), None, tuple(problems.values()))

    def start_anew(self, now: datetime.datetime, region: str | None) -> StoreReport[T]:
        """Publish what the store has, whatever this node had; make the store if there is none, with
        this default region.
        """
        with self._store.node.publishing():
            try:
                state = self._store.state()
            except EmptyStoreError:
                self._store.create(region)
                state = self._store.state()
            return self._publish(state, dict.fromkeys(state.lists, WHOLE), now)

    def expire(self, now: datetime.datetime) -> list[ListReport]:
        """Publish the lists without what has expired at `now` (aware); Redis is not asked."""
        if not any(self._lists.has_expired(name, now) for name in self._catalog.current().lists):
            return []
        with self._store.node.publishing():
            return [
                self._lists.expire(name, now)
                for name in self._catalog.current().lists
                if self._lists.has_expired(name, now)
            ]

    def folding_is_due(self) -> bool:
        return bool(self._lists.to_fold())

    def fold(self) -> None:
        """Write those lists anew that have gathered many changes; takes seconds for a large one.

        Raises KeyError when one is withdrawn meanwhile, CatalogError, SnapshotError, OSError.
        """
        for name in self._lists.to_fold():
            self._catalog.fold(name)

    def _changed(self, position: Position, state: StoreState) -> dict[str, Changes | None]:
        """What has changed in which lists. Raises TrimmedError, ForkedError."""
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
        changed: dict[str, Changes | None] = {}
        for record in records:
            if record.operation == "list":
                changed[record.list] = WHOLE
            elif record.operation == "change" and (record.to_set or record.to_delete):
                changes = changed.setdefault(record.list, {})
                if changes is not WHOLE:
                    changes |= record.to_set | dict.fromkeys(record.to_delete)
        return changed

    def _publish(
        self, state: StoreState, changed: dict[str, Changes | None], now: datetime.datetime
    ) -> StoreReport[T]:
        """Lists first, then the rules that name them, then the lists that nothing names any more.

        The position comes last: it never says more than what was published.
        """
        catalog = self._catalog
        published = catalog.current()
        # Also one that cannot be opened, as those that another version of the format has.
        missing = {name: WHOLE for name in state.lists if not self._lists.can_change(name)}
        wanted = {name: what for name, what in (changed | missing).items() if name in state.lists}
        reports, failed = self._publish_lists(wanted, now)
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
                self._lists.withdraw(name)
                withdrawn.append(name)
            else:
                problems.append(f"list {escaped(name)}: removed, kept until the rules are")
        position = Position(state.store, state.last, state.rev, tuple(sorted(failed)))
        if position != self._store.node.position():
            self._store.node.put_position(position)
        return StoreReport(tuple(reports), tuple(withdrawn), rules, tuple(problems))

    def _publish_lists(
        self, wanted: dict[str, Changes | None], now: datetime.datetime
    ) -> tuple[list[ListReport], dict[str, str]]:
        """Reports of those that were published, problems with the others."""
        reports = []
        problems = {}
        for name, changes in wanted.items():
            try:
                if changes is WHOLE or not self._lists.can_change(name):
                    reports.append(self._lists.copy(name, now))
                else:
                    reports.append(self._lists.change(name, changes, now))
            except UnknownListError as error:
                problems[name] = str(error)
            except (StoreError, CatalogError, SnapshotError, OSError) as error:
                problems[name] = f"list {escaped(name)}: {error}"
        return reports, problems


def _order(position: str) -> tuple[int, ...]:
    return tuple(map(int, position.split("-")))
