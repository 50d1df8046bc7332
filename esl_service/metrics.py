"""Counts legs for Prometheus, in the service and in Kamailio's workers.

Importing this decides prometheus_client's mode: with PROMETHEUS_MULTIPROC_DIR in the environment
every process keeps its figures in a file there, and whoever reads the directory adds them up.
Labels have few values, none of them a caller's.
"""

from __future__ import annotations

from collections import Counter as Tally

from prometheus_client import CollectorRegistry, Counter, Histogram

BUCKETS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)
"""Seconds. A decision takes some 50 microseconds; a list that is being opened, milliseconds."""


class LegMetrics:
    """`Measures` of the server. legs: by outcome since the start, for the log."""

    def __init__(self, registry: CollectorRegistry) -> None:
        legs = Counter(
            "callsieve_legs",
            "Legs decided, by flow and decision.",
            ("flow", "decision"),
            registry=registry,
        )
        errors = Counter(
            "callsieve_errors",
            "What went wrong with a connection, by kind.",
            ("kind",),
            registry=registry,
        )
        self._seconds = Histogram(
            "callsieve_decision_seconds",
            "From the channel data to the sent answer.",
            buckets=BUCKETS,
            registry=registry,
        )
        events = Counter(
            "callsieve_events",
            "Decision events for FreeSWITCH's subscribers, by what became of them.",
            ("outcome",),
            registry=registry,
        )
        blocks = Counter(
            "callsieve_blocks",
            "Numbers that agents asked to be put on a list, by what became of them.",
            ("status",),
            registry=registry,
        )
        self._blocks = _Children(blocks)
        self._events = _Children(events)
        self._legs = _Children(legs)
        self._errors = _Children(errors)
        self.legs: Tally[str] = Tally()

    def decided(self, flow: str, action: str, seconds: float) -> None:
        self._legs[flow, action].inc()
        self._seconds.observe(seconds)
        self.legs[action] += 1

    def blocked(self, status: str) -> None:
        self._blocks[(status,)].inc()

    def failed(self, kind: str) -> None:
        self._errors[(kind,)].inc()
        self.legs[kind] += 1

    def event(self, outcome: str) -> None:
        self._events[(outcome,)].inc()


class _Children(dict[tuple[str, ...], Counter]):
    """A counter's children by their labels: `Counter.labels` costs more than the counting."""

    def __init__(self, counter: Counter) -> None:
        super().__init__()
        self._counter = counter

    def __missing__(self, labels: tuple[str, ...]) -> Counter:
        child = self[labels] = self._counter.labels(*labels)
        return child
