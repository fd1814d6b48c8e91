"""The guard around an app that is not ours: the example of the documentation, run as it is written."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from detector.decision import Action
from gateway.faults import Fault
from gateway.guard import Guard, guarding
from gateway.middleware import Middleware, grant_of, told
from gateway.policy import parse
from gateway.settings import GatewaySettings
from tests.gateway.build import ALICE, decision, key_file

SLOW = parse("[defaults.throttle]\nlimit = {rate = 0.05, burst = 3}")
DOCUMENT = Path(__file__).parents[2] / "docs" / "middleware.md"
ANSWER = np.array([0.07, 0.86, 0.07], np.float32)


class Own:
    """Someone's app with its guard, and how often its model was called."""

    def __init__(self, keys: Path) -> None:
        self.calls = 0
        names: dict[str, Any] = {
            "guarding": guarding,
            "GatewaySettings": lambda **_: GatewaySettings(keys_file=keys, policy=SLOW),
            **{
                one.__name__: one
                for one in (Request, JSONResponse, Route, Starlette, Middleware, grant_of, told, Fault)
            },
            "numpy": np,
            "predict": self._predict,
        }
        found = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
        assert found is not None
        exec(found[1], names)  # noqa: S102  # the example is ours
        self.app: Middleware = names["app"]
        self.guard: Guard = names["guard"]

    def _predict(self, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self.calls += 1
        return np.repeat(ANSWER[None], len(inputs), axis=0)

    def ask(self, rows: int = 1, key: str = ALICE, path: str = "/classify") -> httpx.Response:
        """Ask the app in process."""

        async def post() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://own") as client:
                return await client.post(path, json=[[0.5, 0.5]] * rows, headers={"X-API-Key": key})

        return asyncio.run(post())


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Own]:
    """Return the documented app, with keys from a file and no Kafka."""
    made = Own(key_file(tmp_path))
    made.guard.start()
    yield made
    made.guard.stop()


def test_documented_example_guards(own: Own) -> None:
    """Access, the ladder and the limits hold around an app of one's own, and its model is not called in vain."""
    assert own.ask().json() == [ANSWER.tolist()]
    assert own.ask(key="nobody").status_code == 401
    assert own.ask(path="/other").status_code == 404
    assert own.ask(path="/other", key="nobody").status_code == 401
    own.guard.table.apply(decision(1, Action.PERTURB))
    assert own.ask().json()[0] == pytest.approx([0.1, 0.9, 0.1])
    own.guard.table.apply(decision(2, Action.THROTTLE))
    assert own.ask(rows=3).json() == [[0.0, 1.0, 0.0]] * 3
    calls = own.calls
    assert own.ask().status_code == 429
    own.guard.table.apply(decision(3, Action.BLOCK))
    assert own.ask().json()["code"] == "blocked"
    assert own.calls == calls


def test_rows_past_the_limit_are_refused_by_the_app(own: Own) -> None:
    """What the app spends beyond the first row is limited too, and told by its exception handler."""
    own.guard.table.apply(decision(1, Action.THROTTLE))
    refused = own.ask(rows=4)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert own.calls == 0


def test_websockets_are_refused(own: Own) -> None:
    """A WebSocket would pass by the log and the limits."""
    sent: list[Any] = []

    async def connect() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await own.app({"type": "websocket", "path": "/classify", "headers": []}, receive, send)

    asyncio.run(connect())
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_unguarded_path_has_no_grant() -> None:
    """An app that asks for a Grant where no query is guarded hears so, rather than answer without a guard."""
    with pytest.raises(LookupError, match="model_of"):
        grant_of({"type": "http"})
