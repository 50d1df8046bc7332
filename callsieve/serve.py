"""`callsieve serve`: the outbound event-socket service."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import click

from callsieve.addresses import ADDRESS, Address
from callsieve.stores import BAD_VALUE, fail, opened, store_option
from esl_service.channel_data import ChannelData
from screening import Decision


@click.command()
@store_option
@click.option(
    "--listen",
    type=ADDRESS,
    default="127.0.0.1:8084",
    show_default=True,
    help="Address for FreeSWITCH's socket application. Port 0: any free port.",
)
@click.option(
    "--control",
    type=ADDRESS,
    help="FreeSWITCH's inbound event socket: publish decisions there as CUSTOM "
    "callsieve::decision events. Its password is read from CALLSIEVE_CONTROL_PASSWORD.",
)
def serve(url: str, listen: Address, control: Address | None) -> None:
    """Answer FreeSWITCH's `socket` application until SIGTERM or Ctrl-C.

    Publishes the store's lists and rules, then prints "listening on HOST:PORT". Changes made with
    the other commands are used from the next leg on. SIGTERM stops after the legs in hand, a second
    one at once. Decisions are logged to standard error, one JSON object a line.

    \b
    Example:
      callsieve serve --store csv:/var/lib/callsieve --listen 127.0.0.1:8084

    Exit code: 0 stopped when told to; 1 it cannot listen; 2 the rules are not good and none are in
    force; 3 stopped with legs in hand; 5 the store cannot be used.
    """
    import structlog  # gevent and structlog are for this command alone

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    sys.exit(_serve(url, listen, control))


def _serve(url: str, listen: Address, control: Address | None) -> int:
    import gevent
    import structlog
    from gevent.event import Event

    from callsieve.checksums import watch_checksums
    from callsieve.expiry import publish_expiries
    from callsieve.screener import Screener
    from esl_service.server import Server

    log = structlog.get_logger()
    with opened(url, create=True) as place:
        problems = place.publish_all().problems
        if not place.has_rules:
            fail("\n".join(problems), BAD_VALUE)
        catalog = place.catalog
    for problem in problems:
        log.warning("not_taken", problem=problem)
    screener = Screener(catalog, lambda text: log.error("catalog", problem=text))
    # Numbering plans are loaded when they are first needed: not by the first caller.
    screener.screen(ChannelData(caller_number="1000", called_number="+48221234567"))
    server = Server(listen, screener.screen, _event_publisher(control))
    try:
        host, port = server.start()
    except OSError as error:
        raise click.ClickException(
            f"--listen: cannot listen on {listen[0]}:{listen[1]}: {error.strerror or error}"
        ) from None

    stop, at_once = Event(), Event()

    def told_to_stop() -> None:
        (at_once if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, told_to_stop)
    click.echo(f"listening on {host}:{port}")
    gevent.spawn(publish_expiries, catalog, url)
    gevent.spawn(watch_checksums, catalog)
    stop.wait()
    server.stop_accepting()
    finishing = gevent.spawn(server.wait)
    gevent.wait([finishing, at_once], count=1)
    log.info("stopped", legs=dict(server.counts), in_hand=not finishing.ready())
    return 0 if finishing.ready() else 3


def _event_publisher(control: Address | None) -> Callable[[ChannelData, Decision], None] | None:
    if control is None:
        return None
    import gevent

    from esl_service.control import DecisionEvents

    password = os.environ.get("CALLSIEVE_CONTROL_PASSWORD")
    if not password:
        raise click.UsageError("--control: expected the password in CALLSIEVE_CONTROL_PASSWORD")
    events = DecisionEvents(control, password)
    gevent.spawn(events.run)
    return events.publish
