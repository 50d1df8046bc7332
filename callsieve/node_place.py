"""A Redis store as this node has it: commands publish by bringing the node up to date."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from callsieve.stores import Place, StoreHealth, utc_now
from callsieve.wiring import check_rules
from loader.change_log import Batch, Origin
from loader.live_changes import Changes
from loader.publishing import (
    RULES_DOCUMENT,
    ListReport,
    RulesReport,
    StoreReport,
    next_expiry,
)
from loader.redis_client import StoreUnreachableError
from loader.redis_follow import FOLLOWING, NodeReport, node_reports, state_of
from loader.redis_node import Node
from loader.redis_store import RedisStore
from loader.store import Store, StoreError, quoted
from loader.undo import UndoReport, undo_last
from lookup_core import Catalog, Document, PublishedList
from screening import Rules

# A follower writes down every second or two how it goes.
SILENT_SECONDS = 10.0
RETIRED_SECONDS = 86_400.0


class NodePlace(Place):
    """Publishes through the change stream: what this node's follower does too, and they may race.

    So a report may say that nothing was published: somebody else was faster.
    """

    rules_name = "the store's rules"
    is_shared = True

    def __init__(self, store: Store) -> None:
        assert isinstance(store, RedisStore)
        self.redis_store = store
        super().__init__(store)

    @cached_property
    def catalog(self) -> Catalog:
        self.redis_store.node.create()
        return super().catalog

    @cached_property
    def node(self) -> Node[Rules]:
        return Node(self.redis_store, self.catalog, check_rules)

    def publish(self, name: str, region: str | None) -> ListReport:  # noqa: ARG002
        report = self.node.catch_up(utc_now())
        for one in report.lists:
            if one.name == name:
                return one
        found = self.catalog.current().lists.get(name)
        position = self.redis_store.node.position()
        if position is not None and name in position.stale:
            raise StoreError(
                "\n".join(
                    [*report.problems, "the store has the change; this node has yet to publish it"]
                )
            )
        if not isinstance(found, PublishedList):
            raise StoreError("\n".join(report.problems) or f"{name}: not published")
        return _report_of(found)

    def publish_changes(
        self,
        name: str,
        region: str | None,
        changes: Changes | None,  # noqa: ARG002
    ) -> ListReport:
        return self.publish(name, region)

    def publish_batch(
        self,
        name: str,
        region: str | None,
        batch: Batch | None,  # noqa: ARG002
    ) -> ListReport:
        return self.publish(name, region)

    def publish_lists(
        self,
        names: Iterable[str],
        accept: bool = False,  # noqa: ARG002
    ) -> StoreReport[Rules]:
        return self.node.reread(names, utc_now())

    def publish_rules(self, accept: bool = True) -> RulesReport[Rules]:  # noqa: ARG002
        report = self.node.catch_up(utc_now())
        if report.problems:
            raise StoreError("\n".join(report.problems))
        if report.rules is not None:
            return report.rules
        return _unchanged(self.catalog.current().documents[RULES_DOCUMENT])

    def withdraw(self, name: str) -> None:  # noqa: ARG002
        self.node.catch_up(utc_now())

    def roll_back_everywhere(self, name: str, origin: Origin) -> UndoReport | None:
        try:
            report = undo_last(self.store, name, None, origin)
        except StoreUnreachableError as error:
            raise StoreUnreachableError(
                f"{error}\nnothing was changed; on this node alone, and without Redis:"
                f" callsieve rollback --this-node {quoted(name)}"
            ) from None
        if report is None:
            raise KeyError(name)
        return report

    def publishing(self, name: str) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002
        """Redis is not asked: a rollback must be possible without it."""
        return self.redis_store.node.publishing()

    def last_change(self) -> int:
        return self.redis_store.state().rev

    def nodes(self, change: int) -> list[str]:
        """Without those that were not heard of for a day: they are no more."""
        return [
            _lag(one, change)
            for one in node_reports(self.redis_store)
            if _age(one.at) < RETIRED_SECONDS
        ]

    def start(self) -> StoreReport[Rules]:
        """Without Redis, from what this node has, if it has rules."""
        try:
            return self.node.catch_up(utc_now())
        except StoreError as error:
            if not self.has_rules:
                raise
            return StoreReport((), (), None, (str(error),))

    def health(self) -> StoreHealth:
        """Asks Redis itself, and the follower's last words."""
        store = self.redis_store
        followed = store.node.health()
        heard = followed.heard if followed else ""
        if followed is None or _age(heard or followed.since) > SILENT_SECONDS:
            state = "not followed"
            problems = [
                "nothing on this node follows the store: neither callsieve serve nor callsieve"
                " follow runs here, and changes that others make do not come in"
            ]
        else:
            state = followed.state
            problems = [followed.problem] if followed.problem else []
        try:
            position = store.node.position()
            behind = store.state().rev - (position.rev if position else 0)
            reports = node_reports(store)
            problems += store.problems()
        except StoreError as error:
            if state in (FOLLOWING, "not followed"):
                state = state_of(error)
            problems.append(str(error))
            behind, reports = None, []
        nodes = tuple(
            {
                "node": one.name,
                "change": one.rev,
                "at": one.at,
                "failed_lists": list(one.failed),
                "reading": one.reading,
            }
            for one in reports
        )
        return StoreHealth(state, tuple(dict.fromkeys(problems)), heard, behind, nodes)

    def start_anew(self) -> StoreReport[Rules]:
        rules = self.rules_in_force
        region = None if rules is None else check_rules(rules, None).default_region
        return self.node.start_anew(utc_now(), region)

    def publish_all(self) -> StoreReport[Rules]:
        now = utc_now()
        first = self.node.catch_up(now)
        again = self.node.reread(self.store.list_names(), now)
        problems = dict.fromkeys([*self.store.problems(), *first.problems, *again.problems])
        rules = first.rules
        in_force = self.catalog.current().documents.get(RULES_DOCUMENT)
        if rules is None and in_force is not None and not first.problems:
            rules = _unchanged(in_force)
        return StoreReport(again.lists, first.withdrawn, rules, tuple(problems))


def _unchanged(in_force: Document) -> RulesReport[Rules]:
    return RulesReport(in_force.generation, check_rules(in_force.text, None), unchanged=True)


def _age(moment: str) -> float:
    """Seconds since an ISO time."""
    return (utc_now() - datetime.datetime.fromisoformat(moment)).total_seconds()


def _lag(report: NodeReport, change: int) -> str:
    """What the node has not, up to this change; "" when it has all."""
    lags = []
    if report.rev < change:
        lags.append(
            f"change {report.rev} of {change}, last heard of {_age(report.at):.0f} seconds ago"
        )
    if report.failed:
        lags.append(f"could not publish {', '.join(report.failed)}")
    return f"node {report.name}: {'; '.join(lags)}" if lags else ""


def _report_of(found: PublishedList) -> ListReport:
    """The report of what somebody else has published."""
    info: dict[str, Any] = dict(found.info)
    return ListReport(
        found.name,
        found.generation,
        info["entries"],
        info["rejects"],
        0,
        next_expiry(found),
        (),
    )
