"""Verifies each list once after it was published, while the service runs.

A disk that gave back other bytes is found here, and never on the path of a call.
"""

from __future__ import annotations

import contextlib
import os
import threading

import gevent
import structlog
from gevent.threadpool import ThreadPool

from callsieve.verify_command import problem_of
from lookup_core import Catalog, PublishedList

CHECK_SECONDS = 0.5


def watch_checksums(catalog: Catalog) -> None:
    """For ever: read what is new in a thread of low priority.

    A list that was altered becomes unavailable, so that its legs fail as their flow says: a wrong
    answer is not given.
    """
    log = structlog.get_logger()
    thread = ThreadPool(1)
    verified: dict[str, int] = {}
    while True:
        for name, found in catalog.current().lists.items():
            # A delta is small, and has been read whole when it was opened.
            if not isinstance(found, PublishedList) or verified.get(name) == found.base:
                continue
            problem = thread.apply(_verify, (found,))
            verified[name] = found.base
            if problem is not None:
                catalog.distrust(found, problem)
                log.error("altered", list=name, problem=problem)
        gevent.sleep(CHECK_SECONDS)


def _verify(found: PublishedList) -> str | None:
    # Linux keeps a nice value for each thread. It may have been lowered already, and further.
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
    return problem_of(found)
