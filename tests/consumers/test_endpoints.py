"""What other people's endpoints may do to us: nothing but cost one bounded try."""

import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.channels import http
from consumers.channels.outcome import Delivered, Gone, Retry
from tests.consumers import rude
from tests.consumers.endpoint import listening
from tests.security.certificates import authority

SECONDS = 0.5  # in these tests, for one exchange

RUDE = [
    rude.silent, rude.dripping, rude.patient, rude.garbage, rude.bloated, rude.hanging_up, rude.resetting,
]  # fmt: skip


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less than in production."""
    monkeypatch.setattr(http, "TIMEOUT_SECONDS", SECONDS)
    monkeypatch.setattr(http, "RESOLVE_SECONDS", SECONDS)


@pytest.mark.parametrize("manner", RUDE, ids=[manner.__name__ for manner in RUDE])
def test_a_rude_endpoint_costs_one_bounded_try(manner: rude.Manner) -> None:
    """Whatever comes in place of an answer, the try ends in time, with a reason, and is made again."""
    with rude.serving(manner) as port:
        begun = time.monotonic()
        outcome = http.post(f"http://127.0.0.1:{port}/", b"{}", {}, private=True)
        assert time.monotonic() - begun < SECONDS + 2.0
    assert isinstance(outcome, Retry)
    assert outcome.why.startswith("no answer: ")


def test_a_body_without_end_is_not_waited_for() -> None:
    """A 2xx is a delivery, whatever follows it."""
    with rude.serving(rude.endless) as port:
        assert http.post(f"http://127.0.0.1:{port}/", b"{}", {}, private=True) == Delivered()


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    """TLS with an unknown authority, and TLS with somebody who speaks none, are failed tries; nothing is sent."""
    pair = authority(tmp_path).issue("hook")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.cert, pair.key)
    with rude.serving(rude.endless, tls) as port:
        assert http.post(f"https://127.0.0.1:{port}/", b"{}", {}, private=True) == Retry("no answer: ConnectError")
    with listening(200) as hook:
        assert isinstance(http.post(hook.url.replace("http", "https"), b"{}", {}, private=True), Retry)
        assert hook.received == []


@pytest.mark.parametrize(
    ("status", "retry_after", "after"),
    [(429, "120", 120.0), (429, "Fri, 31 Dec 2100 00:00:00 GMT", None), (429, "soon", None), (500, None, None)],
)
def test_what_a_busy_endpoint_asks_for_is_heard(status: int, retry_after: str | None, after: float | None) -> None:
    """Seconds and a date are heard, nonsense is not."""
    with listening(status, headers={} if retry_after is None else {"Retry-After": retry_after}) as hook:
        outcome = http.post(hook.url, b"{}", {}, private=True)
    assert isinstance(outcome, Retry)
    if retry_after is not None and "2100" in retry_after:
        assert outcome.after is not None
        assert outcome.after > 2e9
    else:
        assert outcome.after == after


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["0", "9999", ":", ",", "+", "Mon", "Jan", "GMT", "24:00:00"])).map(" ".join)
)
def test_no_retry_after_is_too_odd(header: str) -> None:
    """Whatever the header holds, it is a time to wait or it is passed over."""
    outcome = http.judge(503, header, 1.8e9)
    assert isinstance(outcome, Retry)
    assert outcome.after is None or outcome.after >= 0


PRIVATE = [
    "http://127.0.0.1/", "http://localhost/", "http://0.0.0.0/", "http://[::]/", "http://[::1]/",
    "http://[::ffff:127.0.0.1]/", "http://[::127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/",
    "http://2130706433/", "http://0177.0.0.1/", "http://0x7f.1/", "http://127.1/", "http://user@127.0.0.1/",
    "http://10.1.2.3/", "http://172.16.0.1/", "http://192.168.1.1/", "http://100.64.0.1/", "http://169.254.169.254/",
    "http://[fd00:ec2::254]/", "http://[fe80::1]/", "http://224.0.0.1/", "http://[ff02::1]/", "http://255.255.255.255/",
]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE)
def test_no_form_of_a_private_address_is_called(url: str) -> None:
    """However it is written, an address that is nobody's on the Internet is refused for good."""
    outcome = http.post(url, b"{}", {}, private=False)
    assert isinstance(outcome, Gone)
    assert "private" in outcome.why or "not a URL" in outcome.why


def test_a_redirect_to_a_private_address_goes_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that is allowed may answer 3xx as it likes: nobody else is called, allowed or not."""
    monkeypatch.setattr(http, "is_public", lambda _: True)  # the one that answers stands for one on the Internet
    with listening(200) as inner:
        for status in (301, 302, 303, 307, 308):
            with listening(status, headers={"Location": inner.url}) as outer:
                assert http.post(outer.url, b"{}", {}, private=False) == Retry(f"the endpoint says {status}")
        assert inner.received == []


def test_a_name_that_changes_its_mind_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS is asked once; the address that was looked at is the one that is called, not what DNS says next."""
    answers: list[list[Any]] = [[_answer("192.88.99.1")], [_answer("127.0.0.1")]]
    asked: list[str] = []

    def resolve(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        return answers.pop(0)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    place = http.target("http://rebinding.example/hook", private=False)
    assert (place.url.host, place.host) == ("192.88.99.1", "rebinding.example")
    with pytest.raises(http.Refused):
        http.target("http://rebinding.example/hook", private=False)
    assert asked == ["rebinding.example"] * 2


def test_only_the_address_that_was_looked_at_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several addresses the first is looked at, and the connection goes there; the name is asked for once."""
    asked: list[str] = []

    def resolve(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        return [_answer("127.0.0.1"), _answer("127.0.0.2")]

    with listening(200) as hook:
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        assert http.post(f"http://hook.example:{hook.port}/hook", b"{}", {}, private=True) == Delivered()
    [(_, headers, _)] = hook.received
    assert headers["Host"] == f"hook.example:{hook.port}"
    assert asked == ["hook.example"]


@pytest.mark.parametrize("url", ["http://[::1", "ftp://x.org/", "http:///", "nonsense", "http://x.org:port/"])
def test_what_is_no_address_is_given_up(url: str) -> None:
    """A URL that cannot be called now cannot be called later."""
    assert isinstance(http.post(url, b"{}", {}, private=False), Gone)


def test_a_name_that_is_none_is_tried_again() -> None:
    """A name that does not resolve, or that no name can be, costs one try."""
    for host in ("no-such-host.invalid", "a" * 64 + ".example"):
        assert isinstance(http.post(f"http://{host}/", b"{}", {}, private=False), Retry)


def test_a_resolver_that_hangs_costs_one_bounded_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver takes as long as it likes; a try does not."""

    def resolve(*_: object, **__: object) -> list[Any]:
        time.sleep(2 * SECONDS)
        return [_answer("127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    begun = time.monotonic()
    assert http.post("http://slow.example/", b"{}", {}, private=False) == Retry("no answer: TimeoutError")
    assert time.monotonic() - begun < 2 * SECONDS


def _answer(address: str) -> Any:
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))
