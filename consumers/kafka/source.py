"""The topic of query records as `detect` reads it: bounded batches, and who owns which partition.

Offsets are kept in Postgres. The group only deals out partitions; what is committed to it is a mirror for lag tools.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata, TopicPartition

from consumers.kafka.connection import KafkaSettings, opened
from detector.wire import RawRecord

BATCH_RECORDS = 5_000  # the most records of one poll: bounds memory and the time of a step
FETCH_BYTES = 4 << 20  # of one partition at a time
HEARTBEATS = 10  # in a session; by its heartbeat a member hears that partitions are dealt out anew
FETCH_WAIT_MS = 100  # for records, at the broker: questions about offsets wait behind it
CLOSE_SECONDS = 2.0  # leaving the group; past this the session timeout does it
JOIN_SECONDS = 1.0  # of one poll while joining: a join that ends between two polls has to begin again
ASK_SECONDS = 1.0  # looking up offsets
METADATA_MS = 5_000  # added partitions, and a topic made anew, are noticed within this
_MICROSECONDS = 1_000  # in one of Kafka's milliseconds


@dataclass(frozen=True, slots=True)
class Change:
    """Partitions that came to this member or left it."""

    partitions: tuple[int, ...]
    gained: bool


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # the driver has no types
    """Runs on the driver's IO thread, which also carries the heartbeats: it only pauses and notes."""

    def __init__(self, consumer: Any, changes: deque[Change]) -> None:
        self._consumer = consumer
        self._changes = changes

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        partitions = sorted(assigned)
        self._consumer.pause(*partitions)  # nothing is fetched before the saved offset is known
        self._changes.append(Change(tuple(one.partition for one in partitions), gained=True))

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        self._changes.append(Change(tuple(sorted(one.partition for one in revoked)), gained=False))

    def on_partitions_lost(self, lost: Iterable[Any]) -> None:
        self.on_partitions_revoked(lost)


class Source:
    """A member of the consumer group. Not thread-safe; a partition is silent until `start` is called for it."""

    def __init__(
        self, broker: KafkaSettings | str, group: str, topic: str, *, member: str | None = None, session: float = 10.0
    ) -> None:
        """Join when first polled. `member` makes the membership static; `session` is in seconds.

        Raises KafkaError when no broker lets us in; then nothing is left.
        """
        self.topic = topic
        self.mirror_failures = 0
        self._changes: deque[Change] = deque()
        self._consumer: Any = opened(
            KafkaConsumer,
            broker,
            group_id=group,
            group_instance_id=member,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # only reached when unread records were removed: see `detect`
            partition_assignment_strategy=[CooperativeStickyAssignor()],
            session_timeout_ms=int(session * 1000),
            heartbeat_interval_ms=int(session * 1000 / HEARTBEATS),
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_poll_records=BATCH_RECORDS,
            metadata_max_age_ms=METADATA_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        self._consumer.subscribe([topic], listener=_Listener(self._consumer, self._changes))
        try:
            self._consumer.partitions_for_topic(topic)  # before we join, else the group deals out nothing at first
        except KafkaError:
            self.close()
            raise

    def poll(self, seconds: float) -> list[tuple[int, list[RawRecord]]]:
        """Return what has come, at most BATCH_RECORDS, by partition. Empty also while no broker answers.

        Takes up to `seconds`, or JOIN_SECONDS while the group deals out partitions.
        """
        joining = self._joining()
        polled = self._consumer.poll(timeout_ms=int(max(seconds, JOIN_SECONDS if joining else 0) * 1000))
        return [(place.partition, [raw(record) for record in records]) for place, records in polled.items()]

    def changes(self) -> list[Change]:
        """Return who gained and lost what since this was last asked, in order."""
        seen = []
        while self._changes:
            seen.append(self._changes.popleft())
        return seen

    def start(self, partition: int, offset: int) -> None:
        """Read `partition` from `offset` on. Raises KafkaError when it was lost meanwhile."""
        place = self._place(partition)
        self._consumer.seek(place, offset)
        self._consumer.resume(place)

    def hold(self, partition: int) -> None:
        """Read nothing of `partition` until it is started again. Raises KafkaError when it was lost meanwhile."""
        self._consumer.pause(self._place(partition))

    def beginnings(self, partitions: Collection[int]) -> dict[int, int]:
        """Return the first offset that retention has left of each partition. Raises KafkaError.

        Ask once for all: the answer may wait behind a fetch that waits for records.
        """
        places = [TopicPartition(self.topic, partition) for partition in partitions]
        beginnings = self._consumer.beginning_offsets(places, timeout_ms=int(ASK_SECONDS * 1000))
        return {place.partition: int(beginning) for place, beginning in beginnings.items()}

    def ends(self, partitions: Collection[int]) -> dict[int, int]:
        """Return the next offset to be written of each partition: a question to the broker. Raises KafkaError.

        It is also how an absent broker is noticed, for `poll` never says.
        """
        places = [TopicPartition(self.topic, partition) for partition in partitions]
        ends = self._consumer.end_offsets(places, timeout_ms=int(ASK_SECONDS * 1000))
        return {place.partition: int(end) for place, end in ends.items()}

    def life(self) -> str | None:
        """Return the topic's id as the brokers last told; "" where they tell none, None when there is no such topic."""
        cluster = self._consumer._cluster  # noqa: SLF001  # the driver has no other door to this
        if not cluster.partitions_for_topic(self.topic):
            return None
        return str(cluster.topic_id(self.topic) or "")

    def mirror(self, offsets: Mapping[int, int]) -> None:
        """Tell the group how far we are, for lag tools; failures are counted and do not matter."""
        committed = {
            TopicPartition(self.topic, partition): OffsetAndMetadata(offset, "", -1)
            for partition, offset in offsets.items()
        }
        try:
            self._consumer.commit_async(committed, callback=self._mirrored)
        except KafkaError:
            self.mirror_failures += 1

    def close(self) -> None:
        """Leave the group; a static member stays in it until its session ends, so that a restart moves nothing."""
        self._consumer.close(autocommit=False, timeout_ms=int(CLOSE_SECONDS * 1000))

    def _joining(self) -> bool:
        """Tell whether a join is under way, and keep it alive.

        In kafka-python 3.0 a poll that times out between the leader's assignment and the broker's answer to it leaves
        the member outside for ever: it believes that it need not join, and its heartbeat is off. Asking to join again
        is what brings it back.
        """
        coordinator = self._consumer._coordinator  # noqa: SLF001  # the driver has no other door to this
        if coordinator.rejoining and not coordinator.need_rejoin():
            coordinator.request_rejoin()
        return bool(coordinator.rejoining)

    def _place(self, partition: int) -> Any:
        place = TopicPartition(self.topic, partition)
        if place not in self._consumer.assignment():
            raise KafkaError(f"partition {partition} is not ours any more")
        return place

    def _mirrored(self, _offsets: Any, answer: Any) -> None:
        if isinstance(answer, Exception):
            self.mirror_failures += 1


def raw(record: Any) -> RawRecord:
    """Return the driver's record as the wire takes it; the broker's time in µs."""
    content_type = next((value for name, value in record.headers or () if name.lower() == "content-type"), None)
    return RawRecord(
        value=record.value,
        content_type=None if content_type is None else content_type.decode("latin-1"),
        broker_time=record.timestamp * _MICROSECONDS if record.timestamp and record.timestamp > 0 else None,
        place=record.offset,
    )
