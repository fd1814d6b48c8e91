"""Decisions into an existing CrowdSec, which carries them to whatever remediation components it has."""

import time
from dataclasses import replace
from urllib.parse import urlencode

import msgspec

from consumers.channels import http
from consumers.channels.endpoint import Endpoint
from consumers.channels.http import Answer, Request
from consumers.channels.outcome import Delivered, Gone, Outcome, Retry
from consumers.store.outbox import Delivery
from consumers.templates import crowdsec
from detector.decision import Decision
from detector.records import decode_decision

BEGIN_SECONDS = 10.0  # after which no further request of a try begins, so that it ends within its lease
REQUEST_SECONDS = 5.0  # for each
_TOKEN_BYTES = 16_384  # of the answer to a login
_UNAUTHORIZED = 401
_tokens: dict[Endpoint, str] = {}  # a login costs the other side a bcrypt; a token that it no longer takes is dropped


class _Login(msgspec.Struct):
    token: str


def send(delivery: Delivery, endpoint: Endpoint) -> Outcome:
    """Bring CrowdSec to where the decision is; `user` and the secret log in as one of its machines.

    1. End what we decided before on the same value and model. 2. Post what is to be enforced now, if anything.
    It is the operator's own, so it may be private.
    """
    if delivery.payload is None:
        return Delivered()
    decision = decode_decision(delivery.payload)
    if not crowdsec.bearable(decision):
        return Gone(
            f"CrowdSec holds no value longer than {crowdsec.VALUE_CHARS} characters, or with control characters"
        )
    end = time.monotonic() + BEGIN_SECONDS
    for request in _requests(decision, endpoint):
        outcome = _ask(request, endpoint, end)
        if not isinstance(outcome, Delivered):
            return outcome
    return Delivered()


def _requests(decision: Decision, endpoint: Endpoint) -> list[Request]:
    root = endpoint.url.rstrip("/")
    scope = crowdsec.SCOPES[decision.key.scope]
    which = urlencode({"scopes": scope, "value": decision.key.value, "origin": crowdsec.origin(decision)})
    end = Request(f"{root}/v1/decisions?{which}", method="DELETE")
    alerts = crowdsec.render(decision, time.time_ns() // 1000)
    return [end, *(Request(f"{root}/v1/alerts", msgspec.json.encode([alert])) for alert in alerts)]


def _ask(request: Request, endpoint: Endpoint, end: float) -> Outcome:
    """Send a request with the token that there is, and once more with a new one where that is not taken."""
    outcome = _try(request, endpoint, end)
    if isinstance(outcome, Answer) and outcome.status == _UNAUTHORIZED:
        _tokens.pop(endpoint, None)
        outcome = _try(request, endpoint, end)
    return http.judge(outcome.status, outcome.retry_after, time.time()) if isinstance(outcome, Answer) else outcome


def _try(request: Request, endpoint: Endpoint, end: float) -> Answer | Gone | Retry:
    token = _tokens.get(endpoint) or _log_in(endpoint, end)
    if not isinstance(token, str):
        return token
    _tokens[endpoint] = token
    carried = {"Authorization": f"Bearer {token}"}
    return _timely(replace(request, headers=carried), end)


def _log_in(endpoint: Endpoint, end: float) -> str | Gone | Retry:
    who = msgspec.json.encode({"machine_id": endpoint.user, "password": endpoint.secret, "scenarios": []})
    asked = Request(f"{endpoint.url.rstrip('/')}/v1/watchers/login", who)
    answer = _timely(asked, end, _TOKEN_BYTES)
    if not isinstance(answer, Answer):
        return answer
    try:
        return msgspec.json.decode(answer.body, type=_Login).token
    except msgspec.MsgspecError:
        return Retry(f"CrowdSec refuses the machine's login: {answer.status}")


def _timely(request: Request, end: float, read: int = 0) -> Answer | Gone | Retry:
    if time.monotonic() >= end:
        return Retry("CrowdSec takes too long")
    return http.ask(replace(request, seconds=REQUEST_SECONDS), private=True, read=read)
