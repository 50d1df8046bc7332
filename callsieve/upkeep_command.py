"""`callsieve upkeep`: what a service on a CSV store has done beside it; see upkeep.py."""

from __future__ import annotations

import click

from callsieve.stores import BAD_VALUE, Place, fail, opened, store_option, utc_now
from callsieve.upkeep import HELD_BACK
from loader.held_back import as_it_is_held_back
from loader.live_lists import LiveLists
from loader.publishing import publish_if_changed
from loader.store import StoreError, escaped, problem_of
from lookup_core import CatalogError, SnapshotError


@click.command(hidden=True)
@store_option
def upkeep(url: str) -> None:
    """Take out what has expired, publish lists that were edited by hand, fold those changed often.

    `callsieve serve` runs this itself when there is something to do.

    \b
    Example:
      callsieve upkeep --store csv:/var/lib/callsieve

    Exit code: 0 done; 2 a list could not be published; 3 a list was held back, or cannot be read;
    5 the store cannot be used.
    """
    with opened(url) as place:
        problems = []
        code = HELD_BACK
        for name in place.store.list_names():
            try:
                _keep(place, name)
            except (StoreError, CatalogError, SnapshotError, OSError) as error:
                problems.append(f"list {escaped(name)}: {problem_of(error)}")
                if as_it_is_held_back(place.store, place.catalog, name) is None:
                    code = BAD_VALUE
        if problems:
            fail("\n".join(problems), code)


def _keep(place: Place, name: str) -> None:
    live = LiveLists(place.catalog)
    now = utc_now()
    try:
        publish_if_changed(place.store, place.catalog, name, place.region, now)
    finally:  # what is in force goes on ending at its time
        if live.has_expired(name, now):
            with place.store.locked(name):
                live.expire(name, now)
        if name in live.to_fold():
            place.catalog.fold(name)
