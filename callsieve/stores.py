"""The store that a command works on, where it is published, and the options and errors of that."""

from __future__ import annotations

import contextlib
import datetime
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NoReturn, TypeVar

import click

from callsieve.new_stores import new_region
from callsieve.presented_numbers import (
    check_presented,
    check_presented_lists,
    presented_lists,
)
from callsieve.wiring import check_rules, lost_rules
from loader.change_log import Batch, Change, Origin, this_process
from loader.dangerous_entries import Guard
from loader.held_back import is_current, of_list, release
from loader.live_changes import Changes, changes_of, publish_changes
from loader.publishing import (
    RULES_DOCUMENT,
    ListReport,
    RulesReport,
    StoreReport,
    publish_all,
    publish_list,
    publish_lists,
    publish_rules,
)
from loader.store import (
    BadValueError,
    Entry,
    Reject,
    Store,
    StoreError,
    UnknownListError,
    escaped,
    open_store,
    problem_of,
    would_make,
)
from loader.undo import UndoReport
from lookup_core import JSON, Catalog, CatalogError, PublishedList, SnapshotError
from screening import Rules

BAD_VALUE = 2
STORE_FAILED = 5

F = TypeVar("F", bound=Callable[..., object])


def store_option(command: F) -> F:
    return click.option(
        "--store",
        "url",
        required=True,
        envvar="CALLSIEVE_STORE",
        show_envvar=True,
        metavar="URL",
        help="Where the lists are: csv:DIRECTORY, redis://HOST, redis+sentinel://HOST,HOST/SERVICE"
        " or redis+cluster://HOST,HOST; rediss for TLS.",
    )(command)


def json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")(
        command
    )


def reason_option(command: F) -> F:
    return click.option(
        "--reason", default="", metavar="TEXT", help="Why; it is kept in the change log."
    )(command)


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """How it is between a store and what is published here.

    state: "ready" of a directory; of Redis what the follower says (loader.redis_follow), or
    "not followed" when none runs. heard: ISO time of Redis's last answer, "" for none. behind:
    changes that the store has and this node has not, None when that cannot be known. nodes: what
    each node last said of itself.
    """

    state: str
    problems: tuple[str, ...] = ()
    heard: str = ""
    behind: int | None = 0
    nodes: tuple[dict[str, Any], ...] = ()


