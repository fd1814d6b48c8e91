"""Watches the checkpoints of every partition from outside, in Postgres."""

import threading
import time
from collections.abc import Sequence

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from consumers.store.schema import offsets

LOOK_SECONDS = 0.05

Span = tuple[float, float]


class Watch(threading.Thread):
    """Notes when each partition's checkpoints were first seen. Times are seconds since 1970."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(name="watch", daemon=True)
        self.seen: dict[int, list[Span]] = {}  # (when the checkpoint began, when it was seen) by partition
        self._engine = engine
        self._stop_looking = threading.Event()

    def run(self) -> None:
        """Look until told to stop; while Postgres is away there is nothing to see."""
        query = select(offsets.c.partition, offsets.c.saved).where(offsets.c.saved.is_not(None))
        while not self._stop_looking.wait(LOOK_SECONDS):
            try:
                with self._engine.connect() as connection:
                    found = connection.execute(query).all()
            except SQLAlchemyError:
                continue
            now = time.time()
            for partition, saved in found:
                series = self.seen.setdefault(partition, [])
                if not series or series[-1][0] < saved.timestamp():
                    series.append((saved.timestamp(), now))

    def stop(self) -> None:
        """Look no more."""
        self._stop_looking.set()
        self.join()

    def gap(self, since: float, down: Sequence[Span]) -> float:
        """Return the longest time from `since` to a partition's next checkpoint, without the time in `down`.

        Over all partitions: it is at least that of those which the worker had.
        """
        return max(_wait(series, since, down) for series in self.seen.values())


def _wait(series: Sequence[Span], since: float, down: Sequence[Span]) -> float:
    end = next((seen for began, seen in series if began > since), time.time())
    return end - since - sum(max(min(end, last) - max(since, first), 0.0) for first, last in down)
