"""Where a request came from: only trusted hops may say."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.address import HOPS_MAX, Address, client_ip

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
OUTSIDE = "203.0.113.7"


def forwarded(*values: str) -> list[tuple[bytes, bytes]]:
    """Return X-Forwarded-For headers, among others."""
    return [(b"host", b"10.9.9.9"), *((b"x-forwarded-for", value.encode("latin-1")) for value in values)]


@pytest.mark.parametrize(
    ("peer", "values", "found"),
    [
        (OUTSIDE, [], OUTSIDE),
        (OUTSIDE, ["10.1.1.1, 198.51.100.1"], OUTSIDE),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [OUTSIDE], OUTSIDE),
        ("10.0.0.1", ["1.2.3.4, 203.0.113.7"], OUTSIDE),
        ("10.0.0.1", ["1.2.3.4", "203.0.113.7, 10.2.2.2"], OUTSIDE),
        ("10.0.0.1", ["203.0.113.7:4711"], OUTSIDE),
        ("10.0.0.1", ["1.2.3.4, nonsense, 10.2.2.2"], "10.2.2.2"),
        ("10.0.0.1", ["203.0.113.7,"], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["010.0.0.9"], "10.0.0.1"),
        ("10.0.0.1", ["10.4.4.4, 10.2.2.2"], "10.4.4.4"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("fd00::1", ["[2001:DB8:0::7]:443"], "2001:db8::7"),
        ("::ffff:10.0.0.1", ["::ffff:203.0.113.7"], OUTSIDE),
        ("a socket", ["1.2.3.4"], "a socket"),
        (None, ["1.2.3.4"], None),
    ],
)
def test_who_it_came_from(peer: str | None, values: list[str], found: str | None) -> None:
    """The nearest hop that is not ours; at what is no address, the hop that wrote it."""
    assert client_ip(peer, forwarded(*values), PROXIES) == found


def test_the_other_header_is_not_looked_at() -> None:
    """Of two headers that could disagree one is believed, whichever a client sends."""
    assert client_ip("10.0.0.1", [(b"forwarded", b"for=1.2.3.4")], PROXIES) == "10.0.0.1"


def test_a_long_header_is_read_from_its_end() -> None:
    """A header of thousands of hops costs no more than its last ones."""
    assert client_ip("10.0.0.1", forwarded("1.2.3.4, " * 5_000 + OUTSIDE), PROXIES) == OUTSIDE
    endless = ", ".join(["10.5.5.5"] * (HOPS_MAX + 5))
    assert client_ip("10.0.0.1", forwarded(f"1.2.3.4, {endless}"), PROXIES) == "10.5.5.5"


OUTSIDERS = st.ip_addresses().filter(
    lambda one: not any((getattr(one, "ipv4_mapped", None) or one) in network for network in PROXIES)
)
INSIDERS = st.one_of(st.ip_addresses(network="10.0.0.0/8"), st.ip_addresses(network="fd00::/8"))


@given(
    claimed=st.lists(st.text(st.characters(max_codepoint=255)), max_size=4),
    peer=OUTSIDERS,
    ours=st.lists(INSIDERS, max_size=6),
)
def test_nobody_outside_chooses_an_address(claimed: list[str], peer: Address, ours: list[Address]) -> None:
    """Whatever an untrusted peer claims, and through however many of our proxies, it is known by its own address."""
    hops = [peer, *ours]  # each proxy appends who asked it
    headers = forwarded(*claimed, *(str(hop) for hop in hops[:-1]))
    mapped = getattr(ip_address(str(peer)), "ipv4_mapped", None)
    assert client_ip(str(hops[-1]), headers, PROXIES) == str(mapped or peer)
