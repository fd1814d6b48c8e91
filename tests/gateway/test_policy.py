"""The gateway's policy: a client's goes before a model's, that before the defaults; shadow changes nothing."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from detector.decision import Action
from gateway.limits.policy import Limit
from gateway.outputs import ClassLabels, GaussianNoise, Rounded, TopK
from gateway.policy import BadPolicy, Policy, parse
from gateway.querylog import Answer, encode
from gateway.settings import GatewaySettings
from tests.gateway.build import ALICE, Running, decision, images, serving

DOCUMENT = Path(__file__).parents[2] / "docs" / "defences.md"
LAYERS = """
[defaults]
always = {outputs = [{name = "rounded", decimals = 3}]}
[defaults.limits]
client = {burst = 500}
ip = {rate = 10, burst = 100}

[models.digits]
throttle = {delay = 0.5, mark = 0.02}
limits = {ip = "off"}

[clients.alice]
shadow = true
always = {outputs = [{name = "top_k", k = 3}]}
"""
WRONG = [
    ("[defaults", "gateway policy"),
    ("[defualts]", "defualts"),
    ("[defaults]\nlimit = 5", r"\[defaults\].*limit"),
    ("[defaults.limits]\nclient = {rate = -1}", r"\[defaults\].*rate"),
    ("[models.digits.throttle]\nmark = 0.2", r"\[models.digits\].*0.05.*mark"),
    ("[defaults.always]\nmark = 0.01", r"\[defaults\].*under a decision"),
    ("[models.digits.always]\noutputs = [{name = 'blur'}]", r"\[models.digits\].*blur"),
    ("[clients.alice.perturb]\noutputs = [{name = 'rounded', decimals = -1}]", r"\[clients.alice\].*decimals"),
    ("[models.digits.ensemble]\nmembers = ['a']\nmode = 'loud'", r"\[models.digits.ensemble\].*loud"),
    ("trusted_proxies = ['10.0.0.1/8']", "trusted_proxies.*host bits"),
    (
        "[[issuers]]\nissuer = 'i'\naudience = 'a'\njwks_url = 'https://i/keys'\nalgorithms = ['HS256']",
        "algorithms",
    ),
]


def test_defaults() -> None:
    """Without a file clients have limits, and the ladder is one decimal, then labels at five rows a second."""
    held = Policy().defences("digits", "alice")
    assert held.limits.client == Limit(100.0, 2_000)
    assert (held.shadow, held.keep_top, held.keyed) == (False, True, False)
    assert held.response(Action.ALLOW).outputs == ()
    assert held.response(Action.PERTURB).outputs == (Rounded(decimals=1),)
    assert held.response(Action.THROTTLE).outputs == (ClassLabels(),)
    assert held.response(Action.THROTTLE).limit == Limit(5.0, 5)


def test_layers() -> None:
    """Members are laid over one another; a list is replaced whole, "off" takes a limit away."""
    policy = parse(LAYERS)
    other, digits = policy.defences("letters", "bob"), policy.defences("digits", "bob")
    assert (other.limits.client, other.limits.ip) == (Limit(100.0, 500), Limit(10.0, 100))
    assert digits.limits.ip is None
    throttled = digits.response(Action.THROTTLE)
    assert throttled.outputs == (Rounded(decimals=3), ClassLabels())
    assert (throttled.delay, throttled.mark, throttled.limit) == (0.5, 0.02, Limit(5.0, 5))
    alice = policy.defences("digits", "alice")
    assert (alice.shadow, alice.limits.ip, alice.always.outputs) == (True, None, (TopK(k=3),))
    assert policy.defences("letters", "alice").limits.ip == Limit(10.0, 100)
    assert policy.keyed


def test_versions() -> None:
    """Equal policies have equal versions, whatever their comments; others differ."""
    assert parse("# x\n" + LAYERS).version == parse(LAYERS).version != parse("").version


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_wrong_policy_names_the_member(text: str, said: str) -> None:
    """The error names the table and the member."""
    with pytest.raises(BadPolicy, match=said):
        parse(text)


def test_noise_needs_the_secret(alone: GatewaySettings) -> None:
    """Noise that anyone could compute would be none."""
    noisy = parse("[defaults.always]\noutputs = [{name = 'gaussian_noise'}]")
    assert noisy.defaults.always.outputs == (GaussianNoise(),)
    with pytest.raises(BadPolicy, match="GAMEKEEPER_GATEWAY_SECRET"), serving(dataclasses.replace(alone, policy=noisy)):
        pass


STRICT = """
[defaults]
always = {outputs = [{name = "rounded", decimals = 2}]}
limits = {client = {rate = 0.001, burst = 4}}
"""
PLAIN = parse("[defaults.limits]\nclient = 'off'")


def asked(running: Running) -> list[tuple[int, bytes]]:
    """Ask as a client under each step of the ladder, and beyond its limit; return each answer to the byte."""
    found = []
    for serial, action in enumerate(Action, start=1):
        running.parts.guard.table.apply(decision(serial, action))
        answer = running.ask(rows=3)
        found.append((answer.status_code, answer.content))
    return found


def test_shadow_changes_no_answer(alone: GatewaySettings) -> None:
    """In shadow answers are those of a gateway without defences, byte by byte; enforced they are not."""
    with serving(dataclasses.replace(alone, policy=PLAIN)) as bare:
        true = bare.ask(rows=3)
    with serving(dataclasses.replace(alone, policy=parse(STRICT))) as strict:
        assert [status for status, _ in asked(strict)] == [200, 429, 429, 403]
    with serving(dataclasses.replace(alone, policy=parse(STRICT + "shadow = true"))) as shadow:
        assert shadow.ask(key="nobody").status_code == 401  # access holds
        first = shadow.ask(rows=3)
        assert asked(shadow) == [(200, true.content)] * 4
        assert {name for name in first.headers if name.startswith("ratelimit")} == set()
        text = shadow.parts.guard.metrics.text().decode()
    assert 'gamekeeper_gateway_withheld_total{code="blocked"} 1.0' in text
    assert 'gamekeeper_gateway_withheld_total{code="too_many_requests"}' in text
    assert 'gamekeeper_gateway_rows_total{action="allow",model="digits"}' in text


def test_shadow_records_what_would_have_been_done(alone: GatewaySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record says which status and which answer were withheld, and why; what was served is the true answer."""
    with serving(dataclasses.replace(alone, policy=parse(STRICT + "shadow = true"))) as running:
        logged: list[Answer] = []
        monkeypatch.setattr(running.parts.guard.log, "put", logged.append)  # there is no Kafka to look into
        running.parts.guard.table.apply(decision(7, Action.THROTTLE))
        running.ask()
        running.parts.guard.table.apply(decision(8, Action.BLOCK))
        running.ask(rows=5)
    label, blocked = (json.loads(next(encode(one))) for one in logged)
    top = int(np.argmax(label["output"]["probabilities"]))
    assert label["withheld"] == {
        "status": 200,
        "enforced": {"action": "throttle", "decision": 7, "serial": 7},
        "served": {"label": top},
    }
    assert blocked["withheld"]["status"] == 403
    assert not {"served", "enforced"} & (set(label) | set(blocked))


def test_a_slowed_client_waits_and_nobody_else(alone: GatewaySettings) -> None:
    """Throttling may also mean slower: the answer comes after the delay, without holding the model."""
    slow = parse("[defaults.throttle]\ndelay = 0.4")
    with serving(dataclasses.replace(alone, policy=slow)) as running:
        running.ask()
        running.parts.guard.table.apply(decision(1, Action.THROTTLE))
        body, key = {"instances": images().tolist()}, {"X-API-Key": ALICE}
        assert running.http.post("/v1/models/digits:predict", json=body, headers=key).elapsed.total_seconds() > 0.4
        assert running.ask(key="bob-key").elapsed.total_seconds() < 0.4


def test_documented_policies() -> None:
    """The policies of the documentation can be read, and the first is the built-in one."""
    defaults, *others = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert parse(defaults).defaults == Policy().defaults
    assert others
    for text in others:
        parse(text)
