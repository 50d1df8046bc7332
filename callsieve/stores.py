"""Opens the store that a command works on, and what it has published."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import click

from callsieve.wiring import check_rules, rules_region
from loader.publishing import RULES_DOCUMENT, publish_all
from loader.store import Store, StoreError, open_store
from lookup_core import Catalog, CatalogError

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


@dataclass(frozen=True, slots=True)
class Place:
    store: Store
    catalog: Catalog


def open_published(url: str, problem: Callable[[str], object], reload: bool) -> Place:
    """A store with its lists and rules published; `reload` publishes them anew in any case.

    problem(text): told of what could not be published. Raises click.ClickException.
    """
    try:
        store = open_store(url, create=reload)
        catalog = Catalog(store.catalog_directory, create=True)
        if reload or RULES_DOCUMENT not in catalog.current().documents:
            region = rules_region(store.rules_text())
            report = publish_all(
                store, catalog, region, check_rules, datetime.datetime.now(datetime.UTC)
            )
            for text in report.problems:
                problem(text)
    except (StoreError, CatalogError, OSError) as error:
        raise click.ClickException(str(error)) from None
    return Place(store, catalog)