class Place:
    """The store of a command, and where it is published. rules_name: of its rules, in messages."""

    rules_name = "callsieve.toml"
    is_shared = False  # whether other machines follow the store

    def __init__(self, store: Store) -> None:
        self.store = store

    @cached_property
    def catalog(self) -> Catalog:
        """Looking needs no right to write, unless nothing was ever published."""
        try:
            return Catalog(self.store.catalog_directory)
        except CatalogError:
            return Catalog(self.store.catalog_directory, create=True)

    @property
    def has_rules(self) -> bool:
        """Whether rules are in force: good ones were published once."""
        return RULES_DOCUMENT in self.catalog.current().documents

    @property
    def region(self) -> str | None:
        """The default one."""
        return self._read_rules(warn).default_region

    def region_of(self, name: str) -> str | None:
        """The region that national numbers are read in for this list: its own, or the default one.

        Also of a list that is not there. Raises BadValueError for a bad name, StoreError.
        """
        with contextlib.suppress(UnknownListError):
            if own := self.store.region_of(name):
                return own
        return self.region

    def campaign_list(self, campaign: str) -> str:
        """The list that the campaign's numbers are added to. Raises ValueError, StoreError."""
        return self._read_rules(lambda _: None).campaign_list(campaign)

    def guard(self, name: str) -> Guard:
        """Knows which entries would be dangerous in this list. Raises BadValueError, StoreError."""
        rules = self._read_rules(lambda _: None)
        own_lists = presented_lists(rules).keys()
        if name in own_lists:  # our numbers are what such a list is for
            return Guard(rules.default_region)
        now = utc_now()
        return Guard(
            rules.default_region,
            [number for rule in rules.forwardings for number in rule.called or ()],
            [
                self.store.keys(own, rules.default_region, now)
                for own in own_lists & set(self.store.list_names())
            ],
        )

    def number_check(self, name: str) -> Callable[[str], object] | None:
        """Raises BadValueError for a canonical number that this list must not have; None where
        every number will do. Raises BadValueError, StoreError."""
        route = presented_lists(self._read_rules(lambda _: None)).get(name)
        return None if route is None else partial(check_presented, route=route)

    def publish(self, name: str, region: str | None) -> ListReport:
        """Publish a list after a change by one of Callsieve's own commands."""
        return publish_list(self.store, self.catalog, name, region, utc_now(), accept=True)

    def publish_changes(self, name: str, region: str | None, changes: Changes | None) -> ListReport:
        """Publish the change of a list that was just made in the store; None: all of the list."""
        report = publish_changes(self.store, self.catalog, name, region, changes, utc_now())
        if report.held_back:
            warn(f"{name}: what was changed by hand is not in force: {report.held_back}")
        return report

    def publish_batch(self, name: str, region: str | None, batch: Batch | None) -> ListReport:
        """Publish the batch that was just made in the store; None: all of the list."""
        changes = None if batch is None else changes_of(self.store, batch)
        return self.publish_changes(name, region, changes)

    def publish_lists(self, names: Iterable[str], accept: bool = False) -> StoreReport[Rules]:
        """Publish these lists again; the report has the problems.

        accept: whatever they have lost. Raises BadValueError for one whose file is gone and that
        the rules in force use.
        """
        names = list(names)
        if accept:
            there = [*self.store.list_names(), *set(self.catalog.current().lists).difference(names)]
            in_force = self.rules_in_force
            try:
                if in_force is not None:
                    check_rules(in_force, there)
            except ValueError as error:
                raise BadValueError(
                    f"not accepted; the rules in force would say:\n{error}"
                ) from error
        return publish_lists(self.store, self.catalog, names, self.region, utc_now(), accept)

    def publish_rules(self, accept: bool = True) -> RulesReport[Rules]:
        """accept: whatever they have lost. Raises ValueError for bad rules, StoreError."""
        names = self.store.list_names()
        return publish_rules(
            self.store,
            self.catalog,
            lambda text: self._checked(text, names),
            *(() if accept else (lost_rules,)),
        )

    def reload_rules(self, accept: bool, origin: Origin) -> RulesReport[Rules]:
        """The same after an edit by hand, which the change log gets."""
        before = self.rules_in_force
        report = self.publish_rules(accept)
        if before is not None and not report.unchanged:
            self.store.note_rules_edit(before, origin)
        return report

    def put_rules(self, text: str, version: str, origin: Origin, what: str = "rules") -> None:
        """Check the rules, put them into the store in place of those of that version, and into
        force. Raises ValueError for bad rules, StoreError.
        """
        self._checked(text, self.store.list_names())
        before = self.rules_in_force
        if before is not None and before != self.store.rules_text():
            self.store.note_rules_edit(before, this_process("found by callsieve"))
        self.store.put_rules(text, version, origin, what)
        self.publish_rules()

    @property
    def rules_in_force(self) -> str | None:
        """The text of the rules in force."""
        found = self.catalog.current().documents.get(RULES_DOCUMENT)
        return None if found is None else found.text

    def _checked(self, text: str, names: Collection[str]) -> Rules:
        return check_presented_lists(self.store, check_rules(text, names))

    def withdraw(self, name: str) -> None:
        """Take a list that was removed from the store from what is published."""
        if name in self.catalog.current().lists:
            self.catalog.withdraw(name)
            release(self.catalog, of_list(name))

    def roll_back_here(self, name: str, origin: Origin) -> int:
        """Publish a list as it was one generation before; the new generation.

        Raises KeyError when there is none before. To be noted by note_roll_back().
        """
        with self.publishing(name):
            now = utc_now().isoformat()
            info: dict[str, JSON] = {
                "published_at": now,
                "rolled_back": {"at": now, "who": origin.who, "reason": origin.reason},
            }
            found = self.catalog.current().lists.get(name)
            if isinstance(found, PublishedList) and "version" in found.info:
                # Of the store's rows nothing is new: what keeps lists in step leaves this be.
                info["version"] = found.info["version"]
            return self.catalog.roll_back(name, info)

    def note_roll_back(self, name: str, origin: Origin) -> None:
        """Put it into the change log. Raises StoreError."""
        self.store.note(Change(name, "rollback"), origin)

    def roll_back_everywhere(self, name: str, origin: Origin) -> UndoReport | None:  # noqa: ARG002
        """Take the last change of a list back in a store that other nodes follow too.

        None: nobody else follows it. Raises KeyError when there is no change, StoreError.
        """
        return None

    def publishing(self, name: str) -> contextlib.AbstractContextManager[None]:
        """No other process publishes this list on this machine meanwhile."""
        return self.store.locked(name)

    def last_change(self) -> int:
        """The number of the store's last change, for nodes()."""
        return 0

    def nodes(self, change: int) -> list[str]:  # noqa: ARG002
        """For each node of the store "", or a sentence when it has not all up to this change."""
        return []

    def start(self) -> StoreReport[Rules]:
        """Publish what a service that starts needs; the report has the problems.

        A list that was rolled back stays so while the store's rows are those that it was rolled
        back from: nobody has asked for them again.
        """
        return self._publish_all(leave=self._rolled_back())

    def start_anew(self) -> StoreReport[Rules]:
        """Publish what the store has, whatever it has lost. Raises BadValueError."""
        raise BadValueError(f"--accept-loss: expected a Redis store, found {self.store.url}")

    def health(self) -> StoreHealth:
        """Never raises for a store that cannot be reached; that is what it says."""
        try:
            return StoreHealth("ready", self.store.problems())
        except StoreError as error:
            return StoreHealth("unreachable", (str(error),), behind=None)

    def publish_all(self) -> StoreReport[Rules]:
        """Publish every list and the rules; the report has the problems."""
        return self._publish_all()

    def _publish_all(self, leave: Collection[str] = ()) -> StoreReport[Rules]:
        region = None
        before = self.rules_in_force
        with contextlib.suppress(BadValueError):  # the report says what is wrong with the rules
            region = self._read_rules(lambda _: None).default_region
        report = publish_all(
            self.store, self.catalog, region, self._checked, utc_now(), leave, lost_rules
        )
        if before is not None and report.rules and not report.rules.unchanged:
            try:
                self.store.note_rules_edit(before, this_process("found by callsieve"))
            except StoreError as error:
                problem = f"the new rules are in force, and not in the change log: {error}"
                report = replace(report, problems=(*report.problems, problem))
        return report

    def _rolled_back(self) -> list[str]:
        return [
            name
            for name, found in self.catalog.current().lists.items()
            if isinstance(found, PublishedList)
            and "rolled_back" in found.info
            and is_current(self.store, self.catalog, name)
        ]

    def _read_rules(self, warn: Callable[[str], object]) -> Rules:
        """By the store's rules, or those in force if they are bad or have lost too much."""
        in_force = self.rules_in_force
        try:
            text = self.store.rules_text()
            if in_force is not None and text != in_force and (lost := lost_rules(in_force, text)):
                raise BadValueError(lost)
            return check_rules(text, None)
        except (ValueError, StoreError) as error:
            if in_force is None:
                if isinstance(error, StoreError):
                    raise
                raise BadValueError(f"{self.rules_name}: {error}") from error
            warn(f"{self.rules_name} is not in force: {error}")
            return check_rules(in_force, None)


