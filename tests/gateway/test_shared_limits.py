"""Limits that gateways share through a real Redis: one count, and a count of each one's own while it is away."""

import asyncio
import dataclasses
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.faults import Fault
from gateway.limits import counts, limiter
from gateway.limits.counts import BadStore
from gateway.limits.limiter import Limiter, Spent
from gateway.limits.policy import Applied, Limit, Limits
from gateway.policy import Defences, Policy
from gateway.settings import GatewaySettings
from gateway.table import Asker
from tests.gateway.build import AWAY, Running, serving, until
from tests.gateway.redis_server import RedisServer

ALICE = Asker("alice")
HOUR = Applied(Limits(client=Limit(100 / 3_600, 100)))  # 100 rows; nothing slides out while a test runs


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait longer for Redis than a gateway does: on a busy machine a tenth of a second proves nothing."""
    monkeypatch.setattr(counts, "REDIS_SECONDS", 10.0)
    monkeypatch.setattr(limiter, "ANSWER_SECONDS", 10.0)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a Redis of the test's own."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


def spend(one: Limiter, rows: int = 1, applied: Applied = HOUR) -> Spent:
    """Spend of alice, and wait for it."""
    return asyncio.run(one.spend(ALICE, "digits", rows, applied))


def left(one: Limiter) -> int:
    """Spend a row, and return how many are said to be left."""
    return int(spend(one).headers["RateLimit"].split(";")[1].removeprefix("r="))


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    "applied", [HOUR, Applied(Limits(client=Limit(1e6, 10**6, day=100)))], ids=["sliding window", "quota of a day"]
)
def test_no_limit_is_passed_however_many_ask_at_once(redis: RedisServer, applied: Applied) -> None:
    """Requests race from two gateways; what passes is never more than one count allows."""

    async def race() -> int:
        gateways = [Limiter(redis.address), Limiter(redis.address)]
        asked = [one.spend(ALICE, "digits", 3, applied) for _ in range(30) for one in gateways]
        passed = 3 * sum(spent.refused is None for spent in await asyncio.gather(*asked))
        assert [one.why for one in gateways] == ["", ""]
        return passed

    assert 90 < asyncio.run(race()) <= 100


@pytest.mark.usefixtures("patient")
def test_who_waits_as_told_passes(redis: RedisServer) -> None:
    """Redis begins its windows with the first row, and not on the clock: the wait that is told holds there too."""
    one, applied = Limiter(redis.address), Applied(Limits(client=Limit(20.0, 20)))
    assert spend(one, 20, applied).refused is None
    refused = spend(one, 10, applied)
    assert refused.seconds in {1, 2}
    until(lambda: spend(one, 10, applied).refused is None, refused.seconds + 0.1)


@pytest.mark.usefixtures("patient")
def test_counts_for_itself_while_redis_is_away(redis: RedisServer) -> None:
    """Redis is killed: each gateway counts from nothing, says why, and comes back by itself."""
    one, other = Limiter(redis.address), Limiter(redis.address)
    assert [left(one), left(other)] == [99, 98]
    redis.kill()
    assert [left(one), left(one), left(other)] == [99, 98, 99]
    assert "connect" in one.why.lower()
    assert spend(one, 99).refused == "client"
    redis.start()
    until(lambda: spend(one) and spend(other) and not one.why and not other.why)
    assert left(one) == left(other) + 1


def test_refuses_while_redis_is_away_where_told_so() -> None:
    """Told to fail closed, it refuses what it cannot count: 503, ask again."""
    closed = Limiter(f"redis://{AWAY}", fail_open=False)
    with pytest.raises(Fault) as refused:
        spend(closed)
    assert (refused.value.status, refused.value.code) == (503, "limits_unknown")
    assert spend(closed, 10**6, Applied(Limits(client=None))).refused is None


def test_a_hung_redis_holds_up_nobody(redis: RedisServer) -> None:
    """While Redis is silent requests wait a moment at most, and the event loop never."""
    one = Limiter(redis.address)
    spend(one)

    async def asking() -> tuple[list[float], float]:
        gaps, started = [], time.perf_counter()
        asked = asyncio.gather(*(one.spend(ALICE, "digits", 1, HOUR) for _ in range(40)))
        while not asked.done():
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            gaps.append(time.perf_counter() - before)
        assert all(spent.refused is None for spent in await asked)
        return gaps, time.perf_counter() - started

    with redis.hung():
        gaps, seconds = asyncio.run(asking())
    assert one.why
    assert seconds < 4 * limiter.ANSWER_SECONDS
    assert sorted(gaps)[len(gaps) // 2] < 0.02


@pytest.mark.usefixtures("patient")
def test_gateways_share_one_count_and_answer_without_it(alone: GatewaySettings, redis: RedisServer) -> None:
    """Two gateways over real sockets: one budget, no 5xx when Redis dies, said in /healthz and /metrics, and back."""
    settings = dataclasses.replace(alone, policy=Policy(Defences(limits=HOUR.limits)), limits_store=redis.address)
    with ExitStack() as stack:
        one, other = (stack.enter_context(serving(settings)) for _ in range(2))
        assert [one.ask(rows=50).status_code, other.ask(rows=50).status_code] == [200, 200]
        assert [one.ask().status_code, other.ask().status_code] == [429, 429]
        redis.kill()
        assert [one.ask(rows=60).status_code, other.ask(rows=60).status_code] == [200, 200]
        assert one.ask(rows=60).status_code == 429
        assert "shared limits" in one.http.get("/healthz").json()["why"]
        assert "gamekeeper_gateway_limits_lost 1.0" in one.http.get("/metrics").text
        redis.start()
        until(lambda: well(one))
        until(lambda: well(other))
        assert [one.ask(rows=60).status_code, other.ask(rows=60).status_code] == [200, 429]


def well(gateway: Running) -> bool:
    """Ask, so that Redis is tried again, and tell whether the gateway says that all is well."""
    gateway.ask()
    return bool(gateway.http.get("/healthz").json()["status"] == "ok")


@pytest.mark.parametrize("address", ["memcached://:secret@host", "redis://:secret@host:port", "nonsense"])
def test_a_bad_address_is_told_without_its_password(address: str) -> None:
    """What cannot be an address of Redis is refused at the start, in one line."""
    with pytest.raises(BadStore, match="shared limits") as refused:
        Limiter(address)
    assert "secret" not in str(refused.value)
