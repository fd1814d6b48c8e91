"""Limits in memory, under a clock that the test sets: what is allowed, what is told, what is forgotten."""

import asyncio
import math
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from types import SimpleNamespace

import limits.storage.memory as library
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.limits import counts, limiter
from gateway.limits.limiter import Limiter, Spent
from gateway.limits.policy import Applied, Limit, Limits
from gateway.limits.windows import network
from gateway.table import Asker
from tests.gateway.build import until

ALICE = Asker("alice", "acme", "192.0.2.1", "gk_a")
BOB = Asker("bob", "acme", "192.0.2.2", "gk_b")
START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
ITEM = r'"[a-z-]+"(?:;[a-z]+=\d{1,15})*'  # a string with integer parameters, RFC 9651 section 3.3


class Clock:
    """The time, in eighths of a second so that floats are exact, for the library's storage and for us."""

    def __init__(self) -> None:
        self.at = START

    def time(self) -> float:
        """Return what time.time() is to return."""
        return self.at


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    """Return the clock that everything here goes by."""
    made = Clock()
    with pytest.MonkeyPatch.context() as patch:
        for module in (library, limiter):
            patch.setattr(module, "time", SimpleNamespace(time=made.time, monotonic=made.time))
        yield made


def spend(one: Limiter, rows: int, applied: Applied, asker: Asker = ALICE, model: str = "digits") -> Spent:
    """Spend, and wait for it."""
    return asyncio.run(one.spend(asker, model, rows, applied))


def only(limit: Limit, **others: Limit) -> Applied:
    """Return limits of a client, and others."""
    return Applied(Limits(client=limit, **others))


def parsed(field: str) -> dict[str, dict[str, int]]:
    """Parse a list of strings with integer parameters. Raises AssertionError where it is none."""
    assert re.fullmatch(rf"{ITEM}(?:, {ITEM})*", field), field
    items = [item.split(";") for item in field.split(", ")]
    return {name[1:-1]: {key: int(value) for key, value in (one.split("=") for one in rest)} for name, *rest in items}


windows = st.builds(Limit, rate=st.sampled_from([0.5, 1.0, 2.0]), burst=st.sampled_from([1, 2, 8, 16]))
steps = st.lists(st.tuples(st.integers(0, 80), st.integers(1, 17)), max_size=40)  # eighths of a second, rows


@settings(max_examples=60, deadline=None)
@given(limit=windows, asked=steps)
def test_the_library_counts_as_it_is_defined(clock: Clock, limit: Limit, asked: list[tuple[int, int]]) -> None:
    """Rows pass while those of the present window, and the share of the last not slid out, leave room. Exactly."""
    one, passed = Limiter(), Counter[int]()
    for pause, rows in asked:
        clock.at += pause / 8
        now = Fraction(clock.at)
        number = now // limit.seconds
        share = 1 - (now / limit.seconds - number)
        room = limit.rows - math.floor(passed[number - 1] * share + passed[number])
        spent = spend(one, rows, only(limit))
        assert (spent.refused is None) == (rows <= room)
        left = parsed(spent.headers["RateLimit"])["client"]["r"]
        if spent.refused is None:
            passed[number] += rows
            room -= rows
        assert left == room


@settings(max_examples=60, deadline=None)
@given(client=windows, tenant=windows, asked=steps, data=st.data())
def test_who_waits_as_told_passes(
    clock: Clock, client: Limit, tenant: Limit, asked: list[tuple[int, int]], data: st.DataObject
) -> None:
    """After Retry-After the same rows pass every limit, and a second earlier they did not."""
    one, applied = Limiter(), only(client, tenant=tenant)
    for pause, rows in asked:
        clock.at += pause / 8
        spend(one, rows, applied)
    rows = data.draw(st.integers(1, min(client.rows, tenant.rows)))
    refused = spend(one, rows, applied)
    if refused.refused is None:
        return
    assert parsed(refused.headers["RateLimit"])[refused.refused]["t"] == refused.seconds
    clock.at += refused.seconds - 1
    if refused.seconds > 1:
        assert spend(one, rows, applied).refused is not None
    clock.at += 1
    assert spend(one, rows, applied).refused is None


@settings(max_examples=60, deadline=None)
@given(client=windows, tenant=windows, asked=steps)
def test_a_refused_request_spends_nothing(
    clock: Clock, client: Limit, tenant: Limit, asked: list[tuple[int, int]]
) -> None:
    """Where one window has no room, what is left in every other stays as it was."""
    one, applied = Limiter(), only(client, tenant=tenant)
    clock.at += 1_000
    for pause, rows in asked:
        clock.at += pause / 8
        before = _left(asyncio.run(one.look(ALICE, "digits", applied)))
        spent = spend(one, rows, applied)
        after = _left(asyncio.run(one.look(ALICE, "digits", applied)))
        assert after == (before if spent.refused else {name: left - rows for name, left in before.items()})


def _left(spent: Spent) -> dict[str, int]:
    return {name: item["r"] for name, item in parsed(spent.headers["RateLimit"]).items()}


