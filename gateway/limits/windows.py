"""Which counts a query adds to: a sliding window for each limit, and a day and a month of UTC for each quota. Pure.

A sliding window is counted as a *sliding window counter*: the rows of the present window, and of the one before as much
as has not slid out yet. In the long run `rate` holds; in one unlucky stretch of the window's length almost twice its
rows can pass (all at the end of one window, and again when that has slid out).
"""

import calendar
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from gateway.limits.policy import DAY_SECONDS, Applied, Limit
from gateway.table import Asker

IPV6_NETWORK: Final = 64  # bits: what one household or machine is given whole, so one of its addresses is no one's own


@dataclass(frozen=True, slots=True)
class Window:
    """One limit as it is counted: at most `rows` in `seconds`. `ends` (s since 1970 UTC) only where it is a quota."""

    name: str  # in the headers, and to people
    rows: int
    seconds: int
    label: str  # what its count is kept under, with the value counted
    ends: int | None = None
    lasting: bool = True  # False: the decision behind it ends

    @property
    def said(self) -> str:
        """The item of RateLimit-Policy."""
        return f'"{self.name}";q={self.rows};w={self.seconds}'


Counted = tuple[Window, str]  # a window and the value counted in it


def counted(asker: Asker, model: str, applied: Applied, now: float) -> Iterator[Counted]:
    """Yield what a query of `model` at `now` (s since 1970 UTC) adds to.

    Clients, keys, tenants and addresses are counted over all models, a model over all that ask it. What is not known
    of the asker is not counted. An IPv6 address stands for its /64.
    """
    limits = applied.limits
    yield from _of_client(asker.client, applied, now)
    if limits.key is not None and asker.key is not None:
        yield from _of("key", asker.key, limits.key, now)
    if limits.tenant is not None and asker.tenant is not None:
        yield from _of("tenant", asker.tenant, limits.tenant, now)
    if limits.ip is not None and asker.ip is not None:
        yield from _of("ip", network(asker.ip), limits.ip, now)
    if limits.model is not None:
        yield from _of("model", model, limits.model, now)


def _of_client(client: str, applied: Applied, now: float) -> Iterator[Counted]:
    own = applied.limits.client
    limits = [limit for limit in (own, applied.throttle) if limit is not None]
    if limits:
        slowest = min(limits, key=_rate)
        yield sliding("client", slowest, lasting=slowest is own), client
    day = _lowest(applied.day, *(limit.day for limit in limits))
    month = _lowest(applied.month, *(limit.month for limit in limits))
    for window in _quotas("client", day, month, now):
        yield window, client


def _of(scope: str, value: str, limit: Limit, now: float) -> Iterator[Counted]:
    yield sliding(scope, limit), value
    for window in _quotas(scope, limit.day, limit.month, now):
        yield window, value


def _rate(limit: Limit) -> float:
    return limit.rate


def _lowest(*rows: int | None) -> int | None:
    return min((some for some in rows if some is not None), default=None)


@lru_cache(maxsize=1_024)
def sliding(scope: str, limit: Limit, lasting: bool = True) -> Window:
    """Return the window of a limit's rate and burst."""
    rows, seconds = limit.rows, limit.seconds
    return Window(scope, rows, seconds, f"{scope}:{rows}/{seconds}", lasting=lasting)


def _quotas(scope: str, day: int | None, month: int | None, now: float) -> Iterator[Window]:
    today = int(now // DAY_SECONDS)
    if day is not None:
        yield _day(scope, day, today)
    if month is not None:
        yield _month(scope, month, today)


@lru_cache(maxsize=1_024)
def _day(scope: str, rows: int, today: int) -> Window:
    """Return the quota of a day, numbered from 1970-01-01 UTC."""
    return Window(f"{scope}-day", rows, DAY_SECONDS, f"{scope}:{_date(today):%Y-%m-%d}", (today + 1) * DAY_SECONDS)


@lru_cache(maxsize=1_024)
def _month(scope: str, rows: int, today: int) -> Window:
    date = _date(today)
    days = calendar.monthrange(date.year, date.month)[1]
    ends = (today + days - date.day + 1) * DAY_SECONDS
    return Window(f"{scope}-month", rows, days * DAY_SECONDS, f"{scope}:{date:%Y-%m}", ends)


def _date(today: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(days=today)


@lru_cache(maxsize=65_536)
def network(ip: str) -> str:
    """Return what an address is counted as: an IPv6 address as its /64, anything else as it is."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip
    if isinstance(address, ipaddress.IPv4Address):
        return ip
    mapped = address.ipv4_mapped
    return str(mapped or ipaddress.ip_network((int(address), IPV6_NETWORK), strict=False))
