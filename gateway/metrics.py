"""What Prometheus may ask a gateway. One registry a gateway, so that several can live in one process (tests do)."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # s


class Metrics:
    """Counters of requests, and gauges that are read when asked."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "gamekeeper_gateway_requests", "Guarded requests by HTTP status", ["status"], registry=self.registry
        )
        self.refusals = Counter(
            "gamekeeper_gateway_refusals", "Requests refused, by reason", ["code"], registry=self.registry
        )
        self.withheld = Counter(
            "gamekeeper_gateway_withheld", "Refusals that shadow held back, by reason", ["code"], registry=self.registry
        )
        self.rows = Counter(
            "gamekeeper_gateway_rows",
            "Predictions answered, by model and action",
            ["model", "action"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "gamekeeper_gateway_request_seconds", "Time of a guarded request", buckets=BUCKETS, registry=self.registry
        )

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Add a gauge `gamekeeper_gateway_NAME` whose value is read at each scrape."""
        Gauge(f"gamekeeper_gateway_{name}", text, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """Return everything in Prometheus's text form."""
        return generate_latest(self.registry)
