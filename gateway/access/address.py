"""Where a request came from, when proxies stand before us: only hops that we trust may say so. Pure.

`X-Forwarded-For` only: it is what proxies write and append to. `Forwarded` (RFC 7239) is not looked at, so that a
client cannot choose which of two headers we believe.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

HOPS_MAX = 32  # read from the right; whoever passes more proxies than these is taken for the last of them

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_ip(peer: str | None, headers: Iterable[tuple[bytes, bytes]], trusted: tuple[Network, ...]) -> str | None:
    """Return the address of the nearest hop that is not `trusted`, as `peer` and the hops before it report.

    `peer` is the other end of the connection, `headers` the raw ones. Each hop was written down by the one after it,
    so the walk goes from the right and ends at the first that is not trusted, or at what is no address: then at the
    hop that wrote it. None where there is no peer (a Unix socket).
    """
    if peer is None:
        return None
    near = _address(peer)
    if near is None or not _within(near, trusted):
        return peer if near is None else str(near)
    for hop in reversed(_hops(headers)):
        far = _address(hop)
        if far is None:
            break
        near = far
        if not _within(near, trusted):
            break
    return str(near)


def _hops(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """Return the last hops; a header that came several times is one list (RFC 9110, 5.3)."""
    said = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    return said.decode("latin-1").rsplit(",", HOPS_MAX)[-HOPS_MAX:] if said else []


def _address(text: str) -> Address | None:
    """Read `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`; an IPv4 address in IPv6 is the former."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)
