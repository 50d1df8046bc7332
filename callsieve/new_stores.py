"""A new store is asked for its default region: national numbers are read in it, or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TypeVar

import click

from loader.numbers import check_region
from loader.store import BadValueError, escaped

VARIABLE = "CALLSIEVE_REGION"
NONE = "none"

F = TypeVar("F", bound=Callable[..., object])


def region_option(command: F) -> F:
    return click.option(
        "--region",
        metavar="CODE",
        help="Of a store that is made: the country whose numbers are read without a country code,"
        f" such as PL; or {NONE}.  [env var: {VARIABLE}]",
    )(command)


def new_region(url: str, said: str | None) -> str | None:
    """The default region of a store that is to be made; None: it is to have none.

    said: by an option. Otherwise the environment says it, or whoever sits at the terminal. Raises
    BadValueError when nobody does.
    """
    found = said or os.environ.get(VARIABLE)
    if not found and sys.stdin.isatty() and sys.stderr.isatty():
        found = click.prompt(
            f"{escaped(url, 200)}: a new store. Country whose national numbers are read without a"
            f" country code, such as PL, or {NONE}",
            err=True,
        )
    if not found:
        raise BadValueError(
            f"{url}: expected a store, found none; to make one, say the country whose numbers are"
            f" read without a country code, such as PL, or {NONE}:"
            f" callsieve store create {url} --region PL, or {VARIABLE}=PL"
        )
    return None if found.strip().lower() == NONE else checked_region(found.strip())


def checked_region(text: str) -> str:
    """A region from an option. Raises BadValueError."""
    try:
        return check_region(text)
    except ValueError as error:
        raise BadValueError(f"region: {error}") from None