@pytest.mark.parametrize("scope", ["client", "key", "tenant", "ip", "model"])
def test_each_limit_counts_its_own(clock: Clock, scope: str) -> None:
    """Every limit stops who shares what it counts, and nobody else."""
    clock.at += 1_000
    one, applied = Limiter(), Applied(msgspec.structs.replace(Limits(client=None), **{scope: Limit(1.0, 2)}))
    assert spend(one, 2, applied).refused is None
    assert spend(one, 1, applied).refused == scope
    assert (spend(one, 1, applied, model="faces").refused is None) == (scope == "model")
    assert (spend(one, 1, applied, asker=BOB).refused is None) == (scope not in {"tenant", "model"})
    assert spend(one, 1, applied, asker=Asker("carol"), model="other").refused is None


def test_quotas_are_the_calendars(clock: Clock) -> None:
    """A day's quota is new at midnight in UTC, a month's on the first: also after a month of 31 days."""
    one, applied = Limiter(), Applied(Limits(client=Limit(100.0, 2_000, day=5, month=8)), day=3)
    clock.at = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()
    assert spend(one, 3, applied).refused is None
    refused = spend(one, 1, applied)
    assert (refused.refused, refused.seconds) == ("client-day", 12 * 3_600)
    policy = parsed(refused.headers["RateLimit-Policy"])
    assert policy["client-day"] == {"q": 3, "w": 86_400}
    assert policy["client-month"] == {"q": 8, "w": 31 * 86_400}
    clock.at += refused.seconds
    assert spend(one, 3, applied).refused is None
    clock.at = datetime(2026, 1, 31, 23, tzinfo=UTC).timestamp()
    refused = spend(one, 3, applied)
    assert (refused.refused, refused.seconds) == ("client-month", 3_600)
    clock.at += refused.seconds
    assert spend(one, 3, applied).refused is None


def test_rows_that_never_fit(clock: Clock) -> None:
    """More rows than a limit ever holds are told the most; a throttled client is told to wait: that ends."""
    clock.at += 1_000
    one = Limiter()
    assert spend(one, 2_001, Applied()) == Spent(
        {"RateLimit-Policy": '"client";q=2000;w=20', "RateLimit": '"client";r=2000;t=1'}, "client", 0, 2_000, 20
    )
    throttled = spend(one, 6, Applied(throttle=Limit(5.0, 5)))
    assert (throttled.refused, throttled.seconds, throttled.most) == ("client", 1, 5)


def test_the_lower_rate_of_client_and_throttle_holds(clock: Clock) -> None:
    """A decision to throttle never makes a client faster."""
    clock.at += 1_000
    one = Limiter()
    slow = spend(one, 1, Applied(Limits(client=Limit(0.5, 1)), throttle=Limit(5.0, 5)))
    assert slow.headers["RateLimit-Policy"] == '"client";q=1;w=2'
    alone = spend(one, 1, Applied(Limits(client=None), throttle=Limit(5.0, 5)))
    assert alone.headers["RateLimit-Policy"] == '"client";q=5;w=1'
    assert spend(one, 10**9, Applied(Limits(client=None))).headers == {}


@given(st.floats(0.001, 1e9), st.integers(1, 10**9))
def test_a_window_in_whole_seconds_keeps_rate_and_burst(rate: float, burst: int) -> None:
    """Rounding the window up to whole seconds never cuts the burst, and never gives more than the rate."""
    try:
        limit = Limit(rate, burst)
    except ValueError:
        assert burst > rate * 86_400
        return
    assert limit.rows >= burst
    assert limit.rows <= max(burst, rate * limit.seconds)
    assert limit.seconds - 1 < burst / rate <= limit.seconds


@pytest.mark.parametrize(
    "text",
    [
        "rate=0.0\nburst=1",
        "rate=nan\nburst=1",
        "rate=inf\nburst=1",
        "rate=1.0\nburst=0",
        "rate=1.0\nburst=86401",
        "rate=1.0\nburst=1\nday=0",
        "rate=1.0\nburst=1\nhour=5",
    ],
)
def test_bad_limits_are_refused_where_they_are_read(text: str) -> None:
    """A policy file with a limit that cannot be says so."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.toml.decode(f"[client]\n{text}", type=Limits)


def test_limits_are_read_from_toml() -> None:
    """The members of the policy file; what is not named keeps its default."""
    read = msgspec.toml.decode("[ip]\nrate = 10\nburst = 50\nday = 1000", type=Limits)
    assert read == Limits(client=Limit(100.0, 2_000), ip=Limit(10.0, 50, day=1_000))


@pytest.mark.parametrize(
    ("ip", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_addresses_of_one_machine_count_as_one(ip: str, counted: str) -> None:
    """A /64 is given to one household whole: its addresses are not so many askers."""
    assert network(ip) == counted


def test_names_that_stop_asking_are_forgotten(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory holds who asked of late, however many came before."""
    monkeypatch.setattr(counts, "SWEEP_SECONDS", 0.0)
    clock.at += 1_000
    one, applied = Limiter(), Applied()
    for number in range(500):
        spend(one, 1, applied, asker=Asker(f"client-{number}"))
    assert len(one._own.storage) == 500
    clock.at += 40
    until(lambda: spend(one, 1, applied).refused is None and len(one._own.storage) == 1)
    assert len(one._own.locks) == len(one._own.expirations) == 1
