"""The store that a command works on, where it is published, and the options and errors of that."""

from __future__ import annotations

import contextlib
import datetime
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import NoReturn, TypeVar

import click

from callsieve.wiring import check_rules
from loader.dangerous_entries import Guard
from loader.publishing import (
    RULES_DOCUMENT,
    ListReport,
    StoreReport,
    publish_all,
    publish_list,
    publish_lists,
)
from loader.store import BadValueError, Store, StoreError, escaped, open_store
from lookup_core import Catalog, CatalogError, SnapshotError
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
        help="Where the lists are: csv:DIRECTORY.",
    )(command)


def json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")(
        command
    )


def reason_option(command: F) -> F:
    return click.option(
        "--reason", default="", metavar="TEXT", help="Why; it is kept in the change log."
    )(command)


class Place:
    """The store of a command, and where it is published."""

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
        return self._read_rules(warn).default_region

    def guard(self, name: str) -> Guard:
        """Knows which entries would be dangerous in this list. Raises BadValueError, StoreError."""
        rules = self._read_rules(lambda _: None)
        own_lists = {route.present_from for route in rules.routes.values()}
        if name in own_lists:  # our numbers are what such a list is for
            return Guard(rules.default_region)
        now = utc_now()
        return Guard(
            rules.default_region,
            [number for rule in rules.forwardings for number in rule.called or ()],
            [
                self.store.keys(own, rules.default_region, now)
                for own in own_lists.intersection(self.store.list_names())
            ],
        )

    def publish(self, name: str, region: str | None) -> ListReport:
        return publish_list(self.store, self.catalog, name, region, utc_now())

    def publish_lists(self, names: Iterable[str]) -> StoreReport[Rules]:
        """Publish these lists again; the report has the problems."""
        return publish_lists(self.store, self.catalog, names, self.region, utc_now())

    def publish_all(self) -> StoreReport[Rules]:
        """Publish every list and the rules; the report has the problems."""
        region = None
        with contextlib.suppress(BadValueError):  # the report says what is wrong with the rules
            region = self._read_rules(lambda _: None).default_region
        return publish_all(self.store, self.catalog, region, check_rules, utc_now())

    def _read_rules(self, warn: Callable[[str], object]) -> Rules:
        """By callsieve.toml, or the rules in force if it is broken."""
        try:
            return check_rules(self.store.rules_text(), None)
        except ValueError as error:
            in_force = self.catalog.current().documents.get(RULES_DOCUMENT)
            if in_force is None:
                raise BadValueError(f"callsieve.toml: {error}") from error
            warn(f"callsieve.toml is not in force: {error}")
            return check_rules(in_force.text, None)


@contextlib.contextmanager
def opened(url: str, create: bool = False) -> Iterator[Place]:
    """Opens a store; ends the command with the right exit code when something is wrong with it."""
    try:
        yield Place(open_store(url, create))
    except (BrokenPipeError, click.ClickException):
        raise
    except ValueError as error:
        fail(str(error), BAD_VALUE)
    except (StoreError, CatalogError, SnapshotError, OSError) as error:
        fail(str(error), STORE_FAILED)


def fail(text: str, code: int) -> NoReturn:
    for line in text.splitlines() or [""]:
        click.echo(f"error: {escaped(line, 1000)}", err=True)
    sys.exit(code)


def warn(text: str) -> None:
    for line in text.splitlines():
        click.echo(f"warning: {escaped(line, 1000)}", err=True)


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
