"""Kafka: topics, batches, ownership and past records, against the real broker."""

import threading
import time
from collections.abc import Callable

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.structs import TopicPartition

from consumers import kafka as room
from consumers import topics
from consumers.kafka import Source
from detector.topics import Topics

DEADLINE = 20.0  # seconds; conditions hold within one or two


def until(condition: Callable[[], bool]) -> None:
    """Ask for `condition` until it holds."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"


def write(kafka: str, topic: str, values: list[bytes], partition: int = 0, time_ms: int | None = None) -> None:
    """Write records to one partition."""
    producer = KafkaProducer(bootstrap_servers=kafka)
    for value in values:
        headers = [("content-type", b"text/x-test")]
        producer.send(topic, value, partition=partition, headers=headers, timestamp_ms=time_ms)
    producer.flush()
    producer.close()


def test_ensure_makes_and_checks(kafka: str, topics_prefix: str) -> None:
    """The first call makes the topics as they should be; the second finds nothing to say."""
    first = topics.ensure(kafka, 4, topics_prefix)
    assert all(state.created and not state.differences for state in first)
    assert [state.partitions for state in first] == [4, 1, 1, 1]
    assert [(state.created, state.differences) for state in topics.ensure(kafka, 4, topics_prefix)] == [(False, ())] * 4


def test_ensure_alters_nothing(kafka: str, topics_prefix: str) -> None:
    """What differs from what it should be is named, and stays as it is."""
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    name = Topics(topics_prefix).decisions
    admin.create_topics({name: {"num_partitions": 3, "configs": {"cleanup.policy": "delete"}}}, wait_for_metadata=True)
    admin.close()
    for _ in range(2):
        [state] = [state for state in topics.ensure(kafka, 1, topics_prefix) if state.name == name]
        assert "cleanup.policy is delete, should be compact" in state.differences
        assert "has 3 partitions, should have 1" in state.differences


def test_topic_id_tells_lives_apart(kafka: str, topics_prefix: str) -> None:
    """A topic made again under its name has another id; one that is not there has none."""
    name = Topics(topics_prefix).predictions
    topics.ensure(kafka, 1, topics_prefix)
    first = room.find(kafka, name)
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.delete_topics([name])
    until(lambda: room.find(kafka, name) is None)
    topics.ensure(kafka, 1, topics_prefix)
    admin.close()
    second = room.find(kafka, name)
    assert first is not None
    assert second is not None
    assert first.id not in {"", second.id}
    assert (first.partitions, second.partitions) == (1, 1)


def test_a_partition_is_silent_until_started(kafka: str, topics_prefix: str) -> None:
    """Nothing is handed out before the saved offset is known; then everything from exactly there."""
    topics.ensure(kafka, 1, topics_prefix)
    name = Topics(topics_prefix).predictions
    write(kafka, name, [b"%d" % number for number in range(10)])
    source = Source(kafka, f"{topics_prefix}group", name, session=6.0)
    try:
        gained: list[int] = []

        def joined() -> bool:
            assert source.poll(0.1) == []
            gained.extend(number for change in source.changes() if change.gained for number in change.partitions)
            return bool(gained)

        until(joined)
        assert source.poll(0.5) == []
        assert (gained, source.beginning(0), source.ends([0])) == ([0], 0, {0: 10})
        source.start(0, 7)
        read: list[tuple[int, bytes | None, str | None]] = []

        def all_read() -> bool:
            for _, records in source.poll(0.1):
                read.extend((record.place, record.value, record.content_type) for record in records)
            return len(read) == 3

        until(all_read)
    finally:
        source.close()
    assert read == [(7, b"7", "text/x-test"), (8, b"8", "text/x-test"), (9, b"9", "text/x-test")]


def test_a_second_member_takes_its_share(kafka: str, topics_prefix: str) -> None:
    """Cooperatively: the first keeps what does not move, and is told what does."""
    topics.ensure(kafka, 2, topics_prefix)
    sources = [Source(kafka, f"{topics_prefix}group", Topics(topics_prefix).predictions, session=6.0)]
    owned: list[set[int]] = [set(), set()]

    def turn() -> None:
        for source, mine in zip(sources, owned, strict=False):
            source.poll(0.05)
            for change in source.changes():
                (mine.update if change.gained else mine.difference_update)(change.partitions)

    def holds(*sizes: int) -> Callable[[], bool]:
        def ask() -> bool:
            turn()
            return tuple(len(mine) for mine in owned) == sizes

        return ask

    until(holds(2, 0))
    sources.append(Source(kafka, f"{topics_prefix}group", Topics(topics_prefix).predictions, session=6.0))
    until(holds(1, 1))
    sources.pop().close()
    until(holds(2, 1))  # the first has both again; the second, closed, is not asked any more
    sources.pop().close()


def test_reachable_leaves_no_threads(kafka: str) -> None:
    """Asking for an absent broker again and again leaves nothing behind."""
    before = threading.active_count()
    assert room.reachable(kafka)
    assert not any(room.reachable("127.0.0.1:1") for _ in range(5))
    for _ in range(3):
        with pytest.raises(room.KafkaError):
            room.find("127.0.0.1:1", "predictions")
    assert threading.active_count() == before


def test_read_range(kafka: str, topics_prefix: str) -> None:
    """Partition after partition, between two times of the broker, to the end that was there at the start."""
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    name = Topics(topics_prefix).predictions
    admin.create_topics({name: {"num_partitions": 2}}, wait_for_metadata=True)
    admin.close()
    now = int(time.time() * 1000)
    for partition, at in ((1, now - 3000), (0, now - 2000), (1, now - 1000)):
        write(kafka, name, [b"%d@%d" % (partition, at - now)], partition, at)

    def values(start: int | None = None, end: int | None = None) -> list[bytes | None]:
        return [record.value for batch in room.read_range(kafka, name, start, end) for record in batch]

    assert values() == [b"0@-2000", b"1@-3000", b"1@-1000"]
    assert values(start=(now - 2000) * 1000) == [b"0@-2000", b"1@-1000"]
    assert values(end=(now - 2000) * 1000) == [b"1@-3000"]
    assert values(start=(now + 9000) * 1000) == []


def test_read_range_of_no_topic(kafka: str, topics_prefix: str) -> None:
    """A topic that does not exist is an error, not an empty reading."""
    with pytest.raises(LookupError, match="does not exist"):
        list(room.read_range(kafka, f"{topics_prefix}nothing"))


def test_removed_records_show_in_the_beginning(kafka: str, topics_prefix: str) -> None:
    """What retention removed is not before the beginning any more."""
    topics.ensure(kafka, 1, topics_prefix)
    name = Topics(topics_prefix).predictions
    write(kafka, name, [b"x"] * 5)
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.delete_records({TopicPartition(name, 0): 3})
    admin.close()
    source = Source(kafka, f"{topics_prefix}group", name, session=6.0)
    assert source.beginning(0) == 3
    source.close()
