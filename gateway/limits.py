"""Rate limits, by the library `limits` (sliding window counter, in memory)."""

import math
import time

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from gateway.settings import Rate


class Limiter:
    """One rate for many names. Names that stop asking are forgotten by the storage."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._item = RateLimitItemPerSecond(rate.rows, rate.seconds)
        self._windows = SlidingWindowCounterRateLimiter(MemoryStorage())

    def spend(self, name: str, rows: int) -> int | None:
        """Spend `rows` for `name`: None when that was within the rate, else the whole seconds to wait (>= 1).

        A request of more rows than the rate holds at all is never within it.
        """
        if self._windows.hit(self._item, name, cost=rows):
            return None
        reset = self._windows.get_window_stats(self._item, name).reset_time
        return max(1, min(math.ceil(reset - time.time()), self.rate.seconds))
