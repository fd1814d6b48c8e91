"""Who looks after the partitions that the group gives us: claims them, feeds them, writes their checkpoints."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from consumers import growth, metrics, reporting
from consumers.health import Health
from consumers.kafka import Change, Found, KafkaError, Source
from consumers.partition import Partition, Pending, Terms
from consumers.poison import Doubt, Poisoned
from consumers.store import checkpoint, policies
from consumers.store.facts import Fenced, Place
from detector.wire import RawRecord

PROBE_SECONDS = 2.0  # between questions to the brokers how far the topic goes; an absent one shows within this
HURRY_SECONDS = 0.005  # a round's wait for records while a checkpoint is due
AT_ONCE = 0.0  # when a checkpoint is due that is late already
TURN_SECONDS = 1.0  # between looks whether an added partition may begin
WAITS = (0.2, 0.5, 1.0, 2.0)  # seconds before a partition is claimed again; the last repeats
FENCED_SECONDS = 2.0  # the same where another owner claimed it: by then a heartbeat has told us if it is not ours

log = structlog.get_logger()
_WORLD = (SQLAlchemyError, KafkaError, Fenced)  # may fail at any time, through nobody's fault here


@dataclass(frozen=True, slots=True)
class Bounds:
    """How often, how much, and for whom."""

    group: str
    checkpoint_seconds: float
    checkpoint_queries: int
    clients_max: int
    learn: timedelta  # after partitions were added, until every producer knows
    topic: Callable[[], Found | None]
    wanted: Callable[[], Mapping[str, str]]


class Keeper:
    """The partitions of one process. All but what a partition writes aside runs on the caller's thread."""

    def __init__(self, source: Source, terms: Terms, health: Health, bounds: Bounds) -> None:
        self._source = source
        self._terms = terms
        self._health = health
        self._bounds = bounds
        self._held: dict[int, Partition] = {}
        self._waiting: dict[int, float] = {}  # ours and not yet claimed: when to try
        self._tries: dict[int, int] = {}  # failures since the last checkpoint
        self._doubts: dict[int, Doubt] = {}
        self._introduced = False  # Postgres knows the policy that our verdicts name
        self._due: dict[int, float] = {}  # when each held partition's next checkpoint is to be written
        self._probe_due = 0.0

    def step(self, seconds: float) -> None:
        """Do one round: what was read, what the group changed, what waits to be claimed, what is to be written."""
        batches = self._poll(HURRY_SECONDS if self._overdue() else seconds)
        for change in self._source.changes():
            self._change(change)
        self._leave_old_life()
        for number, records in batches:
            self._take(number, records)
        self._settle()
        self._claim_due()  # after the batches: what was polled before a claim does not follow on the saved offset
        self._save(self._overdue())
        if time.monotonic() >= self._probe_due:
            self._probe()
            self._probe_due = time.monotonic() + PROBE_SECONDS

    def finish(self) -> None:
        """Write a last checkpoint of everything."""
        self._save(list(self._held), leaving=True)

    def _overdue(self) -> list[int]:
        """Return whose checkpoint to write now: of all that are late, or else one a round, for each takes time."""
        now = time.monotonic()
        due = [number for number, one in self._held.items() if self._due[number] <= now and not one.writing]
        return [number for number in due if self._due[number] == AT_ONCE] or sorted(due, key=self._due.__getitem__)[:1]

    def _poll(self, seconds: float) -> list[tuple[int, list[RawRecord]]]:
        try:
            with metrics.FETCH.time():
                return self._source.poll(seconds)
        except KafkaError as error:
            self._health.fault("kafka", type(error).__name__)
            log.warning("polling failed", error=repr(error))
            time.sleep(seconds)
            return []

    def _change(self, change: Change) -> None:
        log.info("partitions came" if change.gained else "partitions left", partitions=change.partitions)
        if change.gained:
            self._waiting.update(dict.fromkeys(change.partitions, 0.0))
            return
        self._save([number for number in change.partitions if number in self._held], leaving=True)
        for number in change.partitions:
            self._held.pop(number, None)
            self._waiting.pop(number, None)
            self._tries.pop(number, None)
            self._doubts.pop(number, None)
            reporting.lag(number, 0, 0.0)

    def _claim_due(self) -> None:
        due = [number for number, when in self._waiting.items() if when <= time.monotonic()]
        if not due:
            return
        try:
            if not self._introduced:
                policies.introduce(self._terms.engine, self._terms.policy)
                self._introduced = True
            for place in self._ready(due, self._bounds.topic()):
                self._claim(place)
        except _WORLD as error:
            self._failed("claiming", error)
            for number in self._waiting.keys() & due:
                self._wait(number)

    def _ready(self, due: list[int], topic: Found | None) -> list[Place]:
        """Return those of `due` that may be claimed. The others are gone, or were added and wait for their turn."""
        ready = []
        for number in due:
            if topic is None or number >= topic.partitions:
                self._wait(number)  # the group will say that it is gone
                continue
            place = Place(self._bounds.group, self._source.topic, topic.id, number)
            if growth.behind(self._terms.engine, self._source, place, topic.partitions, self._bounds.learn):
                self._waiting[number] = time.monotonic() + TURN_SECONDS
            else:
                ready.append(place)
        return ready

    def _claim(self, place: Place) -> None:
        begun, number = time.monotonic(), place.partition
        claim = checkpoint.claim(self._terms.engine, place)
        beginning = self._source.beginning(number)
        start = max(beginning if claim.next is None else claim.next, beginning)
        partition = Partition(self._terms, claim, start)
        if claim.next is not None and claim.next < beginning:
            self._lost(partition, claim.next, beginning)
        self._source.start(number, start)
        self._held[number] = partition
        self._due[number] = time.monotonic() + self._bounds.checkpoint_seconds
        del self._waiting[number]
        log.info("partition claimed", partition=number, epoch=claim.epoch, next=start,
                 seconds=round(time.monotonic() - begun, 4))  # fmt: skip

    def _leave_old_life(self) -> None:
        """Save and drop partitions of a topic that was deleted and made again: offsets have begun anew."""
        life = self._source.life()
        for number in [number for number, one in self._held.items() if life not in {None, one.claim.place.topic_id}]:
            log.error("the topic was made anew: what was not read of it is gone", partition=number)
            self._save([number], leaving=True)
            if number in self._held:
                self._drop(number, Fenced("this life of the topic is over"))

    def _take(self, number: int, records: list[RawRecord]) -> None:
        partition = self._held.get(number)
        if partition is None:
            return  # fetched before it was held back; they are read again from the saved offset
        new = _after(records, partition.next)
        if not new:
            return
        try:
            self._check_gap(number, partition, new[0].place)
            partition.take(new, self._doubts.get(number))
        except Poisoned as error:
            self._doubt(number, error)
            self._drop(number, error)
        except _WORLD as error:
            self._drop(number, error)
        else:
            self._hurry(number, partition)

    def _hurry(self, number: int, partition: Partition) -> None:
        """Write a checkpoint that should not wait for its time: at once, or as soon as the one before is written."""
        pending = partition.pending
        full = pending.large or pending.read >= self._bounds.checkpoint_queries
        if full or (pending.urgent and not partition.writing):
            self._save([number])
        elif pending.urgent:
            self._due[number] = AT_ONCE

    def _check_gap(self, number: int, partition: Partition, first: int) -> None:
        """Notice records that retention removed while we read; other holes are the broker's own markers."""
        if first <= partition.next:
            return
        beginning = self._source.beginning(number)
        if beginning > partition.next:
            self._lost(partition, partition.next, min(beginning, first))

    def _lost(self, partition: Partition, first: int, end: int) -> None:
        log.error("unread records are gone: retention removed them", partition=partition.claim.place.partition,
                  first=first, end=end, lost=end - first)  # fmt: skip
        metrics.LOST.inc(end - first)
        partition.pending.gap = (first, end)

    def _doubt(self, number: int, error: Poisoned) -> None:
        log.error("the detector failed; looking for the record", partition=number, first=error.first, last=error.last,
                  exc_info=error.__cause__)  # fmt: skip
        self._doubts.setdefault(number, Doubt(error.first, error.last)).widen(error)

    def _save(self, numbers: list[int], leaving: bool = False) -> None:
        saved: dict[int, int] = {}
        for number in numbers:
            partition = self._held[number]
            self._due[number] = time.monotonic() + self._bounds.checkpoint_seconds
            try:
                written = [partition.settle(), partition.save(self._bounds.wanted(), self._keep(), leaving)]
            except _WORLD as error:
                self._drop(number, error)
            else:
                saved |= self._note(number, written)
        self._source.mirror(saved)

    def _settle(self) -> None:
        """Note what was written aside meanwhile."""
        saved: dict[int, int] = {}
        for number in [number for number, one in self._held.items() if one.written]:
            try:
                written = self._held[number].settle()
            except _WORLD as error:
                self._drop(number, error)
            else:
                saved |= self._note(number, [written])
        self._source.mirror(saved)

    def _note(self, number: int, written: list[Pending]) -> dict[int, int]:
        """Note what is in Postgres now; return how far, if it went on."""
        partition = self._held[number]
        if not partition.writing:
            self._tries.pop(number, None)
        self._believe(number, partition)
        for one in written:
            reporting.written(number, one)
        return {number: partition.saved} if any(one.read for one in written) else {}

    def _keep(self) -> int:
        return self._bounds.clients_max // max(len(self._held), 1)

    def _believe(self, number: int, partition: Partition) -> None:
        """Forget a doubt once all of its range is behind a checkpoint."""
        doubt = self._doubts.get(number)
        if doubt is not None and partition.saved > doubt.last:
            del self._doubts[number]

    def _drop(self, number: int, error: Exception) -> None:
        """Take the one way back: forget what is in memory, and claim again soon."""
        self._failed("partition dropped", error, partition=number)
        metrics.RECOVERIES.inc()
        self._held.pop(number, None)
        try:
            self._source.hold(number)
        except KafkaError:
            return  # it was lost meanwhile; if it comes back, the group says so
        self._wait(number, FENCED_SECONDS if isinstance(error, Fenced) else 0.0)

    def _wait(self, number: int, least: float = 0.0) -> None:
        tries = self._tries.get(number, 0)
        self._tries[number] = tries + 1
        self._waiting[number] = time.monotonic() + max(WAITS[min(tries, len(WAITS) - 1)], least)

    def _failed(self, what: str, error: Exception, **where: int) -> None:
        log.warning(what, error=type(error).__name__, detail=str(error)[:300], **where)
        if isinstance(error, SQLAlchemyError):
            self._health.fault("postgres", type(getattr(error, "orig", None) or error).__name__)

    def _probe(self) -> None:
        """Ask the brokers how far the topic goes: the lag, and whether anybody answers at all."""
        if not self._tries:  # a claim that succeeds, or a partition with nothing to write, says little of the others
            self._health.fine("postgres")
        metrics.PARTITIONS.set(len(self._held))
        metrics.WAITING.set(len(self._waiting))
        metrics.CLIENTS.set(sum(partition.detector.size for partition in self._held.values()))
        metrics.CLIENTS_BYTES.set(sum(partition.detector.slots_bytes for partition in self._held.values()))
        metrics.MIRROR_FAILURES.set(self._source.mirror_failures)
        try:
            ends = self._source.ends(list(self._held) or [0])
        except KafkaError as error:
            gone = self._source.life() is None
            self._health.fault("kafka", f"no topic {self._source.topic}" if gone else type(error).__name__)
            return
        self._health.fine("kafka")
        for number, partition in self._held.items():
            waiting = max(ends.get(number, 0) - partition.saved, 0)
            age = max(time.time() - partition.saved_written / 1e6, 0.0)
            reporting.lag(number, waiting, age if waiting else 0.0)


def _after(records: list[RawRecord], next_offset: int) -> list[RawRecord]:
    """Return the records not yet accounted for. Earlier ones come again only when the broker has lost its tail."""
    if records[0].place >= next_offset:
        return records
    log.error("offsets ran back: the broker has lost records that were read", offset=records[0].place, next=next_offset)
    return [record for record in records if record.place >= next_offset]
