"""Keeps `callsieve follow` running beside a service on a Redis store.

A process of its own: a full copy and the building of a large list take seconds in which the service
would answer no leg, and redis-py waits on sockets in a way that would stop gevent's loop. The
service does not patch the standard library for gevent, and what is not patched cannot surprise.
What the follower publishes reaches the service as every other publication does.
"""

from __future__ import annotations

import sys

import gevent
import structlog
from gevent import subprocess

RESTART_SECONDS = 1.0


def keep_following(url: str) -> None:
    """For ever. The follower ends with this process, however that ends: its standard input does."""
    log = structlog.get_logger()
    command = [sys.executable, "-m", "callsieve", "follow", "--with-parent", "--store", url]
    while True:
        follower = subprocess.Popen(command, stdin=subprocess.PIPE)
        try:
            code = follower.wait()
        finally:
            follower.kill()
        log.error("follower_ended", exit_code=code)
        gevent.sleep(RESTART_SECONDS)
