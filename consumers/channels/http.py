"""One HTTP request of a channel: bounded in time, never redirected, never to a private address unless allowed."""

import asyncio
import functools
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from consumers.channels.bounded import within
from consumers.channels.outcome import Delivered, Gone, Outcome, Retry

RESOLVE_SECONDS = 5.0  # for the name
TIMEOUT_SECONDS = 15.0  # then for all the rest, however slowly it drips; Standard Webhooks asks for 15 to 30
_GONE = 410
_SUCCESS = range(200, 300)
_EMBEDDING = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
"""Of these the last 32 bits are an IPv4 address (RFC 6052, RFC 4291 2.5.5.1)."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(ValueError):  # noqa: N818  # named for what happened
    """A target that must not be called; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address that was looked at and found fit: the connection goes to exactly that one."""

    url: httpx.URL
    host: str


def target(url: str, *, private: bool) -> Target:
    """Return where to connect for `url`.

    The name is resolved once, here, and the connection is made to the address that was checked: a name that answers
    differently a moment later changes nothing. Raises Refused, and OSError when the name does not resolve in time.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise Refused("not a URL") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise Refused("not an http or https URL")
    address = resolve(parsed.host, parsed.port or (443 if parsed.scheme == "https" else 80))
    if not private and not is_public(ipaddress.ip_address(address)):
        raise Refused("its address is private; set GAMEKEEPER_WEBHOOK_PRIVATE to allow that")
    return Target(parsed.copy_with(host=address), parsed.netloc.decode("ascii"))


def is_public(address: Address) -> bool:
    """Tell whether an address is somebody's on the Internet, also where an IPv6 one stands for an IPv4 one."""
    within = address if isinstance(address, ipaddress.IPv4Address) else _within(address)
    return all(one.is_global and not one.is_multicast for one in (address, within) if one is not None)


def _within(address: ipaddress.IPv6Address) -> Address | None:
    if any(address in network for network in _EMBEDDING):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def resolve(host: str, port: int) -> str:
    """Return the first address of a name. Raises OSError, also after RESOLVE_SECONDS: the resolver has no limit."""

    def ask() -> str:
        return str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])

    try:
        return within(RESOLVE_SECONDS, ask)
    except UnicodeError as error:  # a part of the name is longer than names may be
        raise OSError("no such name") from error


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the other side: JSON, or nothing."""

    url: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "POST"
    seconds: float | None = None  # for all but the name; None: TIMEOUT_SECONDS


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side says."""

    status: int
    retry_after: str | None
    body: bytes = field(repr=False)  # as much of it as was wanted


def post(url: str, body: bytes, headers: Mapping[str, str], *, private: bool) -> Outcome:
    """Send one POST and say what became of it: only 2xx is success, 410 is for good."""
    answer = ask(Request(url, body, headers), private=private)
    return judge(answer.status, answer.retry_after, time.time()) if isinstance(answer, Answer) else answer


def ask(request: Request, *, private: bool, read: int = 0) -> Answer | Gone | Retry:
    """Send one request; return the answer with the first `read` bytes of its body, or why there is none.

    Takes RESOLVE_SECONDS and the request's own time at most.
    """
    try:
        place = target(request.url, private=private)
        return asyncio.run(_exchange(place, request, read))
    except Refused as error:
        return Gone(str(error))
    except (httpx.HTTPError, OSError) as error:  # TimeoutError is one
        return Retry(f"no answer: {type(error).__name__}")


def knock(url: str, *, private: bool) -> None:
    """Connect to where `url` leads and leave again, asking nothing. Raises Refused, and OSError with the reason."""
    place = target(url, private=private)
    port = place.url.port or (443 if place.url.scheme == "https" else 80)
    with socket.create_connection((place.url.host, port), RESOLVE_SECONDS) as plain:
        if place.url.scheme == "https":
            _tls().wrap_socket(plain, server_hostname=httpx.URL(url).host).close()


async def _exchange(place: Target, request: Request, read: int) -> Answer:
    """Return the answer. Of its body, which may be endless, no more is read than is wanted."""
    seconds = request.seconds or TIMEOUT_SECONDS
    told = {**request.headers, "Host": place.host, "Content-Type": "application/json"}
    name = {"sni_hostname": httpx.URL(request.url).host}
    async with (
        asyncio.timeout(seconds),  # httpx bounds each read alone
        httpx.AsyncClient(timeout=seconds, follow_redirects=False, trust_env=False, verify=_tls()) as client,
        client.stream(request.method, place.url, content=request.body, headers=told, extensions=name) as response,
    ):
        body = await _first(response, read) if read else b""
        return Answer(response.status_code, response.headers.get("Retry-After"), body)


async def _first(response: httpx.Response, most: int) -> bytes:
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) >= most:
            break
    return body[:most]


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def judge(status: int, retry_after: str | None, now: float) -> Outcome:
    """Return what an answer means; `now` is in seconds since 1970 UTC."""
    if status in _SUCCESS:
        return Delivered()
    if status == _GONE:
        return Gone("the endpoint says 410 Gone")
    return Retry(f"the endpoint says {status}", _seconds(retry_after, now))


def _seconds(retry_after: str | None, now: float) -> float | None:
    """Return what a Retry-After header asks for: a number of seconds or a date (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):  # no date, or none that there is
        return None
    when = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max((when - datetime.fromtimestamp(now, UTC)).total_seconds(), 0.0)
