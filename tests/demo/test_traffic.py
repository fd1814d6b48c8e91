"""Clients over HTTP against a real gateway: answered, throttled, refused."""

import asyncio
import time
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from detector.decision import Action
from detector.records import encode_decision
from gamekeeper.demo import assets, data, honest, thieves, traffic
from gamekeeper.demo.clients import Conversation, Kind
from gamekeeper.demo.data import Parts
from gamekeeper.demo.traffic import Visitor
from gateway.settings import GatewaySettings
from tests.gateway import build
from tests.gateway.build import Running

NOISE = next(kind for kind in thieves.KINDS if kind.name == "noise")


@pytest.fixture(scope="module")
def parts() -> Parts:
    """Return the demo's images."""
    return data.load()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Return a gateway that serves the demo's model."""
    folder = tmp_path_factory.mktemp("gateway")
    model = assets.prepare_model(folder, lambda _: None)
    keys = build.key_file(folder)
    settings = GatewaySettings(models=model.parent, port=0, keys_file=keys, push_token=build.TOKEN)
    with build.serving(settings) as running:
        yield running


def _visitor(kind: Kind, parts: Parts, budget: int) -> Visitor:
    rng = np.random.default_rng(1)
    return Visitor("alice", kind, build.ALICE, Conversation(kind.start(parts, rng)), budget, start=0.0, pause=0.001)


def _go(visitor: Visitor, gateway: Running, seconds: float) -> None:
    url = f"{gateway.url}/v1/models/digits:predict"
    asyncio.run(traffic.run([visitor], url, seconds, lambda: None))


def _push(gateway: Running, serial: int, action: Action) -> None:
    body = encode_decision(build.decision(serial, action))
    headers = {"Authorization": f"Bearer {build.TOKEN}"}
    answer = httpx.post(f"{gateway.url}/gamekeeper/decisions", content=body, headers=headers)
    assert answer.json()["applied"] is True


def test_a_client_is_answered(gateway: Running, parts: Parts) -> None:
    """A client gets as many answers as it came for, and no more."""
    visitor = _visitor(honest.KINDS[0], parts, 40)
    _go(visitor, gateway, 20.0)
    assert 40 <= visitor.asked < 48
    assert len(visitor.conversation.learnt()) == visitor.asked
    assert not visitor.blocked


def test_a_throttled_thief_goes_on_one_by_one(gateway: Running, parts: Parts) -> None:
    """After a 429 a thief asks for single inputs and still gets answers: labels, in the same shape."""
    _push(gateway, 1, Action.THROTTLE)
    visitor = _visitor(NOISE, parts, 8)
    _go(visitor, gateway, 20.0)
    assert visitor.throttled > 0
    assert visitor.asked == 8
    assert set(visitor.conversation.learnt().answers.probabilities.ravel()) == {0.0, 1.0}


def test_a_blocked_thief_stops(gateway: Running, parts: Parts) -> None:
    """The first 403 ends a client, and when it came is kept."""
    before = time.time_ns() // 1000
    _push(gateway, 2, Action.BLOCK)
    visitor = _visitor(NOISE, parts, 80)
    _go(visitor, gateway, 20.0)
    assert visitor.asked == 0
    assert visitor.turned_away is not None
    assert before <= visitor.turned_away <= time.time_ns() // 1000


def test_an_unknown_key_is_told(gateway: Running, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that the gateway never learns of is an error of the demo, not a blocked client."""
    monkeypatch.setattr(traffic, "_TRIES", 2)
    visitor = _visitor(NOISE, parts, 8)
    visitor.key = "nobody"
    with pytest.raises(traffic.Broken, match="did not serve alice"):
        _go(visitor, gateway, 20.0)
