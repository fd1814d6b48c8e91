"""The topic of query records as `detect` reads it: bounded batches, and who owns which partition.

Offsets are kept in Postgres. The group only deals out partitions; what is committed to it is a mirror for lag tools.
So there are two consumers: one is the member of the group and never fetches, the other reads what we hold. In
kafka-python 3.0 a consumer hands out nothing while it joins, and a join waits for every member that is not known to be
dead: with one consumer a death would stop all of the others' partitions for up to a session.
"""

import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from typing import Any

from kafka import KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata, TopicPartition

from consumers.kafka.connection import opened
from consumers.kafka.membership import Change, Membership
from consumers.kafka.swift import hasten
from detector.brokers import Brokers
from detector.wire import RawRecord

BATCH_RECORDS = 4_000  # the most records of one poll: taking back so many clients is less than a second's work
FETCH_BYTES = 4 << 20  # of one partition at a time, as the producers compressed them
ANSWER_BYTES = 32 << 20  # of all partitions of a broker
HEARTBEATS = 10  # in a session; by its heartbeat a member hears that partitions are dealt out anew
CLOSE_SECONDS = 2.0  # leaving the group; past this the session timeout does it
FETCH_WAIT_MS = 100  # for records, at the broker: questions about offsets wait behind it
ASK_SECONDS = 1.0  # looking up offsets
METADATA_MS = 5_000  # added partitions, and a topic made anew, are noticed within this


class Source:
    """A member of the consumer group. Not thread-safe; a partition is silent until `start` is called for it."""

    def __init__(
        self, broker: Brokers | str, group: str, topic: str, *, member: str | None = None, session: float = 10.0
    ) -> None:
        """Join when first polled. `member` makes the membership static; `session` is in seconds.

        Raises KafkaError when no broker lets us in; then nothing is left.
        """
        self.topic = topic
        with ExitStack() as undo:
            self._reader: Any = opened(
                KafkaConsumer,
                broker,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",  # only reached when unread records were removed: see `detect`
                fetch_max_wait_ms=FETCH_WAIT_MS,
                max_poll_records=BATCH_RECORDS,
                metadata_max_age_ms=METADATA_MS,
                max_partition_fetch_bytes=FETCH_BYTES,
                fetch_max_bytes=ANSWER_BYTES,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
            undo.callback(self._reader.close, autocommit=False, timeout_ms=0)
            self._raw = hasten(self._reader)
            self._consumer: Any = opened(
                KafkaConsumer,
                broker,
                group_id=group,
                group_instance_id=member,
                enable_auto_commit=False,
                partition_assignment_strategy=[CooperativeStickyAssignor()],
                session_timeout_ms=int(session * 1000),
                heartbeat_interval_ms=int(session * 1000 / HEARTBEATS),
                metadata_max_age_ms=METADATA_MS,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
            undo.callback(self._consumer.close, autocommit=False, timeout_ms=0)
            self._consumer.partitions_for_topic(topic)  # before we join, else the group deals out nothing at first
            undo.pop_all()
        self._membership = Membership(self._consumer, topic)

    @property
    def mirror_failures(self) -> int:
        """How many commits to the group failed."""
        return self._membership.mirror_failures

    def poll(self, seconds: float) -> list[tuple[int, list[RawRecord]]]:
        """Return what has come within `seconds`, at most BATCH_RECORDS, by partition.

        Empty also while no broker answers. Raises KafkaError as the group answered.
        """
        self._membership.check()
        if not self._reader.assignment():
            time.sleep(seconds)
            return []
        polled = self._reader.poll(timeout_ms=int(seconds * 1000))
        return [(place.partition, list(self._raw(records))) for place, records in polled.items()]

    def changes(self) -> list[Change]:
        """Return who gained and lost what since this was last asked, in order."""
        seen = []
        while self._membership.changes:
            seen.append(self._membership.changes.popleft())
            self._read(self._reader.assignment() - {self._named(number) for number in seen[-1].partitions})
        return seen

    def start(self, partition: int, offset: int) -> None:
        """Read `partition` from `offset` on. Raises KafkaError when it was lost meanwhile."""
        place = self._place(partition)
        self._read(self._reader.assignment() | {place})
        self._reader.seek(place, offset)

    def hold(self, partition: int) -> None:
        """Read nothing of `partition` until it is started again. Raises KafkaError when it was lost meanwhile."""
        place = self._place(partition)
        self._read(self._reader.assignment() - {place})

    def beginning(self, partition: int) -> int:
        """Return the first offset that retention has left. Raises KafkaError."""
        place = self._named(partition)
        return int(self._reader.beginning_offsets([place], timeout_ms=int(ASK_SECONDS * 1000))[place])

    def ends(self, partitions: Collection[int]) -> dict[int, int]:
        """Return the next offset to be written of each partition: a question to the broker. Raises KafkaError.

        It is also how an absent broker is noticed, for `poll` never says.
        """
        places = [self._named(partition) for partition in partitions]
        ends = self._reader.end_offsets(places, timeout_ms=int(ASK_SECONDS * 1000))
        return {place.partition: int(end) for place, end in ends.items()}

    def life(self) -> str | None:
        """Return the topic's id as the brokers last told; "" where they tell none, None when there is no such topic.

        Who reads asks anew as soon as a fetch fails, so that nothing of a topic made anew comes before its id does.
        """
        consumer = self._reader if self._reader.assignment() else self._consumer
        cluster = consumer._cluster  # noqa: SLF001  # the driver has no other door to this
        if not cluster.partitions_for_topic(self.topic):
            return None
        return str(cluster.topic_id(self.topic) or "")

    def mirror(self, offsets: Mapping[int, int]) -> None:
        """Tell the group how far we are, for lag tools; failures are counted and do not matter."""
        named = {self._named(partition): OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
        if named:
            self._membership.mirror(named)

    def close(self) -> None:
        """Leave the group; a static member stays in it until its session ends, so that a restart moves nothing."""
        self._membership.leave(CLOSE_SECONDS)
        self._reader.close(autocommit=False, timeout_ms=int(CLOSE_SECONDS * 1000))

    def _read(self, places: Collection[Any]) -> None:
        """Read these and no others; those that were read before are read on."""
        self._reader.assign(sorted(places))

    def _place(self, partition: int) -> Any:
        place = self._named(partition)
        if place not in self._consumer.assignment():
            raise KafkaError(f"partition {partition} is not ours any more")
        return place

    def _named(self, partition: int) -> Any:
        return TopicPartition(self.topic, partition)
