"""Who owns what: partitions that do not move never stop, and a restarted static member moves none."""

import itertools
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kafka import KafkaProducer

from benchmarks.chaos.watch import Watch
from consumers.kafka import Source
from tests.consumers import traffic
from tests.consumers.road import Road, until
from tests.consumers.test_detect import detecting

STOPPED = 2.0  # seconds without a checkpoint; a join that waits for a dead member takes up to 6


def epochs(road: Road) -> list[int]:
    """Return how often each partition was claimed."""
    return [int(epoch) for (epoch,) in road.rows('SELECT epoch FROM offsets ORDER BY "partition"')]


@contextmanager
def asking(road: Road) -> Iterator[Watch]:
    """Let a few clients, who live in both partitions, ask all the time; meanwhile watch the checkpoints."""
    stop, watch = threading.Event(), Watch(road.engine)
    writer = threading.Thread(target=_ask, args=(road, stop))
    watch.start()
    writer.start()
    try:
        yield watch
    finally:
        stop.set()
        writer.join()
        watch.stop()


def _ask(road: Road, stop: threading.Event) -> None:
    clients = [f"client-{number}" for number in range(6)]
    streams = {client: list(traffic.records(client, traffic.ordinary(client, 400))) for client in clients}
    producer = KafkaProducer(bootstrap_servers=road.kafka)
    for number in itertools.count():
        if stop.wait(0.05):
            break
        for client, records in streams.items():
            producer.send(road.topics.predictions, records[number % len(records)], key=client.encode())
    producer.close()


def longest(watch: Watch, partition: int) -> float:
    """Return the longest time between two checkpoints of a partition."""
    seen = [when for _, when in watch.seen[partition]]
    return max(after - before for before, after in itertools.pairwise(seen))


def test_a_partition_that_does_not_move_never_stops(road: Road) -> None:
    """While the group waits for a member that died, the other one's partition is read as if nothing had happened."""
    with detecting(road), road.process() as dying:
        until(lambda: sorted(epochs(road)) == [1, 2])  # the second took one of the first one's partitions
        kept = epochs(road).index(1)
        with asking(road) as watch:
            until(lambda: len(watch.seen.get(kept, ())) > 2)
            dying.send_signal(signal.SIGKILL)
            joining = Source(road.kafka, f"{road.prefix}group", road.topics.predictions, session=6.0)
            while not joining.changes():
                joining.poll(0.1)
            joining.close()
        assert epochs(road)[kept] == 1
    assert longest(watch, kept) < STOPPED


def test_a_static_member_that_restarts_moves_nothing(road: Road) -> None:
    """Killed and started again within its session it goes on: the group deals out nothing, nobody waits."""
    with detecting(road, member="one") as first:
        first.send_signal(signal.SIGKILL)
    with road.process(member="one"), asking(road):
        until(lambda: epochs(road) == [2, 2])
        before = road.read()
        until(lambda: road.read() > before)