def place_of(store: Store) -> Place:
    if store.url.startswith("redis"):
        from callsieve.node_place import NodePlace  # redis-py takes 0.1 s to load

        return NodePlace(store)
    return Place(store)


@contextlib.contextmanager
def opened(url: str, create: bool = False, region: str | None = None) -> Iterator[Place]:
    """Opens a store, reporting() what is wrong with it.

    create: make a directory that is missing, with this default region; None: see new_region(). It
    is published at once. A Redis store is made by `callsieve store create` alone: a Redis that came
    back empty must not be taken for one where nothing was yet.
    """
    with reporting():
        create = create and not url.startswith("redis")
        is_new = create and would_make(url)
        place = place_of(open_store(url, create, new_region(url, region) if is_new else None))
        if is_new:
            place.publish_all()
        elif create and not place.has_rules:
            try:
                place.publish_rules()
            except (ValueError, StoreError) as error:
                warn(f"no rules are in force: {error}")
        yield place


@contextlib.contextmanager
def reporting() -> Iterator[None]:
    """Ends the command with the right exit code when something is wrong with a store."""
    try:
        yield
    except (BrokenPipeError, click.ClickException):
        raise
    except ValueError as error:
        fail(str(error), BAD_VALUE)
    except (StoreError, CatalogError, SnapshotError, OSError) as error:
        fail(problem_of(error), STORE_FAILED)


def fail(text: str, code: int) -> NoReturn:
    for line in text.splitlines() or [""]:
        click.echo(f"error: {escaped(line, 1000)}", err=True)
    sys.exit(code)


def warn(text: str) -> None:
    for line in text.splitlines():
        click.echo(f"warning: {escaped(line, 1000)}", err=True)


def without_rejects(rows: Iterable[Entry | Reject], rejects: list[Reject]) -> Iterator[Entry]:
    """The entries among `rows`; the rejects are gathered in `rejects`."""
    for row in rows:
        if isinstance(row, Reject):
            rejects.append(row)
        else:
            yield row


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
