"""The counts of windows, in the library's storages: in this process, or in a Redis that gateways share."""

import math
import time
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from limits.errors import ConfigurationError
from limits.storage import MemoryStorage, RedisStorage

from gateway.limits.windows import Counted, Window

SWEEP_SECONDS: Final = 10.0
REDIS_SECONDS: Final = 0.1  # to connect, and for each answer
SCHEMES: Final = ("redis", "rediss", "redis+unix")
PREFIX: Final = "gamekeeper"  # of the keys in Redis


class BadStore(ValueError):  # noqa: N818  # named for what it says to the operator
    """An address of shared counts that cannot be used; the message says why, and never shows the password."""

    for_people = True  # the command line shows it as one line


class Memory(MemoryStorage):
    """The library's counts in memory, swept each ten seconds.

    The library itself looks at every name after each 10 ms of traffic, in a new thread: at a million names that is the
    whole machine. Names are forgotten two windows after their last row, quotas a day or month after their first.
    """

    _swept = -math.inf  # monotonic s

    def _MemoryStorage__schedule_expiry(self) -> None:  # noqa: N802  # overrides the library's own
        now = time.monotonic()
        if now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            super()._MemoryStorage__schedule_expiry()  # type: ignore[misc]


Store = Memory | RedisStorage


class Count(NamedTuple):
    """How many rows are left in a window, and in how many whole seconds (>= 1) the rows asked for would fit."""

    left: int
    wait: int


def shared(address: str) -> RedisStorage:
    """Return the counts in the Redis at `redis://…`, `rediss://…` or `redis+unix://…`; does not connect yet.

    Raises BadStore.
    """
    scheme = urlsplit(address).scheme
    if scheme not in SCHEMES:
        raise BadStore(f"shared limits: the address begins with {scheme!r}; it must be one of {', '.join(SCHEMES)}")
    try:
        from redis.backoff import NoBackoff  # noqa: PLC0415  # an extra: `gamekeeper[redis]`
        from redis.retry import Retry  # noqa: PLC0415

        patience: dict[str, Any] = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
        patience["retry"] = Retry(NoBackoff(), 0)  # by itself it tries again for seconds, with a request waiting
        return RedisStorage(address, key_prefix=PREFIX, wrap_exceptions=True, **patience)
    except (ImportError, ConfigurationError) as error:
        raise BadStore("shared limits need the Redis client: pip install 'gamekeeper[redis]'") from error
    except ValueError as error:
        raise BadStore(f"shared limits: the address cannot be read: {error}") from error


def look(store: Store, counted: Counted, rows: int, now: float) -> Count:
    """Return how a window stands at `now` (s since 1970 UTC), and the wait until it has room for `rows`, or is empty.

    Raises limits.errors.StorageError where the store does not answer; so does take.
    """
    window, key = counted
    if window.ends is not None:
        return Count(max(0, window.rows - store.get(key)), max(1, math.ceil(window.ends - now)))
    slid = store.get_sliding_window(key, window.seconds)
    weighed = slid[0] * slid[1] / window.seconds + slid[2]
    return Count(max(0, window.rows - math.floor(weighed)), _wait(window, slid, max(window.rows - rows, 0) + 1))


def take(store: Store, counted: Counted, rows: int) -> bool:
    """Add `rows` to a window; False where they do not fit any more."""
    window, key = counted
    if window.ends is not None:
        return store.incr(key, window.seconds, rows) <= window.rows
    return store.acquire_sliding_window_entry(key, window.rows, window.seconds, rows)


def _wait(window: Window, slid: tuple[int, float, int, float], below: int) -> int:
    """Return in how many whole seconds the weighed count is below `below` (>= 1), when nothing else is asked.

    `slid` is (rows of the window before, s until it has slid out, rows of the present one, s until that has).
    """
    before, before_left, present, present_left = slid
    if present < below:  # what is too much slides out with the window before
        seconds = before_left - (below - present) * window.seconds / before if before else 0.0
    else:  # the present one must slide out too
        seconds = present_left - below * window.seconds / present
    return max(1, math.floor(seconds) + 1)
