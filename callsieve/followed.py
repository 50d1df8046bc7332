"""Makes known which publication this worker has, for `callsieve status` and `reload --wait`."""

from __future__ import annotations

import gevent
import structlog

from lookup_core import Catalog, ReaderFile, View

# Legs look for themselves; this is how soon a worker without any notices.
LOOK_SECONDS = 0.05


def make_known(catalog: Catalog) -> None:
    """Until the greenlet is killed. What cannot be written is logged, and hurts no leg."""
    log = structlog.get_logger()
    try:
        file = ReaderFile(catalog)
    except OSError as error:
        log.error("not_known", problem=f"status will not show this worker: {error}")
        return
    known: View | None = None
    try:
        while True:
            view = catalog.current()
            if view is not known:
                known = view
                try:
                    file.write(view)
                except OSError as error:
                    log.error("not_known", problem=f"status shows this worker as it was: {error}")
            gevent.sleep(LOOK_SECONDS)
    finally:
        file.close()
