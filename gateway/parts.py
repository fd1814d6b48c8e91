"""The parts of one gateway, made from its settings; what starts and ends with it."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from detector.records import Applied, GatewayStatus, format_time
from gateway.access import KeyRing, read_file
from gateway.faults import Fault, unavailable
from gateway.feed import Feed, Sinks, describe
from gateway.kafka import Writer
from gateway.middleware import Guard, Rules
from gateway.querylog import QueryLog
from gateway.serving import Models, find
from gateway.settings import GatewaySettings
from gateway.status import WAITING_MAX, Reporter
from gateway.table import DecisionTable

OPEN_PATHS = frozenset({"/healthz", "/metrics", "/v2/health/live", "/v2/health/ready", "/gamekeeper/decisions"})
QUERIES = (("/v1/models/", ":predict"), ("/v2/models/", "/infer"))


@dataclass
class Parts:
    """Everything behind the HTTP door of one gateway."""

    settings: GatewaySettings
    models: Models
    guard: Guard
    feed: Feed | None = None  # None: alone, without Kafka
    reporter: Reporter | None = None

    def start(self) -> None:
        """Start the threads; waits a moment for the first look at the topics, so that a restart forgets no block."""
        self.models.start()
        self.guard.log.start()
        if self.feed is not None:
            self.feed.start()
            self.feed.wait_loaded(self.settings.feed_wait)
        if self.reporter is not None:
            self.reporter.start()

    def stop(self) -> None:
        """End the threads, each within a bounded time; what waits of the query log is written first."""
        if self.feed is not None:
            self.feed.end()
        self.models.stop()
        self.guard.log.stop(self.settings.drain_seconds)
        if self.reporter is not None:
            self.reporter.stop()
        if self.feed is not None:
            self.feed.join()

    def applied(self) -> None:
        """Report soon that a decision was applied."""
        if self.reporter is not None:
            self.reporter.soon()

    def shut(self) -> Fault | None:
        """Return why nothing may be answered, if so."""
        return _shut(self.settings, self.feed)

    @property
    def ready(self) -> bool:
        """Tell whether queries can be answered."""
        return self.models.ready and self.guard.access.loaded and self.shut() is None

    def health(self) -> Mapping[str, object]:
        """Return what /healthz says."""
        faults = self._faults()
        log = self.guard.log
        return {
            "status": "degraded" if faults else "ok",
            "why": "; ".join(faults),
            "gateway": self.settings.name,
            "models": sorted(self.models.served),
            "keys": len(self.guard.access),
            "table": {"decisions": len(self.guard.table), **describe(self.feed)},
            "log": {"waiting": log.waiting_rows, "logged": log.logged, "dropped": log.lost(), "why": log.why},
        }

    def _faults(self) -> list[str]:
        faults = []
        if not self.models.ready:
            faults.append("a model does not answer")
        if not self.guard.access.loaded:
            faults.append("keys are not known yet")
        if self.feed is not None and self.feed.state != "following":
            faults.append(f"decisions: {self.feed.state} {self.feed.why}".strip())
        if self.guard.log.why:
            faults.append(f"query log: {self.guard.log.why}")
        if self.shut() is not None:
            faults.append("refusing queries until the decisions in force are known")
        return faults

    def status(self) -> GatewayStatus:
        """Return what the topic `gateway_status` is told."""
        newest = self.guard.table.newest
        return GatewayStatus(
            gateway=self.settings.name,
            time=format_time(time.time_ns() // 1000),
            applied=None if newest is None else Applied(newest.id, newest.serial),
            decisions=len(self.guard.table),
            table_age_seconds=None if self.feed is None else self.feed.age(),
            dropped=self.guard.log.lost(),
        )


def build(settings: GatewaySettings) -> Parts:
    """Make the parts and load the models. Raises BadModel, BadKey, OSError: before anything is started."""
    models = Models(find(settings.models), settings.batch_rows, settings.batch_wait)
    keys = KeyRing(read_file(settings.keys_file)) if settings.keys_file is not None else KeyRing()
    models.load()
    table = DecisionTable()
    feed = _feed(settings, Sinks(table, keys if settings.keys_file is None else None))
    rules = Rules(
        model_of=lambda path: queried(path, models),
        open_paths=OPEN_PATHS,
        throttle=settings.throttle,
        shut=lambda: _shut(settings, feed),
    )
    parts = Parts(settings, models, Guard(keys, table, _log(settings), rules), feed)
    _report(parts)
    _measure(parts)
    return parts


def queried(path: str, models: Models) -> str | None:
    """Return which of our models a path queries, or None."""
    for start, end in QUERIES:
        name = path.removeprefix(start).removesuffix(end)
        if path == start + name + end and name in models.served:
            return name
    return None


def _shut(settings: GatewaySettings, feed: Feed | None) -> Fault | None:
    """Refuse where fail_open is off and the decisions in force are not known."""
    if settings.fail_open or feed is None:
        return None
    age = feed.age()
    if age is not None and age <= settings.table_age_max:
        return None
    return unavailable("decisions_unknown", "the gateway does not know the decisions in force")


def _feed(settings: GatewaySettings, sinks: Sinks) -> Feed | None:
    return None if settings.bootstrap is None else Feed(settings.bootstrap, settings.topics, sinks)


def _log(settings: GatewaySettings) -> QueryLog:
    writer = None if settings.bootstrap is None else Writer(settings.bootstrap, settings.log.in_flight)
    return QueryLog(writer, settings.topics.predictions, settings.log)


def _report(parts: Parts) -> None:
    if parts.feed is not None:
        writer = Writer(parts.feed.bootstrap, WAITING_MAX)
        parts.reporter = Reporter(writer, parts.settings.topics.gateway_status, parts.status)
        parts.feed.sinks.applied = parts.reporter.soon


def _measure(parts: Parts) -> None:
    metrics, log, table, feed = parts.guard.metrics, parts.guard.log, parts.guard.table, parts.feed
    metrics.gauge("log_waiting_rows", "Predictions that wait for Kafka", lambda: log.waiting_rows)
    metrics.gauge("log_dropped_rows", "Predictions that will never reach Kafka", log.lost)
    metrics.gauge("log_written_rows", "Predictions handed to Kafka", lambda: log.logged)
    metrics.gauge("decisions", "Decisions in the table", lambda: len(table))
    if feed is not None:
        metrics.gauge("table_age_seconds", "Since the table was known to be complete; NaN: never", lambda: _age(feed))
        metrics.gauge(
            "feed_unreadable", "Records of decisions and keys that could not be read", lambda: feed.unreadable
        )


def _age(feed: Feed) -> float:
    age = feed.age()
    return math.nan if age is None else age
