"""A running api, one for all tests and emptied before each, and whoever asks it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import Engine

from consumers.api import ApiSettings, app
from consumers.store import keys, people
from consumers.store.engine import connect
from consumers.store.facts import Channels
from detector.decision import ANY_MODEL, Action, Decision, Scope
from tests.conftest import administer, database_name, database_url
from tests.consumers.road import free_port, until
from tests.store.conftest import EMPTY

PEPPER = b"a pepper of ours"
SAID = people.Said("ann", "a test")
CHANNELS = Channels()


@dataclass(frozen=True)
class Api:
    """The api and its database."""

    url: str
    database: str
    engine: Engine
    closing: ExitStack

    def client(self, secret: str, **other: Any) -> httpx.Client:
        """Return who asks with a key; it is closed at the end of the test."""
        client = httpx.Client(base_url=self.url, headers={"X-Api-Key": secret}, timeout=60, **other)
        return self.closing.enter_context(client)

    def bouncer(self, name: str = "nginx") -> httpx.Client:
        """Return a bouncer with a key of its own."""
        return self.client(keys.add_bouncer_key(self.engine, name, SAID, PEPPER).secret)

    def decide(self, value: str, action: Action = Action.BLOCK, **other: Any) -> Decision:
        """Take a person's decision."""
        facts: dict[str, Any] = {
            "scope": Scope.CLIENT,
            "value": value,
            "model": ANY_MODEL,
            "action": action,
            "seconds": 3600,
            "why": "caught",
            "who": "ann",
        }
        return people.decide(self.engine, people.Order(**(facts | other)), CHANNELS)

    def lift(self, value: str, scope: Scope = Scope.CLIENT) -> None:
        """Lift what is in force on a value."""
        people.lift(self.engine, scope, value, ANY_MODEL, SAID, CHANNELS)


@contextmanager
def serving(settings: ApiSettings, *listeners: socket.socket) -> Iterator[str]:
    """Serve on a thread, on a port of this machine or on what listens elsewhere; yield where."""
    server = uvicorn.Server(uvicorn.Config(app(settings), port=settings.port, log_config=None))
    thread = threading.Thread(target=server.run, args=(list(listeners) or None,))
    thread.start()
    until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{settings.port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def shared(postgres: str, migrated_template: str) -> Iterator[tuple[str, str]]:
    """Return the database that these tests share, and where an api on it answers."""
    name = database_name()
    administer(postgres, f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    database = database_url(postgres, name)
    with serving(ApiSettings(database, port=free_port(), key_pepper=PEPPER)) as url:
        yield database, url
    administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def api(shared: tuple[str, str]) -> Iterator[Api]:
    """Return an api that answers, with an empty database."""
    database, url = shared
    engine = connect(database)
    with engine.begin() as connection:
        connection.execute(EMPTY)
    with ExitStack() as closing:
        yield Api(url, database, engine, closing)
    engine.dispose()
