"""Fills the table of decisions and the keys from Kafka: everything first, then as it comes.

One thread, its own consumer, no group. A lost connection leaves the last table in force, and says so: its age grows.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import structlog

from detector.brokers import Brokers
from detector.records import decode_decision, parse_decision_key
from detector.topics import Topics
from gateway.access import KeyRing
from gateway.kafka import Away, Item, Reader, reading
from gateway.table import DecisionTable

POLL_SECONDS = 0.2
LOOK_SECONDS = 2.0  # how often the end of the topics is asked for; the age of the table is known this well
PRUNE_SECONDS = 60.0
RETRY_SECONDS = 1.0

State = Literal["connecting", "loading", "following", "lost", "stopped"]
_log = structlog.get_logger("gateway.feed")


@dataclass
class Sinks:
    """Where what is read goes. `keys` is None where keys come from a file; `applied` hears of each new decision."""

    table: DecisionTable
    keys: KeyRing | None = None
    applied: Callable[[], None] = lambda: None


@dataclass
class Feed:
    """The thread that follows the topics `decisions` and `keys`."""

    brokers: Brokers | str
    topics: Topics
    sinks: Sinks
    state: State = "connecting"
    why: str = ""  # what is wrong, while something is
    unreadable: int = 0  # records of either topic that could not be read
    _fresh_at: float | None = None  # monotonic s, when the table last was known to be complete
    _stop: threading.Event = field(default_factory=threading.Event)
    _loaded: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to follow."""
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Tell the thread to end."""
        self._stop.set()

    def join(self, seconds: float = 0.5) -> None:
        """Wait at most `seconds` for its end."""
        self.end()
        if self._thread is not None:
            self._thread.join(seconds)
        self.state = "stopped"

    def wait_loaded(self, seconds: float) -> bool:
        """Wait until everything was read once; tell whether it was."""
        return self._loaded.wait(seconds)

    def age(self) -> float | None:
        """Return for how many seconds the table may have missed something; None before it was ever complete."""
        return None if self._fresh_at is None else time.monotonic() - self._fresh_at

    def age_or_nan(self) -> float:
        """Return age() for a metric: NaN before the table was ever complete."""
        age = self.age()
        return math.nan if age is None else age

    def _run(self) -> None:
        names = (self.topics.decisions, self.topics.keys) if self.sinks.keys is not None else (self.topics.decisions,)
        while not self._stop.is_set():
            try:
                with reading(self.brokers, names) as reader:
                    self._load(reader)
                    self._follow(reader)
            except Away as away:
                self._lost(str(away))
                self._stop.wait(RETRY_SECONDS)

    def _lost(self, why: str) -> None:
        if why != self.why:  # once for each reason, not once a second
            _log.warning("feed lost", why=why)
        self.state, self.why = "lost", why

    def _load(self, reader: Reader) -> None:
        """Read to the end as it was when we connected. Keys come into force together: no old state flashes up."""
        self.state = "loading"
        keys = KeyRing()
        while not self._stop.is_set():
            for item in reader.poll(POLL_SECONDS):
                self._take(item, keys)
            if reader.at_end():
                break
        else:
            return
        if self.sinks.keys is not None:
            self.sinks.keys.replace(keys)
        self._complete()
        self._loaded.set()
        _log.info("feed loaded", decisions=len(self.sinks.table), keys=len(keys))

    def _follow(self, reader: Reader) -> None:
        looked = pruned = time.monotonic()
        while not self._stop.is_set():
            for item in reader.poll(POLL_SECONDS):
                self._take(item, self.sinks.keys)
            now = time.monotonic()
            if now - looked >= LOOK_SECONDS:
                reader.look()
                looked = now
                if reader.at_end():
                    self._complete()
            if now - pruned >= PRUNE_SECONDS:
                self.sinks.table.prune(time.time_ns() // 1000)
                pruned = now

    def _complete(self) -> None:
        self._fresh_at = time.monotonic()
        self.state, self.why = "following", ""

    def _take(self, item: Item, keys: KeyRing | None) -> None:
        try:
            if item.topic != self.topics.keys:
                self._take_decision(item)
            elif keys is not None:
                keys.take((item.key or b"").decode("utf-8", errors="replace"), item.value)
        except ValueError as error:  # someone else's bad record; the rest must still come in
            self.unreadable += 1
            _log.error("unreadable record", topic=item.topic, why=str(error))

    def _take_decision(self, item: Item) -> None:
        if item.value is None:
            self.sinks.table.forget(parse_decision_key(item.key or b""), time.time_ns() // 1000)
        elif self.sinks.table.apply(decode_decision(item.value)):
            self.sinks.applied()


def describe(feed: Feed | None) -> Mapping[str, object]:
    """Return what /healthz says of the feed."""
    if feed is None:
        return {"state": "off"}
    age = feed.age()
    return {
        "state": feed.state,
        "why": feed.why,
        "age_seconds": None if age is None else round(age, 3),
        "unreadable": feed.unreadable,
    }
