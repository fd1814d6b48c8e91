"""Who owns what: partitions that do not move never stop, and a restarted static member goes on at once."""

import signal
from collections.abc import Iterator

import pytest
from kafka import KafkaProducer

from benchmarks import traffic
from consumers.kafka import Source
from tests.consumers.road import Road, until
from tests.consumers.test_detect import detecting


class Member:
    """A member of the group that starts what it gets, at the end, and counts what it reads while it joins."""

    def __init__(self, road: Road) -> None:
        self.source = Source(road.kafka, f"{road.prefix}group", road.topics.predictions, session=6.0)
        self.held: set[int] = set()
        self.while_joining = 0

    def turn(self) -> None:
        """Do one round."""
        joining = self.source._membership.joining
        batches = self.source.poll(0.1)
        if joining and self.source._membership.joining:
            self.while_joining += len(batches)
        for change in self.source.changes():
            (self.held.update if change.gained else self.held.difference_update)(change.partitions)
            for number in change.partitions if change.gained else ():
                self.source.start(number, self.source.ends([number])[number])


@pytest.fixture
def member(cold_road: Road) -> Iterator[Member]:
    """Return a member that has both partitions."""
    member = Member(cold_road)
    until(lambda: _turned(member, 2))
    yield member
    member.source.close()


def test_a_partition_that_does_not_move_never_stops(cold_road: Road, member: Member) -> None:
    """While the group waits for a member that died, the others go on reading what they hold."""
    with cold_road.process() as dying:
        until(lambda: _turned(member, 1))
        dying.send_signal(signal.SIGKILL)
        dying.wait()
        joining = Source(cold_road.kafka, f"{cold_road.prefix}group", cold_road.topics.predictions, session=6.0)
        producer = KafkaProducer(bootstrap_servers=cold_road.kafka)

        def read_on() -> bool:
            joining.poll(0.1)
            for number in (0, 1):
                producer.send(cold_road.topics.predictions, b"{", partition=number)
            member.turn()
            return member.while_joining > 0

        until(read_on)
        producer.close()
        joining.close()


def test_a_static_member_that_restarts_goes_on(road: Road) -> None:
    """Killed and started again within its session it has its partitions again; nobody waits for the session to end."""
    records = list(traffic.records("client", traffic.ordinary("client", 20)))
    with detecting(road, member="one") as first:
        first.send_signal(signal.SIGKILL)
    written = road.write(("client", record) for record in records)
    with road.process(member="one"):
        until(lambda: road.read() == written)
    assert all(epoch >= 2 for (epoch,) in road.rows("SELECT epoch FROM offsets"))


def _turned(member: Member, size: int) -> bool:
    member.turn()
    return len(member.held) == size
