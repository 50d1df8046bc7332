"""Figures of how this node follows a Redis store, as the follower writes them down."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from loader.node_directory import NodeDirectory
from loader.redis_follow import FOLLOWING
from loader.redis_url import parse_redis_url
from loader.store import StoreError


class StoreMetrics(Collector):
    """Those of the store at a Redis URL. Raises BadValueError."""

    def __init__(self, url: str) -> None:
        self._node = NodeDirectory.of(parse_redis_url(url).prefix)

    def collect(self) -> Iterator[Metric]:
        try:
            health = self._node.health()
        except StoreError:  # it cannot be read, so nobody follows as far as can be told
            health = None
        yield GaugeMetricFamily(
            "callsieve_store_following",
            "1 if this node follows the Redis store, 0 if it goes on from its own copy.",
            value=health is not None and health.state == FOLLOWING,
        )
        if health is not None and health.heard:
            passed = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(
                health.heard
            )
            yield GaugeMetricFamily(
                "callsieve_store_heard_age_seconds",
                "Since the Redis store answered last.",
                value=passed.total_seconds(),
            )
