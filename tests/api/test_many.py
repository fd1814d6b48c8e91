"""A hundred thousand decisions in force: quick to begin, and flat in memory."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
from sqlalchemy import Engine, text

from consumers.store import keys
from consumers.store.engine import connect
from tests.api.conftest import SAID
from tests.consumers.road import ROOT, free_port, until

MANY = 100_000
FIRST_BYTE_SECONDS = 0.2
FLAT_BYTES = (
    16 << 20
)  # at the highest more than before the first answer; one answer is 13 MB, and Python objects ten times that
TRIES = 3
SLOW = 20  # bouncers that take the beginning of their answer and stop: more than the connections to the database
_SEED = (
    """
    INSERT INTO decisions (scope, value, model, serial, action, until, origin, reason, shadow)
    SELECT 'client_id', 'client-' || n, '*', 1, 'block', now() + interval '1 day', 'detector', 'seeded', false
    FROM generate_series(1, :many) AS n
    """,
    """
    INSERT INTO decision_heads (scope, value, model, serial, decision, action, until, origin, shadow)
    SELECT scope, value, model, serial, id, action, until, origin, shadow FROM decisions
    """,
)
_ANALYZE = "ANALYZE decisions, decision_heads, snapshots"


@pytest.fixture
def seeded(database: str) -> Iterator[Engine]:
    """Return a database in which MANY decisions are in force."""
    engine = connect(database)
    with engine.begin() as connection:
        for statement in _SEED:
            connection.execute(text(statement), {"many": MANY})
    with engine.begin() as connection:
        connection.execute(text(_ANALYZE))
    yield engine
    engine.dispose()


@contextmanager
def process(database: str) -> Iterator[tuple[str, int]]:
    """Run the api as a process of its own; yield where it answers, and its id."""
    port = free_port()
    told = msgspec.json.encode({"database": database, "port": port}).decode()
    running = subprocess.Popen([sys.executable, "-m", "tests.consumers.worker", "api", told], cwd=ROOT)
    try:
        until(lambda: _answers(f"http://127.0.0.1:{port}"))
        yield f"http://127.0.0.1:{port}", running.pid
    finally:
        running.terminate()
        running.wait()


@pytest.mark.slow
def test_a_start_among_many(database: str, seeded: Engine) -> None:
    """The first decision comes at once, all of them come, slow readers stop nobody, and memory stays where it was."""
    secret = keys.add_bouncer_key(seeded, "nginx", SAID).secret
    with process(database) as (url, pid), ExitStack() as stack:
        http = stack.enter_context(httpx.Client(base_url=url, headers={"X-Api-Key": secret}, timeout=60))
        assert http.get("/v1/decisions", params={"ip": "192.0.2.1"}).text == "null"
        before = _memory(pid, "VmRSS")
        took = [_pulled(http) for _ in range(TRIES)]
        for _ in range(SLOW):
            slow = stack.enter_context(http.stream("GET", "/v1/decisions/stream?startup=true&scopes=client_id"))
            next(slow.iter_raw(100))
        took.append(_pulled(http))
        grown = _memory(pid, "VmHWM") - before
    sys.stdout.write(f"first byte {[round(one, 3) for one in took]} s, memory grew by {grown >> 10} KiB\n")
    assert sorted(took)[len(took) // 2] < FIRST_BYTE_SECONDS
    assert grown < FLAT_BYTES


def _pulled(http: httpx.Client) -> float:
    """Pull everything, and return the seconds until the first decision was there."""
    started, first, got = time.monotonic(), 0.0, bytearray()
    with http.stream("GET", "/v1/decisions/stream", params={"startup": "true", "scopes": "client_id"}) as answer:
        for chunk in answer.iter_raw():
            first = first or time.monotonic() - started
            got += chunk
    assert len(msgspec.json.decode(got)["new"]) == MANY
    return first


def _memory(pid: int, what: str) -> int:
    """Return VmRSS (now) or VmHWM (the highest ever) of a process, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    [line] = [line for line in lines if line.startswith(what)]
    return int(line.split()[1]) << 10


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False
