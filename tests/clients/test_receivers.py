"""Channels against the programs that they are for."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from consumers.alert import Change, Severity, encode
from consumers.channels import CHANNELS, trial
from consumers.channels.endpoint import Endpoint
from consumers.channels.outcome import Delivered, Outcome, Retry
from consumers.store.facts import FOREVER
from consumers.store.outbox import Delivery
from detector.decision import ANY_MODEL, Action, Key, Scope
from detector.records import encode_decision
from detector.standing import Standing
from tests.clients.conftest import BOUNCER, PASSWORD, Lapi
from tests.templates import make

pytestmark = pytest.mark.clients
HOUR_US = 3_600_000_000
ODD = 'a b&c=d%"é<>'


def send(endpoint: Endpoint, payload: bytes) -> Outcome:
    """Send what an endpoint is owed."""
    now = datetime.now(UTC)
    return CHANNELS[endpoint.kind].send(Delivery(1, endpoint.channel, "", payload, b"", 1, now, "msg_1"), endpoint)


def decide(endpoint: Endpoint, client: str, model: str, **other: Any) -> None:
    """Let CrowdSec have a decision for an hour."""
    facts = {"key": Key(Scope.CLIENT, client, model), "until": time.time_ns() // 1_000 + HOUR_US}
    assert send(endpoint, encode_decision(make.decision(**(facts | other)))) == Delivered()


def enforced(lapi: Lapi) -> set[tuple[str, str, str]]:
    """Return what a bouncer is told to enforce: value, type, origin."""
    query = {"startup": "true", "scopes": "client_id,Ip"}
    told = httpx.get(f"{lapi.url}/v1/decisions/stream", params=query, headers={"X-Api-Key": BOUNCER}).json()
    return {(one["value"], one["type"], one["origin"]) for one in told["new"] or ()}


@pytest.mark.proves(
    "CrowdSec", "a pushed decision replaces ours on that value and model alone; shadow, a lift and a test leave nothing"
)
def test_crowdsec_enforces_what_is_decided(lapi: Lapi) -> None:
    """A new decision replaces the old one on that value and model alone; shadow, a lift and a test leave nothing."""
    endpoint = Endpoint("crowdsec", "lapi", lapi.url, PASSWORD, user="gamekeeper")
    decide(endpoint, "thief", "digits")
    assert enforced(lapi) == {("thief", "ban", "gamekeeper/digits")}
    decide(endpoint, "thief", "digits", action=Action.THROTTLE)
    decide(endpoint, "thief", "other", action=Action.PERTURB)
    other = ("thief", "perturb", "gamekeeper/other")
    assert enforced(lapi) == {("thief", "throttle", "gamekeeper/digits"), other}
    decide(endpoint, "thief", "digits", shadow=True)
    assert enforced(lapi) == {other}
    decide(endpoint, "thief", "other", action=Action.ALLOW)
    assert trial.send(endpoint) == Delivered()
    assert enforced(lapi) == set()


@pytest.mark.proves("CrowdSec", "pushed values come through as they are; a block for good is one that it holds")
def test_crowdsec_holds_odd_values_addresses_and_for_good(lapi: Lapi) -> None:
    """Values come through as they are, whatever is in them; an end in the year 9999 is a duration that Go knows."""
    endpoint = Endpoint("crowdsec", "lapi", lapi.url, PASSWORD, user="gamekeeper")
    decide(endpoint, ODD, ANY_MODEL, until=253_370_764_800_000_000)
    decide(endpoint, "", ANY_MODEL, key=Key(Scope.IP, "203.0.113.7", ANY_MODEL))
    assert enforced(lapi) == {(ODD, "ban", "gamekeeper/*"), ("203.0.113.7", "ban", "gamekeeper/*")}
    decide(endpoint, ODD, ANY_MODEL, action=Action.ALLOW)
    decide(endpoint, "", ANY_MODEL, key=Key(Scope.IP, "203.0.113.7", ANY_MODEL), action=Action.ALLOW)
    assert enforced(lapi) == set()


@pytest.mark.proves("CrowdSec", "a wrong password is said in the delivery, without it")
def test_crowdsec_says_when_a_password_is_wrong(lapi: Lapi) -> None:
    """The reason is in the delivery, without the password."""
    endpoint = Endpoint("crowdsec", "lapi", lapi.url, PASSWORD, user="gamekeeper")
    outcome = send(replace(endpoint, secret="wrong"), encode_decision(make.decision()))  # noqa: S106  # that is the test
    assert outcome == Retry("CrowdSec refuses the machine's login: 401")


@pytest.mark.proves(
    "Alertmanager", "one alert an episode, from warning to critical to its end; hostile names are taken"
)
def test_alertmanager_has_one_alert_an_episode(alertmanager: str) -> None:
    """It opens as a warning, rises to critical alone, and ends; hostile names are taken; nothing is refused."""
    endpoint = Endpoint("alertmanager", "am", f"{alertmanager}/api/v2/alerts", private=True)

    def tell(kind: str, **other: Any) -> set[tuple[str, str]]:
        now = datetime.now(UTC)
        alert = msgspec.structs.replace(make.alert(kind, since=now - timedelta(minutes=3), **other), timestamp=now)
        assert send(endpoint, encode(alert)) == Delivered()
        return {(one["labels"]["severity"], one["labels"]["episode"]) for one in httpx.get(endpoint.url).json()}

    opened = {"change": Change.OPENED, "severity": Severity.WARNING, "highest": Standing.SUSPECTED}
    assert tell("suspected", **opened) == {("warning", make.EPISODE)}
    assert tell("confirmed", until=FOREVER) == {("critical", make.EPISODE)}
    assert tell("resolved", change=Change.RESOLVED, until=None, action="allow") == set()
    hostile = '"}],"x<\n\u202e' + "é" * 10_000
    assert tell("confirmed", client=hostile, tenant="", episode="odd") == {("critical", "odd")}
    assert trial.send(endpoint) == Delivered()
