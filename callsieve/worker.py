"""One worker of `callsieve serve`: answers legs on a listening socket that it is handed.

The supervisor starts it as `python -m callsieve.worker LISTENING LINK`, two descriptors. LINK is a
socket to the supervisor: it sends the settings as one line of JSON, the worker sends a byte when it
is ready and one every second, and its end, however it comes, tells the worker to finish.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from ipaddress import ip_network

import gevent
import structlog
from gevent.event import Event
from prometheus_client import REGISTRY, values

from callsieve.addresses import Address
from callsieve.blocking import NumberBlocker
from callsieve.checksums import watch_checksums
from callsieve.followed import make_known
from callsieve.log_output import LogOutput, log_to
from callsieve.screener import Screener
from callsieve.stores import opened
from callsieve.worker_settings import WorkerSettings
from esl_service.channel_data import ChannelData
from esl_service.control import DecisionEvents
from esl_service.metrics import LegMetrics
from esl_service.server import Limits, Server
from screening import Decision

BEAT_SECONDS = 1.0
LEGS_IN_HAND = 3
"""Exit code: stopped before the legs in hand were finished."""


def main() -> None:
    listening, link = (socket.socket(fileno=int(argument)) for argument in sys.argv[1:3])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the supervisor to act upon
    with link.makefile("rb") as lines:
        settings = WorkerSettings.from_json(lines.readline())
    output = LogOutput(sys.stderr.fileno())
    log_to(output)
    try:
        code = _work(settings, listening, link, output)
    finally:
        output.send(seconds=1.0)
    sys.exit(code)


def _work(
    settings: WorkerSettings, listening: socket.socket, link: socket.socket, output: LogOutput
) -> int:
    log = structlog.get_logger()
    with opened(settings.url) as place:
        catalog = place.catalog
    screener = Screener(catalog, lambda text: log.error("catalog", problem=text))
    # Numbering plans are loaded when they are first needed: not by the first caller.
    screener.screen(ChannelData(caller_number="1000", called_number="+48221234567"))
    # A worker never forks, so prometheus_client need not look for that three times a leg.
    process = os.getpid()
    values.ValueClass = values.MultiProcessValue(lambda: process)  # type: ignore[no-untyped-call]
    metrics = LegMetrics(REGISTRY)
    told = _event_publisher(settings.control, metrics)
    limits = Limits(
        connections=settings.connections,
        legs=settings.legs,
        decision_seconds=settings.decision_seconds,
        allowed=tuple(map(ip_network, settings.allowed)),
    )
    blocker = NumberBlocker(settings.url, screener, settings.block_seconds)
    server = Server(listening, screener, blocker, limits, metrics, told)

    stop, at_once = Event(), Event()

    def told_to_stop() -> None:
        (at_once if stop.is_set() else stop).set()

    gevent.signal_handler(signal.SIGTERM, told_to_stop)
    loop = gevent.get_hub().loop
    idle = loop.prepare(ref=False)
    idle.start(output.send)
    gc.freeze()  # what is here now stays: nothing to look through again and again
    server.start()
    gevent.spawn(_beat, link)
    gevent.spawn(_watch, link, stop)
    gevent.spawn(watch_checksums, catalog)
    following = gevent.spawn(make_known, catalog)
    stop.wait()
    server.stop_accepting()
    finishing = gevent.spawn(server.wait)
    gevent.wait([finishing, at_once], count=1)
    following.kill()
    log.info("stopped", legs=dict(metrics.legs), in_hand=server.in_hand)
    return 0 if finishing.ready() else LEGS_IN_HAND


def _beat(link: socket.socket) -> None:
    """Tell the supervisor, again and again, that the event loop runs."""
    while True:
        try:
            link.send(b".", socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass  # it does not read just now, and has plenty to read
        except OSError:
            return
        gevent.sleep(BEAT_SECONDS)


def _watch(link: socket.socket, stop: Event) -> None:
    """The supervisor says nothing more until it is gone."""
    gevent.socket.wait_read(link.fileno())
    stop.set()


def _event_publisher(
    control: Address | None, metrics: LegMetrics
) -> Callable[[ChannelData, Decision], None] | None:
    if control is None:
        return None
    events = DecisionEvents(
        (control[0], control[1]), os.environ["CALLSIEVE_CONTROL_PASSWORD"], metrics.event
    )
    gevent.spawn(events.run)
    return events.publish


if __name__ == "__main__":
    main()
