"""CrowdSec's bouncer for Node.js against the api, in both of its modes."""

from pathlib import Path

import httpx
import pytest

from benchmarks.bouncers import node
from consumers.store import keys
from detector.decision import Action, Scope
from tests.api.conftest import PEPPER, SAID, Api
from tests.consumers.road import until
from tests.proofs import NotHad

THIEF, OTHER, SIX = "192.0.2.7", "192.0.2.8", "2001:db8::7"


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the bouncer, fetched once."""
    try:
        return node.installed(tmp_path_factory.mktemp("node"))
    except OSError as error:
        raise NotHad(str(error)) from error


def key(api: Api) -> str:
    """Return a bouncer's key."""
    return keys.add_bouncer_key(api.engine, "node", SAID, PEPPER).secret


def asked(guarded: str, address: str) -> int:
    """Return what the guarded server answers an address."""
    return httpx.get(guarded, headers={"X-Address": address}).status_code


@pytest.mark.proves(
    "@crowdsec/nodejs-bouncer", "pulling, it answers 403 from a block on until a milder decision or the end"
)
def test_node_pulls(api: Api, parts: Path) -> None:
    """A block, a milder decision, a block again, a lift: of two addresses, each is answered as it should be."""
    api.decide(THIEF, scope=Scope.IP)
    with node.bouncing(parts, api.url, key(api)) as guarded:
        assert asked(guarded, THIEF) == 403  # it was told at its start
        api.decide(OTHER, scope=Scope.IP)
        until(lambda: asked(guarded, OTHER) == 403)
        api.decide(THIEF, Action.THROTTLE, scope=Scope.IP)  # which it does not know
        until(lambda: asked(guarded, THIEF) == 200)
        api.decide(THIEF, scope=Scope.IP)
        until(lambda: asked(guarded, THIEF) == 403)
        for address in (THIEF, OTHER):
            api.lift(address, Scope.IP)
            until(lambda address=address: asked(guarded, address) == 200)  # type: ignore[misc]


@pytest.mark.proves(
    "@crowdsec/nodejs-bouncer", "asking about each address, IPv4 and IPv6, it answers 403 while a block holds"
)
@pytest.mark.proves("@crowdsec/nodejs-bouncer", "what it says it did is counted")
def test_node_asks(api: Api, parts: Path) -> None:
    """Nobody is known until asked about; what it processed and dropped is in the metrics."""
    secret = keys.add_bouncer_key(api.engine, "asking node", SAID, PEPPER).secret
    with node.bouncing(parts, api.url, secret, every_ms=0) as guarded:
        assert asked(guarded, OTHER) == 200
        for address in (THIEF, SIX):
            api.decide(address, scope=Scope.IP)
            assert asked(guarded, address) == 403
        api.lift(THIEF, Scope.IP)
        until(lambda: asked(guarded, THIEF) == 200)
        httpx.get(f"{guarded}/tell").raise_for_status()
    counted = [line for line in httpx.get(f"{api.url}/metrics").text.splitlines() if 'bouncer="asking node"' in line]
    assert {line.split('what="')[1].split('"')[0] for line in counted if "_total" in line} == {"processed", "dropped"}


@pytest.mark.proves("@crowdsec/nodejs-bouncer", "it knows a wrong key from a right one")
def test_node_with_a_wrong_key(api: Api, parts: Path) -> None:
    """Its own check says that the token is invalid, or that all is well."""
    for secret, said in {"wrong": "INVALID_API_TOKEN", key(api): None}.items():
        with node.bouncing(parts, api.url, secret) as guarded:
            assert httpx.get(f"{guarded}/health").json()["error"] == said
