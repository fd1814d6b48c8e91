"""Connections that say little: they stop nobody else."""

import resource
import socket
from contextlib import ExitStack

import httpx
import pytest

from consumers.store import keys
from consumers.store.engine import connect
from tests.api.conftest import SAID
from tests.api.test_many import process

HALF_OPEN = 1_000
BEGINNINGS = (
    b"",
    b"GET /v1/decisions HTTP/1.1\r\nHost: x\r\n",
    b"POST /v1/usage-metrics HTTP/1.1\r\nHost: x\r\nX-Api-Key: KEY\r\nContent-Length: 100\r\n\r\n{",
)


@pytest.fixture
def many_files() -> None:
    """Let this process hold as many connections as it wants."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@pytest.mark.usefixtures("many_files")
def test_half_open_connections(database: str) -> None:
    """While a thousand have begun to ask, and go on by a letter at a time or not at all, a bouncer pulls as ever."""
    engine = connect(database)
    secret = keys.add_bouncer_key(engine, "nginx", SAID).secret
    with process(database) as (url, _), ExitStack() as stack:
        place = ("127.0.0.1", httpx.URL(url).port or 0)
        half_open = [stack.enter_context(socket.create_connection(place)) for _ in range(HALF_OPEN)]
        for number, one in enumerate(half_open):
            one.sendall(BEGINNINGS[number % len(BEGINNINGS)].replace(b"KEY", secret.encode()))
        with httpx.Client(base_url=url, headers={"X-Api-Key": secret}, timeout=10) as bouncer:
            for _ in range(3):
                for one in half_open[::2]:
                    one.sendall(b"x")
                assert bouncer.get("/v1/decisions/stream").json() == {"new": [], "deleted": []}
    engine.dispose()
