"""What stands guard: keys, decisions in force, limits and the query log, with the threads that keep them up to date.

`guarding` makes one from settings, for the reference app or anyone's own.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from detector.brokers import Brokers
from detector.records import Applied, GatewayStatus
from detector.times import format_time
from gateway.access import Access, KeyRing, read_file
from gateway.faults import Fault, unavailable
from gateway.feed import Feed, Sinks, describe
from gateway.kafka import Writer
from gateway.limits.limiter import Limiter
from gateway.metrics import Metrics
from gateway.policy import BadPolicy, Policy
from gateway.querylog import QueryLog
from gateway.refusals import RefusalLog
from gateway.settings import GatewaySettings
from gateway.status import WAITING_MAX, Reporter
from gateway.table import DecisionTable
from gateway.watermark.dawn import SECRET_BYTES

AGE_HEADER = "Gamekeeper-Table-Age"  # s since the table of decisions was last known to be complete


@dataclass(frozen=True, slots=True)
class Rules:
    """What is guarded, and how.

    `model_of` says which model a path queries: None means that the path is no query (a key is needed all the same).
    `told_of` says of such a path which model it tells something of; None: of none in particular.
    """

    model_of: Callable[[str], str | None]
    told_of: Callable[[str], str | None] = lambda _path: None
    open_paths: frozenset[str] = frozenset()  # no key needed
    fail_open: bool = True  # serve while the decisions in force are not known
    table_age_max: float = 60.0  # s; an older table counts as not known
    age_header: bool = False  # say with each answer how old that table is
    feed_wait: float = 3.0  # s that start() waits for the first look at the topics
    drain_seconds: float = 2.0  # s that stop() gives the query log


@dataclass
class Guard:
    """The parts that guard, and their threads. Without `feed` nothing comes from Kafka."""

    access: Access
    table: DecisionTable
    log: QueryLog
    rules: Rules
    policy: Policy = field(default_factory=Policy)
    limiter: Limiter = field(default_factory=Limiter)
    secret: bytes = field(default=b"", repr=False)  # keys noise, marks and who meets which member of an ensemble
    feed: Feed | None = None
    reporter: Reporter | None = None
    metrics: Metrics = field(default_factory=Metrics)
    refusals: RefusalLog = field(default_factory=RefusalLog)

    def start(self) -> None:
        """Start the threads; waits a moment for the first look at the topics, so that a restart forgets no block."""
        self.log.start()
        self.access.tokens.start()
        if self.feed is not None:
            self.feed.start()
            self.feed.wait_loaded(self.rules.feed_wait)
        if self.reporter is not None:
            self.reporter.start()

    def stop(self) -> None:
        """End the threads, each within a bounded time; what waits of the query log is written first."""
        if self.feed is not None:
            self.feed.end()
        self.access.tokens.stop()
        self.log.stop(self.rules.drain_seconds)
        if self.reporter is not None:
            self.reporter.stop()
        if self.feed is not None:
            self.feed.join()

    def applied(self) -> None:
        """Report soon that a decision was applied."""
        if self.reporter is not None:
            self.reporter.soon()

    def refused(self, fault: Fault) -> None:
        """Count a refusal by its reason, and log it."""
        self.metrics.refusals.labels(fault.code).inc()
        self.refusals.write(fault)

    def shut(self) -> Fault | None:
        """Return why no query may be answered: fail_open is off, and the decisions in force are not known."""
        if self.rules.fail_open or self.feed is None:
            return None
        age = self.feed.age()
        if age is not None and age <= self.rules.table_age_max:
            return None
        return unavailable("decisions_unknown", "the gateway does not know the decisions in force")

    def headers(self) -> Mapping[str, str]:
        """Return what each answer to a query says of the table, where it is to say anything."""
        if not self.rules.age_header or self.feed is None:
            return {}
        age = self.feed.age()
        return {AGE_HEADER: "unknown" if age is None else f"{age:.1f}"}

    def faults(self) -> list[str]:
        """Return what is wrong, for people."""
        faults = []
        if not self.access.loaded:
            faults.append("keys are not known yet")
        faults += self.access.tokens.faults()
        if self.feed is not None and self.feed.state != "following":
            faults.append(f"decisions: {self.feed.state} {self.feed.why}".strip())
        if self.log.why:
            faults.append(f"query log: {self.log.why}")
        if self.limiter.why:
            faults.append(f"shared limits: {self.limiter.why}")
        if self.shut() is not None:
            faults.append("refusing queries until the decisions in force are known")
        return faults

    def health(self) -> Mapping[str, object]:
        """Return what /healthz says of keys, table and log."""
        log = self.log
        return {
            "policy": self.policy.version,
            "keys": len(self.access.ring),
            "table": {"decisions": len(self.table), **describe(self.feed)},
            "log": {"waiting": log.waiting_rows, "logged": log.logged, "dropped": log.lost(), "why": log.why},
        }

    def status(self, gateway: str) -> GatewayStatus:
        """Return what the topic `gateway_status` is told."""
        newest = self.table.newest
        return GatewayStatus(
            gateway=gateway,
            time=format_time(time.time_ns() // 1000),
            applied=None if newest is None else Applied(newest.id, newest.serial),
            decisions=len(self.table),
            table_age_seconds=None if self.feed is None else self.feed.age(),
            dropped=self.log.lost(),
        )


def guarding(
    settings: GatewaySettings,
    model_of: Callable[[str], str | None],
    open_paths: frozenset[str] = frozenset(),
    told_of: Callable[[str], str | None] = lambda _path: None,
) -> Guard:
    """Return a guard, not started yet. Raises BadPolicy, BadIssuer, BadStore; BadKey, OSError of a key file."""
    policy = settings.policy
    if policy.keyed and len(settings.secret) < SECRET_BYTES:
        raise BadPolicy(
            "gateway policy: its noise, marks or ensembles need a long secret: set GAMEKEEPER_GATEWAY_SECRET"
        )
    rules = Rules(
        model_of=model_of,
        told_of=told_of,
        open_paths=open_paths,
        fail_open=settings.fail_open,
        table_age_max=settings.table_age_max,
        age_header=settings.age_header,
        feed_wait=settings.feed_wait,
        drain_seconds=settings.drain_seconds,
    )
    keys = KeyRing(read_file(settings.keys_file)) if settings.keys_file is not None else KeyRing()
    access = Access(keys, policy.issuers, settings.key_pepper)
    limiter = Limiter(settings.limits_store, settings.limits_open)
    guard = Guard(access, DecisionTable(), _log(settings), rules, policy, limiter, settings.secret)
    if settings.bootstrap is not None:
        _connect(guard, settings, Brokers(settings.bootstrap, settings.security))
    _measure(guard)
    return guard


def _log(settings: GatewaySettings) -> QueryLog:
    if settings.bootstrap is None:
        return QueryLog(None)
    writer = Writer(Brokers(settings.bootstrap, settings.security), settings.log.in_flight)
    return QueryLog(writer, settings.topics.predictions, settings.log)


def _connect(guard: Guard, settings: GatewaySettings, brokers: Brokers) -> None:
    keys = guard.access.ring if settings.keys_file is None else None
    guard.feed = Feed(brokers, settings.topics, Sinks(guard.table, keys, guard.applied))
    writer = Writer(brokers, WAITING_MAX)
    guard.reporter = Reporter(writer, settings.topics.gateway_status, lambda: guard.status(settings.name))


def _measure(guard: Guard) -> None:
    metrics, log, table, feed = guard.metrics, guard.log, guard.table, guard.feed
    metrics.gauge("log_waiting_rows", "Predictions that wait for Kafka", lambda: log.waiting_rows)
    metrics.gauge("log_dropped_rows", "Predictions that will never reach Kafka", log.lost)
    metrics.gauge("log_written_rows", "Predictions handed to Kafka", lambda: log.logged)
    metrics.gauge("decisions", "Decisions in the table", lambda: len(table))
    metrics.gauge("limits_lost", "1 while the shared limits are away", lambda: bool(guard.limiter.why))
    if feed is not None:
        metrics.gauge("table_age_seconds", "Since the table was last complete; NaN: never", feed.age_or_nan)
        metrics.gauge("feed_unreadable", "Unreadable records of decisions and keys", lambda: feed.unreadable)
