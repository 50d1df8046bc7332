"""`callsieve serve`: the outbound event-socket service."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import click

from callsieve.addresses import ADDRESS, Address
from callsieve.figures import FIGURES
from callsieve.new_stores import region_option
from callsieve.stores import BAD_VALUE, Place, fail, opened, store_option
from callsieve.worker_settings import WorkerSettings

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

QUEUED_CONNECTIONS = 4096
"""What the kernel lets wait to be accepted; it takes at most its own net.core.somaxconn."""


@click.command()
@store_option
@region_option
@click.option(
    "--listen",
    type=ADDRESS,
    default="127.0.0.1:8084",
    show_default=True,
    help="Address for FreeSWITCH's socket application. Port 0: any free port. Not used when "
    "systemd hands a socket over.",
)
@click.option(
    "--allow",
    multiple=True,
    metavar="ADDRESS",
    help="An address or network that may connect, such as 192.0.2.0/24; any number of times. "
    "Required to listen elsewhere than on loopback: the event socket has no password.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Processes that answer legs, on the one address.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0.0, 3600.0),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long legs in hand may take after SIGTERM.",
)
@click.option(
    "--stall",
    type=click.FloatRange(2.0, 3600.0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="A worker that gives no sign of life for so long is replaced.",
)
@click.option(
    "--max-connections",
    type=click.IntRange(1),
    default=10_000,
    show_default=True,
    help="Connections of one worker; more are closed at once.",
)
@click.option(
    "--max-legs",
    type=click.IntRange(1),
    default=2_000,
    show_default=True,
    help="Undecided legs of one worker; more get their flow's fail policy at once.",
)
@click.option(
    "--decision-time",
    type=click.FloatRange(0.01, 60.0),
    default=0.8,
    show_default=True,
    metavar="SECONDS",
    help="A leg that was not decided for so long gets its flow's fail policy.",
)
@click.option(
    "--block-time",
    type=click.FloatRange(0.1, 60.0),
    default=8.0,
    show_default=True,
    metavar="SECONDS",
    help="A number from a phone (flow block) that is not on its list in so long is given up.",
)
@click.option(
    "--metrics",
    type=ADDRESS,
    help="Serve /metrics for Prometheus, /health and /ready over HTTP there.",
)
@click.option(
    "--figures",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for the figures behind /metrics, which Kamailio's workers may share; one of "
    "its own if left out.",
)
@click.option(
    "--control",
    type=ADDRESS,
    help="FreeSWITCH's inbound event socket: publish decisions there as CUSTOM "
    "callsieve::decision events. Its password is read from CALLSIEVE_CONTROL_PASSWORD.",
)
def serve(
    url: str,
    region: str | None,
    listen: Address,
    allow: tuple[str, ...],
    workers: int,
    grace: float,
    stall: float,
    max_connections: int,
    max_legs: int,
    decision_time: float,
    block_time: float,
    metrics: Address | None,
    figures: Path | None,
    control: Address | None,
) -> None:
    """Answer FreeSWITCH's `socket` application until SIGTERM or Ctrl-C.

    Publishes the store's lists and rules, then prints "listening on HOST:PORT". Changes made with
    the other commands are used from the next leg on. SIGTERM stops after the legs in hand, a second
    one at once; SIGHUP lets the version that is installed now take over, without a connection
    refused. Decisions are logged to standard error, one JSON object a line.

    \b
    Example:
      callsieve serve --store csv:/var/lib/callsieve --workers 2 --metrics 127.0.0.1:9484

    Exit code: 0 stopped when told to; 1 it cannot listen or a worker does not start; 2 an option or
    the rules are not good and none are in force; 3 stopped with legs in hand; 5 the store cannot be
    used.
    """
    for network in allow:
        try:
            ip_network(network)
        except ValueError as error:
            raise click.UsageError(f"--allow: {error}") from None
    if control is not None and not os.environ.get("CALLSIEVE_CONTROL_PASSWORD"):
        raise click.UsageError("--control: expected the password in CALLSIEVE_CONTROL_PASSWORD")
    settings = WorkerSettings(
        url, control, max_connections, max_legs, decision_time, block_time, allow
    )
    sys.exit(_serve(settings, region, listen, metrics, figures, workers, grace, stall))


def _serve(
    settings: WorkerSettings,
    region: str | None,
    listen: Address,
    metrics: Address | None,
    figures: Path | None,
    workers: int,
    grace: float,
    stall: float,
) -> int:
    import structlog
    from prometheus_client.multiprocess import mark_process_dead

    from callsieve import takeover
    from callsieve.followers import Following
    from callsieve.log_output import log_to
    from callsieve.monitoring import serve_monitoring
    from callsieve.supervisor import Supervisor
    from callsieve.upkeep import Upkeep

    log_to(sys.stderr.buffer)
    log = structlog.get_logger()
    before = takeover.inherited()
    if before is None:
        place = _publish(settings.url, region, log)
        listening = _listening_socket(listen)
    else:
        with opened(settings.url) as place:
            pass  # it is what the version before has published
        listening = before.listening
    host, port = listening.getsockname()[:2]
    if not ip_address(host).is_loopback and not settings.allowed:
        raise click.UsageError(
            f"--listen: expected --allow beside an address that is not loopback, got {host} alone"
        )
    if before is None:
        if figures is not None:
            figures.mkdir(parents=True, exist_ok=True)
        os.environ[FIGURES] = str(figures or mkdtemp(prefix="callsieve-"))
    directory = os.environ[FIGURES]
    supervisor = Supervisor(
        listening,
        settings,
        workers,
        grace_seconds=grace,
        stall_seconds=stall,
        announce=lambda: click.echo(f"listening on {host}:{port}"),
        buried=lambda pid: mark_process_dead(pid, directory),  # type: ignore[no-untyped-call]
    )
    if before is not None:
        supervisor.adopt(before.workers)
    if settings.url.startswith("redis"):
        supervisor.tick = Following(settings.url, supervisor.spawn).check  # it expires, too
    else:
        supervisor.tick = Upkeep(place.store, place.catalog, supervisor.spawn).check
    if metrics is not None:
        try:
            at = serve_monitoring(
                metrics, directory, place.catalog, supervisor.health, _store_metrics(settings.url)
            )
        except OSError as error:
            raise _cannot_listen("--metrics", metrics, error) from None
        log.info("metrics", address=at)
    try:
        code = supervisor.run()
    finally:
        if figures is None:
            shutil.rmtree(directory, ignore_errors=True)
    log.info("service_stopped", exit_code=code)
    return code


def _store_metrics(url: str) -> list[Collector]:
    if not url.startswith("redis"):
        return []
    from callsieve.store_metrics import StoreMetrics

    return [StoreMetrics(url)]


def _publish(url: str, region: str | None, log: Any) -> Place:
    with opened(url, create=True, region=region) as place:
        problems = place.start().problems
        if not place.has_rules:
            fail("\n".join(problems), BAD_VALUE)
    for problem in problems:
        log.warning("not_taken", problem=problem)
    return place


def _listening_socket(listen: Address) -> socket.socket:
    from callsieve.systemd import take_listening_sockets

    handed_over = take_listening_sockets()
    if len(handed_over) > 1:
        raise click.UsageError(
            f"LISTEN_FDS: expected one socket from systemd, got {len(handed_over)}"
        )
    if handed_over:
        return handed_over[0]
    family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
    try:
        return socket.create_server(listen, family=family, backlog=QUEUED_CONNECTIONS)
    except OSError as error:
        raise _cannot_listen("--listen", listen, error) from None


def _cannot_listen(option: str, address: Address, error: OSError) -> click.ClickException:
    return click.ClickException(
        f"{option}: cannot listen on {address[0]}:{address[1]}: {error.strerror or error}"
    )
