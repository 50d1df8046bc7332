"""Takes expired entries out while the service runs, by publishing their lists anew."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator

import gevent
import structlog
from gevent import subprocess

from lookup_core import Catalog, PublishedList

CHECK_SECONDS = 0.5
RETRY_SECONDS = 60.0


def publish_expiries(catalog: Catalog, url: str) -> None:
    """For ever: when an entry's time is over, `callsieve reload` its list.

    In a process of its own, because building a large list takes seconds in which no leg would be
    answered.
    """
    log = structlog.get_logger()
    while True:
        gevent.sleep(CHECK_SECONDS)
        names = list(_due(catalog, datetime.datetime.now(datetime.UTC)))
        if not names:
            continue
        command = [sys.executable, "-m", "callsieve", "reload", "--store", url, "--", *names]
        done = subprocess.run(command, capture_output=True, check=False)
        log.info("expired", lists=names, exit_code=done.returncode)
        if done.returncode:
            log.error("expiry", problem=done.stderr.decode("utf-8", "replace")[-2000:])
            gevent.sleep(RETRY_SECONDS)


def _due(catalog: Catalog, now: datetime.datetime) -> Iterator[str]:
    for name, found in catalog.current().lists.items():
        if not isinstance(found, PublishedList):
            continue
        moment = found.info.get("next_expiry")
        if isinstance(moment, str) and datetime.datetime.fromisoformat(moment) < now:
            yield name
