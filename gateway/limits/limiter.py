"""The limiter: spends the rows of a request in every window that holds for it, or says which has no room."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog
from limits.errors import StorageError

from gateway.faults import unavailable
from gateway.limits.counts import Count, Memory, Store, look, shared, take
from gateway.limits.headers import Standing, fields
from gateway.limits.policy import Applied
from gateway.limits.windows import Counted, counted
from gateway.table import Asker

ANSWER_SECONDS: Final = 0.25  # for all that one request asks of Redis
RETRY_SECONDS: Final = 1.0  # between tries while Redis is away

_log = structlog.get_logger("gateway.limits")


@dataclass(frozen=True, slots=True)
class Spent:
    """What became of a request's rows: spent, or `refused` by the limit of that name.

    `headers` are RateLimit-Policy and RateLimit, empty where nothing is limited. Of a refusal `seconds` is when to ask
    again, 0 where so many rows in one request will never be allowed; `most` and `window` are the rows and seconds of
    the limit that refused.
    """

    headers: Mapping[str, str]
    refused: str | None = None
    seconds: int = 0
    most: int = 0
    window: int = 0


class _Bill(NamedTuple):
    """The rows of one request, and what they are counted in."""

    counted: Sequence[Counted]
    rows: int
    now: float  # s since 1970 UTC
    taking: bool  # False: only looked at


class Limiter:
    """Counts in memory, or in the Redis at `store` that several gateways share.

    While Redis is away each gateway counts for itself, from nothing (`fail_open`), or refuses; a request tries it again
    each second. `why` says what is wrong, until one succeeds. Raises BadStore.
    """

    def __init__(self, store: str | None = None, fail_open: bool = True) -> None:
        self._own = Memory()
        self._shared = None if store is None else shared(store)
        self._fail_open = fail_open
        self._again = 0.0  # monotonic s, when Redis is tried again
        self.why = ""

    async def spend(self, asker: Asker, model: str, rows: int, applied: Applied) -> Spent:
        """Spend `rows` in every window that holds, or nothing: all are looked at before any is taken from.

        In memory nothing comes between. In Redis another gateway may: then the request is refused, and its rows stay
        spent in the windows before the one that refused, and in a quota that did. No limit is ever passed.
        Raises Fault (503) while the shared counts are not known and `fail_open` is off.
        """
        now = time.time()
        return await self._count(_Bill(counted(asker, model, applied, now), rows, now, taking=True))

    async def look(self, asker: Asker, model: str, applied: Applied) -> Spent:
        """Tell whether one row could be spent now; spends nothing. Raises Fault as spend does."""
        now = time.time()
        return await self._count(_Bill(counted(asker, model, applied, now), 1, now, taking=False))

    async def _count(self, bill: _Bill) -> Spent:
        if self._shared is None or not bill.counted:
            return _spent(self._own, bill)
        spent = await self._ask(self._shared, bill)
        if spent is not None:
            return spent
        if not self._fail_open:
            raise unavailable("limits_unknown", "the gateway cannot reach the counts of its limits")
        return _spent(self._own, bill)

    async def _ask(self, store: Store, bill: _Bill) -> Spent | None:
        """Count in Redis, in a thread: what it waits for holds up nobody else. None while Redis is away."""
        now = time.monotonic()
        if self.why and now < self._again:
            return None
        self._again = now + RETRY_SECONDS  # one request tries; the others need not wait for it
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                spent = await asyncio.to_thread(_spent, store, bill)
        except (StorageError, TimeoutError) as error:
            self._lost(str(error) or "no answer in time")
            return None
        self._found()
        return spent

    def _lost(self, why: str) -> None:
        if not self.why:
            _log.warning("shared limits lost", why=why, counting="here" if self._fail_open else "refusing")
        self.why = why

    def _found(self) -> None:
        if self.why:
            _log.info("shared limits are back")
        self.why = ""


def _spent(store: Store, bill: _Bill) -> Spent:
    standing = [(one[0], look(store, one, bill.rows, bill.now)) for one in bill.counted]
    short = [one for one in standing if one[1].left < bill.rows]
    if short:
        return _refused(bill, standing, short)
    if not bill.taking:
        return Spent(fields(standing))
    for at, one in enumerate(bill.counted):
        if not take(store, one, bill.rows):  # another gateway came between
            return _refused(bill, standing, [standing[at]])
    return Spent(fields((window, Count(left - bill.rows, wait)) for window, (left, wait) in standing))


def _refused(bill: _Bill, standing: Sequence[Standing], short: Sequence[Standing]) -> Spent:
    """Name the limit that can never hold so many rows, if there is one, else the one that holds up longest."""
    headers = fields(standing, bill.rows)
    for window, _ in short:
        if window.lasting and bill.rows > window.rows:
            return Spent(headers, window.name, 0, window.rows, window.seconds)
    window, count = max(short, key=_wait)
    return Spent(headers, window.name, count.wait, window.rows, window.seconds)


def _wait(standing: Standing) -> int:
    return standing[1].wait
