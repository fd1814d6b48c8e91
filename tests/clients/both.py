"""The decision API and CrowdSec's own, given the same decisions and asked the same."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from consumers.store import people
from detector.decision import ANY_MODEL, Action, Origin, Scope
from detector.standing import Standing
from tests.api.conftest import CHANNELS, SAID, Api
from tests.clients.conftest import BOUNCER, PASSWORD, Lapi
from tests.store.given import saved, verdict

SCOPES = {"client_id": Scope.CLIENT, "tenant": Scope.TENANT, "Ip": Scope.IP}
TYPES = {"ban": Action.BLOCK, "throttle": Action.THROTTLE, "perturb": Action.PERTURB}
SCENARIOS = {Origin.PERSON: "gamekeeper/person", Origin.DETECTOR: "gamekeeper/model-extraction"}
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True)
class Both:
    """Who asks ours, who asks theirs, and who tells theirs."""

    api: Api
    ours: httpx.Client
    theirs: httpx.Client
    machine: httpx.Client

    def decide(self, scope: str, value: str, kind: str, origin: Origin = Origin.PERSON, seconds: int = 3600) -> None:
        """Let both have a decision; it takes the place of an older one of its origin on that value."""
        if origin is Origin.PERSON:
            self.api.decide(value, TYPES[kind], scope=SCOPES[scope], seconds=seconds)
        else:
            saved(self.api.engine, verdict(Standing.CONFIRMED, client=value, action=TYPES[kind], seconds=seconds))
        self._end(scope, value, origin)
        self.machine.post("/v1/alerts", json=[_alert(scope, value, kind, origin, seconds)]).raise_for_status()

    def lift(self, scope: str, value: str) -> None:
        """End what holds on a value."""
        people.lift(self.api.engine, SCOPES[scope], value, ANY_MODEL, SAID, CHANNELS)
        for origin in SCENARIOS:
            self._end(scope, value, origin)

    def ask(self, method: str, path: str, **other: Any) -> tuple[Any, Any]:
        """Return what ours says and what theirs says, without what may differ from run to run."""
        return said(self.ours.request(method, path, **other)), said(self.theirs.request(method, path, **other))

    def _end(self, scope: str, value: str, origin: Origin) -> None:
        which = {"scopes": scope, "value": value, "origin": origin.value}
        self.machine.delete("/v1/decisions", params=which).raise_for_status()


def both(api: Api, lapi: Lapi) -> Both:
    """Return the two, with nothing decided."""
    login = {"machine_id": "gamekeeper", "password": PASSWORD, "scenarios": []}
    token = httpx.post(f"{lapi.url}/v1/watchers/login", json=login).json()["token"]
    bouncer, machine = (
        api.closing.enter_context(httpx.Client(base_url=lapi.url, headers=headers))
        for headers in ({"X-Api-Key": BOUNCER}, {"Authorization": f"Bearer {token}"})
    )
    return Both(api, api.bouncer(), bouncer, machine)


def said(answer: httpx.Response) -> Any:
    """Return an answer's status, and its body where bouncers read it, in one order and with times in minutes."""
    if answer.status_code not in {200, 403} or not answer.content:
        return answer.status_code, None
    body = answer.json()
    if isinstance(body, dict) and "new" in body:
        return 200, _listed(body["new"], timed=True), _listed(body["deleted"], timed=False)
    return answer.status_code, _listed(body, timed=True) if isinstance(body, list) else body


def pulled(bouncer: httpx.Client, held: set[str]) -> set[str]:
    """Let a bouncer pull, and do to what it holds what it is told."""
    told = bouncer.get("/v1/decisions/stream", params={"scopes": "client_id,tenant,ip"}).json()
    held -= {_known(one) for one in told["deleted"] or ()}
    held |= {_known(one) for one in told["new"] or ()}
    return held


def _known(decision: dict[str, Any]) -> str:
    return f"{decision['value']} {decision['type']}"


def _listed(decisions: list[dict[str, Any]] | None, *, timed: bool) -> list[tuple[Any, ...]]:
    """Return decisions by what bouncers act on. Of what is over no bouncer reads how long ago it was."""
    names = ("scope", "value", "type", "origin", "scenario")
    return sorted(
        (*(one[name] for name in names), round(_seconds(one["duration"]) / 60) if timed else None)
        for one in decisions or ()
    )


def _seconds(duration: str) -> float:
    """Read a duration of Go's."""
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([\d.]+)([a-zµ]+)", duration))


def _alert(scope: str, value: str, kind: str, origin: Origin, seconds: int) -> dict[str, Any]:
    now, scenario = datetime.now(UTC).isoformat(timespec="seconds"), SCENARIOS[origin]
    decision = {"origin": origin.value, "type": kind, "scope": scope, "value": value, "duration": f"{seconds}s"}
    return {
        "scenario": scenario,
        "scenario_hash": "",
        "scenario_version": "",
        "message": "a test",
        "events_count": 1,
        "start_at": now,
        "stop_at": now,
        "capacity": 0,
        "leakspeed": "0",
        "simulated": False,
        "events": [],
        "source": {"scope": scope, "value": value},
        "decisions": [{**decision, "scenario": scenario}],
    }
