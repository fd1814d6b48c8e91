"""What is told to a reader of the stream, and what it measures of itself."""

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Told:
    """What a reader needs to know; it runs in a process of its own."""

    kafka: str
    topic: str
    records: int  # of the topic
    queries: int  # in them
    database: str
    schema: str
    folder: str  # for its own files
    turn: int = 0  # which time it reads the same topic


@dataclass(slots=True)
class Measured:
    """Seconds of a reader, on the clock and of CPU (all its threads), and what it has to say beside."""

    wall: float
    cpu: float
    notes: dict[str, int] = field(default_factory=dict)


class Clock:
    """Both clocks, running from when it is made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self, **notes: int) -> Measured:
        """Return what has passed."""
        return Measured(time.perf_counter() - self._wall, time.process_time() - self._cpu, notes)
