"""What an operator's tools ask over HTTP, on a listener of their own: metrics and health.

| path | answers |
|---|---|
| `/metrics` | Prometheus's text, of all workers together |
| `/health` | 200 while the supervisor runs, 503 when it hangs |
| `/ready` | 200 while workers answer legs, 503 before and while stopping |
"""

from __future__ import annotations

import datetime
import socketserver
import threading
import time
from collections.abc import Iterable, Iterator
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from callsieve.addresses import Address
from callsieve.supervisor import Health
from loader.held_back import RULES, found_held_back, of_list
from loader.publishing import too_old
from lookup_core import Catalog, PublishedList

STALE_SECONDS = 10.0
REQUEST_SECONDS = 10.0


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_SECONDS

    def log_message(self, format: str, *args: object) -> None:
        """Scrapes are no news."""


class _Published(Collector):
    """The supervisor's own figures, and those of what is published."""

    def __init__(self, catalog: Catalog, health: Health) -> None:
        self._catalog = catalog
        self._health = health

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "callsieve_workers", "Workers that answer legs.", value=len(self._health.workers)
        )
        yield CounterMetricFamily(
            "callsieve_worker_restarts",
            "Workers that were replaced because they died or stalled.",
            value=self._health.restarts,
        )
        generation = GaugeMetricFamily(
            "callsieve_list_generation", "The list's generation in force.", labels=("list",)
        )
        age = GaugeMetricFamily(
            "callsieve_list_age_seconds", "Since the list was published.", labels=("list",)
        )
        entries = GaugeMetricFamily(
            "callsieve_list_entries", "Entries of the list.", labels=("list",)
        )
        available = GaugeMetricFamily(
            "callsieve_list_available", "1 if the list can be asked.", labels=("list",)
        )
        held_back = GaugeMetricFamily(
            "callsieve_list_held_back",
            "1 if what the store has of the list is not in force: lost, or unreadable.",
            labels=("list",),
        )
        now = datetime.datetime.now(datetime.UTC)
        view = self._catalog.current()
        yield GaugeMetricFamily(
            "callsieve_rules_held_back",
            "1 if the rules in the store are not in force: a mistake, or too much was lost.",
            value=found_held_back(view, RULES) is not None,
        )
        for name, found in view.lists.items():
            held_back.add_metric((name,), found_held_back(view, of_list(name)) is not None)
            generation.add_metric((name,), found.generation)
            usable = isinstance(found, PublishedList) and not too_old(found, now)
            available.add_metric((name,), usable)
            if not isinstance(found, PublishedList):
                continue
            moment, count = found.info.get("published_at"), found.info.get("entries")
            if isinstance(moment, str):
                passed = now - datetime.datetime.fromisoformat(moment)
                age.add_metric((name,), passed.total_seconds())
            if isinstance(count, int):
                entries.add_metric((name,), count)
        yield from (generation, age, entries, available, held_back)


def serve_monitoring(
    listen: Address,
    directory: str,
    catalog: Catalog,
    health: Health,
    more: Iterable[Collector] = (),
) -> Address:
    """Listen, in threads of its own. Returns the address, with the port chosen for port 0.

    directory: prometheus_client's, where the workers keep their figures. more: figures of others.
    Raises OSError.
    """
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]
    for collector in (_Published(catalog, health), *more):
        registry.register(collector)
    metrics = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            return metrics(environ, start)  # type: ignore[no-any-return]
        good = {
            "/health": time.monotonic() - health.tick < STALE_SECONDS,
            "/ready": health.ready,
        }.get(path)
        status = "404 Not Found" if good is None else "200 OK" if good else "503 Unavailable"
        start(status, [("Content-Type", "text/plain")])
        return [f"{status}\n".encode()]

    host, port = listen
    server = make_server(host, port, answer, _Server, _Handler)
    threading.Thread(target=server.serve_forever, daemon=True, name="monitoring").start()
    return host, server.server_port
