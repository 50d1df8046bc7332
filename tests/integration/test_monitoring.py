"""Metrics, health and readiness, as Prometheus and a load balancer ask for them."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.test_workers import Leg, wait_until
from tests.support.patience import PATIENCE_SECONDS
from tests.support.service import Service, running

ROOT = Path(__file__).parents[2]


class Monitored:
    """A service and the address of its monitoring."""

    def __init__(self, service: Service) -> None:
        self.service = service
        (started,) = service.wait_logged("metrics")
        self._url = "http://{}:{}".format(*started["address"])

    def status(self, path: str) -> int:
        try:
            with urllib.request.urlopen(self._url + path, timeout=PATIENCE_SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def figures(self) -> dict[tuple[str, ...], float]:
        """Every sample by its name and the values of its labels, in the order of their names."""
        with urllib.request.urlopen(f"{self._url}/metrics", timeout=PATIENCE_SECONDS) as answer:
            text = answer.read().decode()
        return {
            (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest.fixture
def monitored(tmp_path: Path) -> Iterator[Monitored]:
    store = tmp_path / "store"
    shutil.copytree(ROOT / "callsieve" / "sample_store", store)
    with running(store, "--workers", "2", "--metrics", "127.0.0.1:0") as service:
        yield Monitored(service)


def test_legs_and_lists_are_counted_over_all_workers(monitored: Monitored) -> None:
    service = monitored.service
    for _ in range(10):
        service.probe("--caller", "+48600100200", "--called", "+48221234567")
    service.probe("--campaign", "Spring sale", "--called", "+48604555666")
    wait_until(lambda: len(service.wait_logged("decided")) == 11)
    figures = monitored.figures()
    assert figures["callsieve_legs_total", "hangup", "inbound"] == 10
    assert figures["callsieve_legs_total", "skip", "outbound"] == 1
    assert figures["callsieve_decision_seconds_count",] == 11
    assert figures["callsieve_decision_seconds_bucket", "+Inf"] == 11
    assert figures["callsieve_list_generation", "Default"] == 1
    assert figures["callsieve_list_available", "Default"] == 1
    assert 0 <= figures["callsieve_list_age_seconds", "Default"] < 3600
    entries = figures["callsieve_list_entries", "Default"]
    assert service.command("add", "Default", "+48600999888").returncode == 0
    figures = monitored.figures()
    assert figures["callsieve_list_generation", "Default"] == 2
    assert figures["callsieve_list_entries", "Default"] == entries + 1


def test_a_list_past_its_maximum_age_is_not_available(monitored: Monitored, tmp_path: Path) -> None:
    registry = tmp_path / "registry.txt"
    registry.write_text("201,5550123\n")
    for as_of, available in (("2020-01-01", 0), (datetime.date.today().isoformat(), 1)):
        options = ["--format", "ftc", "--as-of", as_of, str(registry)]
        assert monitored.service.command("list", "attach", "US", *options).returncode == 0
        figures = monitored.figures()
        assert figures["callsieve_list_available", "US"] == available
        assert figures["callsieve_list_entries", "US"] == 1


def test_errors_are_counted_by_kind_and_no_text_of_a_peer_is_a_label(monitored: Monitored) -> None:
    leg = Leg(monitored.service.address)
    with leg.connection as connection:
        connection.sendall(b"Content-Type: ${system touch x}\n\n")
        assert connection.recv(100) == b""
    figures = monitored.figures()
    assert figures["callsieve_errors_total", "protocol_error"] == 1
    assert not any("system" in label for labels in figures for label in labels)


def test_what_a_dead_worker_counted_stays_counted(monitored: Monitored) -> None:
    service = monitored.service
    service.probe("--caller", "+48600100200", "--called", "+48221234567")
    service.wait_logged("decided")
    for pid in service.workers():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: monitored.figures()["callsieve_worker_restarts_total",] == 2)
    wait_until(lambda: monitored.figures()["callsieve_workers",] == 2)
    assert monitored.figures()["callsieve_legs_total", "hangup", "inbound"] == 1


def test_a_stopping_service_is_healthy_and_not_ready(monitored: Monitored) -> None:
    service = monitored.service
    assert (monitored.status("/health"), monitored.status("/ready")) == (200, 200)
    assert monitored.status("/") == 404
    leg = Leg(service.address)
    service.process.send_signal(signal.SIGTERM)
    wait_until(lambda: monitored.status("/ready") == 503)
    assert monitored.status("/health") == 200
    leg.finish()
    assert service.process.wait(PATIENCE_SECONDS) == 0


def test_a_service_whose_workers_are_all_gone_is_not_ready(monitored: Monitored) -> None:
    for pid in monitored.service.workers():
        os.kill(pid, signal.SIGSTOP)
    for pid in monitored.service.workers():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: monitored.status("/ready") == 503)
    wait_until(lambda: monitored.status("/ready") == 200)


def test_the_dashboard_shows_metrics_that_there_are(monitored: Monitored) -> None:
    dashboard = json.loads((ROOT / "docs" / "grafana-dashboard.json").read_text("utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(expressions) >= 10
    monitored.service.probe("--caller", "1")
    with Leg(monitored.service.address).connection:
        pass  # counted as an error
    monitored.service.wait_logged("leg_gone")
    known = {name for name, *_ in monitored.figures()}
    for expression in expressions:
        for name in re.findall(r"callsieve_\w+", expression):
            assert name in known or name == "callsieve_events_total", expression
