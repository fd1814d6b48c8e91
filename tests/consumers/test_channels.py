"""Channels: what each must do, whatever it is, and what HTTP answers mean."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from consumers import topics
from consumers.channels import CHANNELS, OURS, crowdsec, http, trial
from consumers.channels.outcome import KAFKA_WAITS, LONGEST_WAIT, STANDARD_WAITS, Delivered, Gone, Kind, Retry, next_try
from consumers.channels.topic import Topic
from consumers.kafka import Producer
from detector.decision import in_force
from detector.records import decode_decision
from detector.topics import Topics
from tests.consumers.endpoint import listening
from tests.consumers.owing import SECRET, TOKEN, at, delivery, owed
from tests.consumers.receivers import mail_server, runtime_socket, syslog_server
from tests.consumers.road import PATIENCE, free_port
from tests.templates import make


@pytest.fixture(autouse=True)
def no_tokens() -> None:
    """Forget what earlier tests logged in with: a port may come again."""
    crowdsec._tokens.clear()


@dataclass(frozen=True)
class Bench:
    """A working and a broken other side of one kind of channel, and what the working one got: text."""

    working: Any
    broken: Any
    got: Callable[[], str] = str


@pytest.fixture
def benches(kafka: str, topics_prefix: str) -> Iterator[dict[str, Bench]]:
    """Return a bench for each kind in the registry."""
    topics.ensure(kafka, 1, topics_prefix)
    names = Topics(topics_prefix)
    with contextlib.ExitStack() as stack:
        good, bad = stack.enter_context(listening(200, body=b'{"token":"t"}')), stack.enter_context(listening(500))
        post, grumpy = stack.enter_context(mail_server()), stack.enter_context(mail_server(refuses=True))
        collector = stack.enter_context(syslog_server())
        haproxy, lame = stack.enter_context(runtime_socket()), stack.enter_context(runtime_socket(broken=True))
        producer, lost = Producer(kafka), Producer("127.0.0.1:1")
        stack.callback(producer.close)
        web = {
            name: Bench(at(name, good.url), at(name, bad.url), lambda: repr(good.received))
            for name, kind in CHANNELS.items()
            if "http" in kind.schemes and name not in OURS
        }
        yield web | {
            "topic": Bench(Topic(names.decisions, producer), Topic(names.decisions, lost)),
            "keys": Bench(Topic(names.keys, producer), Topic(names.keys, lost)),
            "email": Bench(
                at("email", f"smtp://127.0.0.1:{post.port}"),
                at("email", f"smtp://127.0.0.1:{grumpy.port}"),
                lambda: "".join(mail.get_content() for mail in post.mails),
            ),
            "haproxy": Bench(
                at("haproxy", f"tcp://127.0.0.1:{haproxy.port}"),
                at("haproxy", f"tcp://127.0.0.1:{lame.port}"),
                lambda: repr((haproxy.map, haproxy.received)),
            ),
            "syslog": Bench(
                at("syslog", f"syslog+tcp://127.0.0.1:{collector.port}"),
                at("syslog", f"syslog+tcp://127.0.0.1:{free_port()}"),
                lambda: repr(collector.came.wait(PATIENCE) and collector.received),
            ),
        }


@pytest.mark.parametrize("name", CHANNELS)
class TestContract:
    """What every channel keeps."""

    def test_delivers_twice_alike(self, name: str, benches: dict[str, Bench]) -> None:
        """The same delivery sent again is delivered again: at least once is all that is promised."""
        send, settings = CHANNELS[name].send, benches[name].working
        assert [send(owed(name), settings) for _ in range(2)] == [Delivered(), Delivered()]

    def test_a_tombstone_is_no_error(self, name: str, benches: dict[str, Bench]) -> None:
        """A delivery without payload is settled by every channel."""
        assert CHANNELS[name].send(delivery(name, None), benches[name].working) == Delivered()

    def test_says_when_it_failed(self, name: str, benches: dict[str, Bench]) -> None:
        """An other side that does not work means: try again, with a reason."""
        outcome = CHANNELS[name].send(owed(name), benches[name].broken)
        assert isinstance(outcome, Retry)
        assert outcome.why

    def test_never_tells_a_secret(self, name: str, benches: dict[str, Bench]) -> None:
        """Neither the outcome nor the settings, printed, nor a log line hold a secret."""
        bench = benches[name]
        with structlog.testing.capture_logs() as logs:
            outcomes = [CHANNELS[name].send(owed(name), settings) for settings in (bench.working, bench.broken)]
        text = repr((outcomes, bench.working, bench.broken, logs))
        assert SECRET.removeprefix("whsec_") not in text
        assert TOKEN not in text

    def test_shadow_is_enforced_nowhere(self, name: str, benches: dict[str, Bench]) -> None:
        """A block in shadow is told as one; what takes decisions is left with nothing to enforce."""
        bench = benches[name]
        assert CHANNELS[name].send(owed(name, shadow=True), bench.working) == Delivered()
        got = bench.got()
        if CHANNELS[name].takes == "alerts":
            assert "nothing is enforced, in shadow" in got or '"shadow":true' in got
        elif name == "crowdsec":
            assert "DELETE" not in got
            assert "decisions" in got
            assert "/v1/alerts" not in got
        elif name == "haproxy":
            assert got.startswith("({}, ['del map ")
        else:
            sent = owed(name, shadow=True).payload or b""
            assert in_force([decode_decision(sent)], make.NOON_US) is None
            assert name in OURS or sent.decode() in got


@pytest.mark.parametrize("name", [name for name in CHANNELS if name not in OURS])
def test_a_trial_says_that_it_is_one(name: str, benches: dict[str, Bench]) -> None:
    """`channels test` goes through the real channel; people read TEST, and nothing is enforced."""
    assert trial.send(benches[name].working) == Delivered()
    got = benches[name].got()
    if CHANNELS[name].takes == "alerts":
        assert "TEST, nothing happened" in got or '"test":true' in got
    else:
        assert "gamekeeper-test" in got
        assert "/v1/alerts" not in got


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/", "http://10.1.2.3/", "http://169.254.169.254/"],
)
def test_private_addresses_are_refused(url: str) -> None:
    """A webhook to this machine or its network is given up, and nothing is sent."""
    outcome = http.post(url, b"{}", {}, private=False)
    assert isinstance(outcome, Gone)
    assert "private" in outcome.why


def test_redirects_are_not_followed() -> None:
    """An answer that points elsewhere is a failure, and elsewhere hears nothing."""
    with listening(200) as other, listening(307, headers={"Location": other.url}) as endpoint:
        assert http.post(endpoint.url, b"{}", {}, private=True) == Retry("the endpoint says 307", None)
        assert (len(endpoint.received), len(other.received)) == (1, 0)


@pytest.mark.parametrize(
    ("status", "retry_after", "outcome"),
    [
        (200, None, Delivered()),
        (299, None, Delivered()),
        (302, None, Retry("the endpoint says 302")),
        (410, None, Gone("the endpoint says 410 Gone")),
        (429, "120", Retry("the endpoint says 429", 120.0)),
        (503, "Tue, 24 Nov 2026 00:01:30 GMT", Retry("the endpoint says 503", 90.0)),
        (503, "Mon, 23 Nov 2026 00:00:00 GMT", Retry("the endpoint says 503", 0.0)),
        (500, "soon", Retry("the endpoint says 500")),
    ],
)
def test_judge(status: int, retry_after: str | None, outcome: object) -> None:
    """Only 2xx is success, 410 is for good, and Retry-After is a number or a date."""
    assert http.judge(status, retry_after, datetime(2026, 11, 24, tzinfo=UTC).timestamp()) == outcome


def test_schedule_of_standard_webhooks() -> None:
    """Ten tries over more than three days, and then it is given up."""
    waits = [next_try(CHANNELS["webhook"], attempts, None, 0.0) for attempts in range(1, 11)]
    assert waits == [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400, None]
    assert len(STANDARD_WAITS) == 10


@given(st.integers(1, 1000), st.none() | st.floats(0, 1e9), st.floats(0, 1))
def test_next_try(attempts: int, after: float | None, dice: float) -> None:
    """A topic is tried for ever; jitter only lengthens; Retry-After is kept, up to a day."""
    kind = Kind(CHANNELS["topic"].send, KAFKA_WAITS, forever=True)
    wait = next_try(kind, attempts, after, dice)
    assert wait is not None
    assert wait >= KAFKA_WAITS[min(attempts, len(KAFKA_WAITS) - 1)]
    assert wait >= min(after or 0.0, LONGEST_WAIT)
