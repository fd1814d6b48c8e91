"""What keeps the console safe in a browser: headers, where a form came from, and how often a key may be guessed."""

import hmac
import ipaddress
from hashlib import sha256
from urllib.parse import urlsplit

from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # nobody else is told; with no-referrer our own forms would come from "null"
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
GUESSES = RateLimitItemPerMinute(10)  # wrong keys from one network
ALL_GUESSES = RateLimitItemPerMinute(300)  # wrong keys altogether, which also bounds what is remembered
NETWORK_BITS = 64  # of IPv6: whoever has one address has all of these


def own_form(request: Request) -> bool:
    """Tell whether a form was sent from a page of ours, as far as the browser says.

    Sec-Fetch-Site is what browsers say over HTTPS and on this machine, Origin what they say elsewhere; a proxy in front
    may have changed the host that we are asked by, but not the first.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")


def form_token(secret: str) -> str:
    """Return what each form of a session bears: nobody without the session can say it."""
    return hmac.new(secret.encode(), b"form", sha256).hexdigest()


def good_token(secret: str, told: str) -> bool:
    """Tell whether a form bears what its session's forms bear."""
    return hmac.compare_digest(form_token(secret).encode(), told.encode())


def secure(request: Request) -> bool:
    """Tell whether the browser asks over HTTPS. Who lies about that only makes its own cookie stricter."""
    return "https" in {request.url.scheme, request.headers.get("x-forwarded-proto", "").strip().lower()}


class Guesses:
    """Counts wrong keys, by network and altogether, each minute."""

    def __init__(self) -> None:
        self._counted = FixedWindowRateLimiter(MemoryStorage())

    def too_many(self, request: Request) -> bool:
        """Tell whether whoever asks must wait."""
        counted = self._counted
        return not (counted.test(GUESSES, _network(request)) and counted.test(ALL_GUESSES))

    def wrong(self, request: Request) -> None:
        """Count one."""
        self._counted.hit(GUESSES, _network(request))
        self._counted.hit(ALL_GUESSES)


def _network(request: Request) -> str:
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a socket of this machine
        return host
    bits = NETWORK_BITS if address.version > 4 else address.max_prefixlen  # noqa: PLR2004  # IPv4
    return str(ipaddress.ip_network((address, bits), strict=False))
