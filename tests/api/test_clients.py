"""Real bouncers against the api: pycrowdsec, from PyPI, in both of its modes."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from pycrowdsec.client import QueryClient, StreamClient
from requests import HTTPError

from consumers.store import keys, people
from detector.decision import Action, Scope
from detector.standing import Standing
from tests.api.conftest import CHANNELS, PEPPER, SAID, Api
from tests.consumers.road import ROOT
from tests.store.given import saved, verdict


@pytest.fixture
def streaming(api: Api) -> Iterator[StreamClient]:
    """Return a client that knows what is in force, to be cycled by hand: its own thread would outlive the test."""
    secret = keys.add_bouncer_key(api.engine, "pycrowdsec", SAID, PEPPER).secret
    client = StreamClient(secret, f"{api.url}/", scopes=("client_id", "tenant"))
    client.cycle("true")
    yield client
    client.session.close()


@pytest.mark.proves(
    "pycrowdsec",
    "streaming, it holds what is in force after each verdict, decision, lift and allowance; nothing of a shadow",
)
def test_pycrowdsec_streams(api: Api, streaming: StreamClient) -> None:
    """Verdict, stricter, milder, lift, allowlist, shadow: at each step it holds what is in force."""
    assert streaming.get_current_decisions() == {}
    steps = (
        (lambda: saved(api.engine, verdict(Standing.SUSPECTED)), "throttle"),
        (lambda: saved(api.engine, verdict(Standing.CONFIRMED, 2)), "ban"),
        (lambda: api.lift("thief"), None),
        (lambda: api.decide("thief", Action.BLOCK), "ban"),
        (lambda: api.decide("thief", Action.PERTURB), "perturb"),
        (lambda: people.allowlist_add(api.engine, people.Entry(Scope.CLIENT, "thief", "*"), SAID, CHANNELS), None),
        (lambda: saved(api.engine, verdict(Standing.CONFIRMED, 3, client="other", shadow=True)), None),
    )
    for step, action in steps:
        step()
        streaming.cycle("false")
        assert streaming.get_action_for("thief") == action
    assert streaming.get_current_decisions() == {}
    api.decide("acme", scope=Scope.TENANT)
    streaming.cycle("false")
    assert streaming.get_current_decisions() == {"acme": "ban"}


@pytest.mark.proves("pycrowdsec", "its own thread hears of a decision and of its end")
def test_pycrowdsec_runs_by_itself(api: Api) -> None:
    """Its own thread pulls, and hears of a decision and of its end."""
    secret = keys.add_bouncer_key(api.engine, "pycrowdsec", SAID, PEPPER).secret
    command = [sys.executable, "-m", "tests.api.keeping", secret, f"{api.url}/"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "{}\n"
        api.decide("thief")
        assert running.stdout.readline() == "{'thief': 'ban'}\n"
        api.lift("thief")
        assert running.stdout.readline() == "{}\n"
        running.terminate()


@pytest.mark.proves("pycrowdsec", "a wrong key is refused at its start")
def test_pycrowdsec_with_a_wrong_key(api: Api) -> None:
    """It says at its start that the key is refused."""
    client = StreamClient("wrong", f"{api.url}/")
    with pytest.raises(HTTPError, match="403"):
        client.cycle("true")
    client.session.close()


@pytest.mark.proves("pycrowdsec", "in query mode it gets the action on an address, IPv4 and IPv6")
def test_pycrowdsec_asks_for_one_address(api: Api) -> None:
    """It gets the action on an address; of one on which nothing holds it gets null, which is CrowdSec's answer."""
    secret = keys.add_bouncer_key(api.engine, "pycrowdsec", SAID, PEPPER).secret
    client = QueryClient(secret, f"{api.url}/")
    api.closing.callback(client.session.close)
    api.decide("192.0.2.7", scope=Scope.IP)
    api.decide("2001:db8::7", Action.THROTTLE, scope=Scope.IP)
    assert client.get_action_for("192.0.2.7") == "ban"
    assert client.get_action_for("2001:db8::7") == "throttle"
    assert client.get_decisions_for("192.0.2.8") is None
    with pytest.raises(HTTPError, match="400"):
        client.get_decisions_for("garbage")
