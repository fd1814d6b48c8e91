"""One HTTP request of a channel: bounded in time, never redirected, never to a private address unless allowed."""

import ipaddress
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from consumers.channels.outcome import Delivered, Gone, Outcome, Retry

TIMEOUT_SECONDS = 15.0  # Standard Webhooks asks for 15 to 30
_GONE = 410
_SUCCESS = range(200, 300)


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
    differently a moment later changes nothing. Raises Refused, and OSError when the name does not resolve.
    """
    parsed = httpx.URL(url)
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise Refused("not an http or https URL")
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    found = socket.getaddrinfo(parsed.host, port, type=socket.SOCK_STREAM)
    address = str(found[0][4][0])
    if not private and not ipaddress.ip_address(address).is_global:
        raise Refused("its address is private; set GAMEKEEPER_WEBHOOK_PRIVATE to allow that")
    return Target(parsed.copy_with(host=address), parsed.netloc.decode("ascii"))


def post(url: str, body: bytes, headers: Mapping[str, str], *, private: bool) -> Outcome:
    """Send one POST and say what became of it: only 2xx is success, 410 is for good."""
    try:
        place = target(url, private=private)
        host = httpx.URL(url).host
        with httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as client:
            request = client.build_request(
                "POST",
                place.url,
                content=body,
                headers={**headers, "Host": place.host, "Content-Type": "application/json"},
                extensions={"sni_hostname": host},
            )
            response = client.send(request, stream=True)  # the answer's body says nothing to us and may be endless
            response.close()
    except Refused as error:
        return Gone(str(error))
    except (httpx.HTTPError, OSError) as error:
        return Retry(f"no answer: {type(error).__name__}")
    return judge(response.status_code, response.headers.get("Retry-After"), time.time())


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
    except ValueError:
        return None
    when = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max((when - datetime.fromtimestamp(now, UTC)).total_seconds(), 0.0)
