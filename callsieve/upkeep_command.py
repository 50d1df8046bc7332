"""`callsieve upkeep`: what a service on a CSV store has done beside it; see upkeep.py."""

from __future__ import annotations

import click

from callsieve.stores import BAD_VALUE, Place, fail, opened, store_option, utc_now
from loader.live_lists import LiveLists
from loader.publishing import publish_if_changed
from loader.store import StoreError, escaped
from lookup_core import CatalogError, SnapshotError


@click.command(hidden=True)
@store_option
def upkeep(url: str) -> None:
    """Take out what has expired, publish lists that were edited by hand, fold those changed often.

    `callsieve serve` runs this itself when there is something to do.

    \b
    Example:
      callsieve upkeep --store csv:/var/lib/callsieve

    Exit code: 0 done; 2 a list could not be published; 5 the store cannot be used.
    """
    with opened(url) as place:
        problems = []
        for name in place.store.list_names():
            try:
                _keep(place, name)
            except (StoreError, CatalogError, SnapshotError, OSError) as error:
                problems.append(f"list {escaped(name)}: {error}")
        if problems:
            fail("\n".join(problems), BAD_VALUE)


def _keep(place: Place, name: str) -> None:
    live = LiveLists(place.catalog, place.store.expiries)
    now = utc_now()
    published = publish_if_changed(place.store, place.catalog, name, place.region, now)
    if published is None and live.has_expired(name, now):
        with place.store.locked(name):
            live.expire(name, now)
    if name in live.to_fold():
        place.catalog.fold(name)
