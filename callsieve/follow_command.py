"""`callsieve follow`: keeps this node's copy of a Redis store up to date."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence

import click

from callsieve.stores import opened, store_option
from loader.node_directory import Health
from loader.publishing import ListReport, StoreReport
from loader.store import BadValueError
from screening import Rules


@click.command()
@click.option(
    "--with-parent",
    is_flag=True,
    hidden=True,
    help="Stop when standard input is closed, as it is when the service that started this ends.",
)
@store_option
def follow(with_parent: bool, url: str) -> None:
    """Follow a Redis store until SIGTERM or Ctrl-C: publish each change on this node as it comes.

    `callsieve serve` runs this itself. It is a command of its own for machines where only other
    programs read the lists. The node's copy is kept in CALLSIEVE_NODE_DIRECTORY
    [default: /var/lib/callsieve/node], and the node is called CALLSIEVE_NODE_NAME [default: the
    host's name]. When Redis is not there, what was published stays. The log goes to standard error,
    one JSON object a line.

    \b
    Example:
      callsieve follow --store redis://127.0.0.1:6379

    Exit code: 0 stopped when told to; 2 a value that cannot be right; 5 the node's directory cannot
    be written.
    """
    import structlog  # these take a while to load, and other commands need none of them

    from callsieve.log_output import log_to
    from callsieve.node_place import NodePlace
    from loader.redis_follow import follow as follow_store
    from loader.redis_follow import node_name

    log_to(sys.stderr.buffer)
    log = structlog.get_logger()
    stopped = threading.Event()

    def published(lists: Sequence[ListReport], report: StoreReport[Rules] | None) -> None:
        log.info(
            "published" if report else "expired",
            lists={one.name: one.generation for one in lists},
            withdrawn=list(report.withdrawn) if report else [],
            rules=report.rules.generation if report and report.rules else None,
        )

    def health_changed(health: Health) -> None:
        tell = log.warning if health.problem else log.info
        tell("store", state=health.state, problem=health.problem)

    def stop(*_: object) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    with opened(url) as place:
        if not isinstance(place, NodePlace):
            raise BadValueError(f"follow: expected a Redis store, found {url}")
        follow_store(
            place.redis_store,
            place.node,
            node_name(os.environ),
            published,
            health_changed,
            go_on=lambda: not stopped.is_set(),
        )


def _end_with_parent() -> None:
    """At once: a follower that is killed at any moment leaves nothing half done."""
    sys.stdin.buffer.read()
    os._exit(0)
