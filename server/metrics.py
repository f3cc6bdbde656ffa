"""Numbers about the service, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from bi2scope.server.stores import Stores

SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Bounds of the histogram of latencies."""


class _Opens(Collector):
    """How often each store was opened, as the stores themselves count it."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def collect(self) -> Iterator[Metric]:
        """One sample for each store."""
        family = CounterMetricFamily(
            "bi2scope_store_opens", "Times that the file of a store was opened", labels=["store"]
        )
        for store in self._stores:
            family.add_metric([store.slug], store.opened)
        yield family


class Metrics:
    """Requests by route and status, how long they took and how many are under way; one process's own.

    Attributes
    ----------
    in_flight
        Requests under way.
    """

    def __init__(self, stores: Stores | None = None) -> None:
        self._registry = CollectorRegistry()
        if stores is not None:
            self._registry.register(_Opens(stores))
        labels = ["method", "route", "status"]
        self._requests = Counter("bi2scope_requests", "Requests that were answered", labels, registry=self._registry)
        self._bytes = Counter("bi2scope_response_bytes", "Bytes of bodies sent", ["route"], registry=self._registry)
        self._seconds = Histogram(
            "bi2scope_request_seconds",
            "Seconds from a request to the last byte of its answer",
            ["route"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self.in_flight = Gauge("bi2scope_requests_in_flight", "Requests under way", registry=self._registry)

    def count(self, method: str, route: str, status: int, seconds: float, sent: int) -> None:
        """Count a request that has ended."""
        self._requests.labels(method, route, str(status)).inc()
        self._bytes.labels(route).inc(sent)
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return generate_latest(self._registry)
