"""Which counts a query adds to: a sliding window for each limit, and a day and a month of UTC for each quota. Pure.

A sliding window is counted as a *sliding window counter*: the rows of the present window, and of the one before as much
as has not slid out yet. In the long run `rate` holds; in one unlucky stretch of the window's length almost twice its
rows can pass (all at the end of one window, and again when that has slid out).
"""

import calendar
import ipaddress
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.limits.policy import DAY_SECONDS, Applied, Limit
from gateway.table import Asker

EPOCH: Final = date(1970, 1, 1)
IPV6_NETWORK: Final = 64  # bits: what one household or machine is given whole, so one of its addresses is no one's own


class Window(NamedTuple):
    """One limit as it is counted: at most `rows` in `seconds`. `ends` (s since 1970 UTC) only where it is a quota."""

    name: str  # in the headers, and to people
    rows: int
    seconds: int
    label: str  # begins the key of its counts
    said: str  # its item of RateLimit-Policy
    ends: int | None = None
    lasting: bool = True  # False: the decision behind it ends


Counted = tuple[Window, str]  # a window, and the key of its count


def counted(asker: Asker, model: str, applied: Applied, now: float) -> list[Counted]:
    """Return what a query of `model` at `now` (s since 1970 UTC) adds to.

    Clients, keys, tenants and addresses are counted over all models, a model over all that ask it. What is not known
    of the asker is not counted. An IPv6 address stands for its /64.
    """
    limits, today = applied.limits, int(now // DAY_SECONDS)
    found = _keyed(_of_client(applied, today), asker.client)
    if limits.key is not None and asker.key is not None:
        found += _keyed(windows("key", limits.key, today), asker.key)
    if limits.tenant is not None and asker.tenant is not None:
        found += _keyed(windows("tenant", limits.tenant, today), asker.tenant)
    if limits.ip is not None and asker.ip is not None:
        found += _keyed(windows("ip", limits.ip, today), network(asker.ip))
    if limits.model is not None:
        found += _keyed(windows("model", limits.model, today), model)
    return found


def _keyed(these: Sequence[Window], value: str) -> list[Counted]:
    return [(window, window.label + value) for window in these]


@lru_cache(maxsize=1_024)
def windows(scope: str, limit: Limit, today: int, lasting: bool = True) -> tuple[Window, ...]:
    """Return the windows of a limit on day `today`, numbered from 1970-01-01 UTC."""
    rows, seconds = limit.rows, limit.seconds
    window = Window(
        scope, rows, seconds, f"{scope}:{rows}/{seconds}:", f'"{scope}";q={rows};w={seconds}', None, lasting
    )
    return (window, *quotas(scope, limit.day, limit.month, today))


def _of_client(applied: Applied, today: int) -> tuple[Window, ...]:
    own, throttle = applied.limits.client, applied.throttle
    if throttle is None and applied.day is None and applied.month is None:  # nearly always
        return () if own is None else windows("client", own, today)
    limits = [limit for limit in (own, throttle) if limit is not None]
    day = _lowest(applied.day, *(limit.day for limit in limits))
    month = _lowest(applied.month, *(limit.month for limit in limits))
    rest = quotas("client", day, month, today)
    if not limits:
        return rest
    slowest = min(limits, key=_rate)
    return (windows("client", slowest, today, lasting=slowest is own)[0], *rest)


def _rate(limit: Limit) -> float:
    return limit.rate


def _lowest(*rows: int | None) -> int | None:
    return min((some for some in rows if some is not None), default=None)


@lru_cache(maxsize=1_024)
def quotas(scope: str, day: int | None, month: int | None, today: int) -> tuple[Window, ...]:
    """Return the windows of the quotas there are: the calendar's day and month of UTC, so that people can count too."""
    now = EPOCH + timedelta(days=today)
    found = []
    if day is not None:
        found.append(_quota(f"{scope}-day", day, f"{now:%Y-%m-%d}", (today, 1)))
    if month is not None:
        days = calendar.monthrange(now.year, now.month)[1]
        found.append(_quota(f"{scope}-month", month, f"{now:%Y-%m}", (today - now.day + 1, days)))
    return tuple(found)


def _quota(name: str, rows: int, dated: str, span: tuple[int, int]) -> Window:
    """Return a quota; `span` is its first day and how many there are."""
    first, days = span
    seconds = days * DAY_SECONDS
    said = f'"{name}";q={rows};w={seconds}'
    return Window(name, rows, seconds, f"{name}:{dated}:", said, (first + days) * DAY_SECONDS)


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
