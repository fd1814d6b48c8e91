"""Belonging to the consumer group, on a thread of its own: the group is answered while others work.

A join that ends while nobody polls the driver (kafka-python 3.0) is void and has to begin again, for all members.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kafka import ConsumerRebalanceListener
from kafka.errors import KafkaError

JOIN_SECONDS = 1.0  # of one poll while joining
LOOK_SECONDS = 0.1  # between looks whether the group wants something
STUCK_SECONDS = 60.0  # of silence of who reads: then the group is not answered any more, and ends our membership


@dataclass(frozen=True, slots=True)
class Change:
    """Partitions that came to this member or left it."""

    partitions: tuple[int, ...]
    gained: bool


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # the driver has no types
    """Runs on the driver's IO thread, which also carries the heartbeats: it only notes."""

    def __init__(self, changes: deque[Change]) -> None:
        self._changes = changes

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        self._changes.append(Change(tuple(sorted(one.partition for one in assigned)), gained=True))

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        self._changes.append(Change(tuple(sorted(one.partition for one in revoked)), gained=False))

    def on_partitions_lost(self, lost: Iterable[Any]) -> None:
        self.on_partitions_revoked(lost)


class Membership(threading.Thread):
    """The thread that alone polls the member's consumer, from the first `check` on."""

    def __init__(self, consumer: Any, topic: str) -> None:
        super().__init__(name="membership", daemon=True)
        self.changes: deque[Change] = deque()
        self.mirror_failures = 0
        self._consumer = consumer
        self._mirror: deque[dict[Any, Any]] = deque()  # offsets to commit, by place
        self._errors: deque[KafkaError] = deque(maxlen=1)
        self._over = threading.Event()
        self._checked = 0.0
        consumer.subscribe([topic], listener=_Listener(self.changes))

    def check(self) -> None:
        """Say that somebody reads what we hold. Raises KafkaError as the group answered, RuntimeError at our fault."""
        self._checked = time.monotonic()
        if self.ident is None:
            self.start()
        elif not self.is_alive():
            raise RuntimeError("the thread that belongs to the consumer group has ended")
        if self._errors:
            raise self._errors.pop()

    def mirror(self, offsets: dict[Any, Any]) -> None:
        """Commit these soon."""
        self._mirror.append(offsets)

    def run(self) -> None:
        """Answer the group until told to leave."""
        while not self._over.is_set():
            try:
                joining = time.monotonic() - self._checked < STUCK_SECONDS and self._turn()
            except KafkaError as error:
                self._errors.append(error)
                joining = False
            if not joining:
                self._over.wait(LOOK_SECONDS)

    def leave(self, seconds: float) -> None:
        """Leave the group; past `seconds` the session timeout does it."""
        self._over.set()
        if self.ident is not None:
            self.join(seconds)
        self._consumer.close(autocommit=False, timeout_ms=int(seconds * 1000))

    @property
    def joining(self) -> bool:
        """Whether a join is under way."""
        return bool(self._consumer._coordinator.rejoining)  # noqa: SLF001  # the driver has no other door to this

    def _turn(self) -> bool:
        """Do what a member has to do, at once when there is nothing; tell whether a join is under way.

        In kafka-python 3.0 a poll that times out between the leader's assignment and the broker's answer to it leaves
        the member outside for ever: it believes that it need not join, and its heartbeat is off. Asking to join again
        is what brings it back.
        """
        coordinator = self._consumer._coordinator  # noqa: SLF001  # the consumer's own poll would fetch, and wait
        if coordinator.rejoining and not coordinator.need_rejoin():
            coordinator.request_rejoin()
        coordinator.poll(timeout_ms=(JOIN_SECONDS if coordinator.rejoining else LOOK_SECONDS) * 1000)
        self._commit()
        return self.joining

    def _commit(self) -> None:
        offsets: dict[Any, Any] = {}
        while self._mirror:
            offsets |= self._mirror.popleft()
        try:
            if offsets:
                self._consumer.commit_async(offsets, callback=self._mirrored)
        except KafkaError:
            self.mirror_failures += 1

    def _mirrored(self, _offsets: Any, answer: Any) -> None:
        if isinstance(answer, Exception):
            self.mirror_failures += 1
