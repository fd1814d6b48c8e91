"""Gateway: CPU time that the guard adds to a request, in process, beside the same app without it.

The app answers from a table instead of asking a model, and reads its body as the reference app does; what differs
between two rows is what stands in front of it. The log's queue is on, Kafka is not: encoding and sending are another
thread's work, and the second figure counts it.
"""

import argparse
import asyncio
import time
import timeit
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import numpy as np

from detector.decision import Action, Decision, Key, Origin, Scope
from detector.records import hashed
from gateway.access import Access, KeyRing, read_entry
from gateway.grant import Grant
from gateway.guard import Guard, Rules
from gateway.kafka import Writer
from gateway.middleware import STATE, Middleware
from gateway.policy import Policy, parse
from gateway.querylog import Answer, QueryLog, encode
from gateway.settings import LogBounds
from gateway.table import Asker, DecisionTable

App = Callable[[Any, Any, Any], Awaitable[None]]
KEY = "a key of the benchmark"
PATH = "/v1/models/digits:predict"
FAR = 4_000_000_000_000_000  # µs since 1970: 2096
DECISIONS = 100_000  # in the table
LOOK_UPS = 100_000  # of a round
ROUNDS = 5  # the least of them counts: the machine's other work only ever adds
WIDE = "{rate = 1e8, burst = 1_000_000_000}"  # never reached, and counted all the same
DEFAULT = f"[defaults.limits]\nclient = {WIDE}\n"
FIVE = "[defaults.limits]\n" + "\n".join(f"{scope} = {WIDE}" for scope in ("client", "key", "tenant", "ip", "model"))
NOISE = DEFAULT + "[defaults.always]\noutputs = [{name = 'gaussian_noise'}]"
POLICIES = {
    "access, table, log": ("[defaults.limits]\nclient = 'off'", Action.ALLOW),
    "and the default limit": (DEFAULT, Action.ALLOW),
    "and all five limits": (FIVE, Action.ALLOW),
    "default, perturbed": (DEFAULT, Action.PERTURB),
    "default, throttled": (DEFAULT + f"[defaults.throttle]\nlimit = {WIDE}", Action.THROTTLE),
    "keyed noise for all": (NOISE, Action.ALLOW),
}


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--requests", type=int, default=3_000, metavar="N", help="in each of 5 rounds")
    parser.add_argument("--rows", type=int, default=1, metavar="N", help="of a request")
    parser.add_argument("--numbers", type=int, default=64, metavar="N", help="of an input")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure the bare app and each policy."""
    rng = np.random.default_rng(0)
    inputs = rng.random((chosen.rows, chosen.numbers), dtype=np.float32)
    answers = rng.dirichlet(np.ones(10), chosen.rows).astype(np.float32)
    body = msgspec.json.encode({"instances": inputs.tolist()})
    own = _own(answers)
    bare = _least(own, body, chosen.requests)
    rows: list[dict[str, Any]] = [{"what": "bare app", "µs": bare, "µs more": 0.0, "µs of the log's thread": 0.0}]
    for name, (text, action) in POLICIES.items():
        guard = _guard(parse(text), action)
        guarded = _least(Middleware(own, guard), body, chosen.requests)
        log = _logging(guard) if guard.log.writer else 0.0
        rows.append({"what": name, "µs": guarded, "µs more": guarded - bare, "µs of the log's thread": log})
    for asker, what in (("nobody-knows", "look-up of an unknown client"), ("client-7", "of a client with a decision")):
        rows.append(
            {"what": f"the table alone: {what}", "µs": _look_up(asker), "µs more": "", "µs of the log's thread": ""}
        )
    note = f"CPU time of a request of {chosen.rows} rows of {chosen.numbers} numbers, least of {ROUNDS} rounds"
    return {"rows": rows, "note": note}


def _guard(policy: Policy, action: Action) -> Guard:
    key = {"v": 1, "hash": hashed(KEY), "client": "alice", "tenant": "acme"}
    ring = KeyRing([read_entry(msgspec.json.encode(key))])
    writer = Writer("127.0.0.1:1", 1)  # never connected: the thread that would is not started
    log = QueryLog(writer, bounds=LogBounds(rows=1_000))
    guard = Guard(Access(ring), DecisionTable(), log, Rules({PATH: "digits"}.get), policy, secret=b"s" * 32)
    guard.table.apply(Decision(1, 1, Key(Scope.CLIENT, "alice", "*"), action, FAR, Origin.PERSON, "benchmark"))
    return guard


def _look_up(client: str) -> float:
    """Return the CPU time of one look-up in a table of many decisions, in µs."""
    table, asker = DecisionTable(), Asker(client, "acme", "203.0.113.7", "key")
    for number in range(DECISIONS):
        key = Key(Scope.CLIENT, f"client-{number}", "*")
        table.apply(Decision(number, 1, key, Action.BLOCK, FAR, Origin.DETECTOR, "benchmark"))
    times = timeit.repeat(lambda: table.find(asker, "digits", 0), time.process_time, repeat=ROUNDS, number=LOOK_UPS)
    return 1e6 * min(times) / LOOK_UPS


def _own(answers: np.ndarray[Any, np.dtype[np.float32]]) -> App:
    """Return an app that reads its body and answers from a table, through its Grant where there is one."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        inputs = np.asarray(msgspec.json.decode(message["body"])["instances"], dtype=np.float32)
        grant = scope["state"].get(STATE)
        told = answers
        if isinstance(grant, Grant):
            await grant.spend(len(inputs))
            told = grant.answer(inputs, answers)
        content = msgspec.json.encode({"predictions": told.tolist()})
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": content})

    return app


def _least(app: App, body: bytes, requests: int) -> float:
    return min(asyncio.run(_round(app, body, requests)) for _ in range(ROUNDS))


async def _round(app: App, body: bytes, requests: int) -> float:
    """Return the CPU time of one request, in µs. Raises RuntimeError where one is not answered with 200."""
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    started = time.process_time()
    for _ in range(requests):
        await app(_scope(), receive, send)
    spent = time.process_time() - started
    if set(statuses) != {200}:
        raise RuntimeError(f"the app answered {sorted(set(statuses))}")
    return 1e6 * spent / requests


def _scope() -> dict[str, Any]:
    headers = [(b"host", b"gateway"), (b"content-type", b"application/json"), (b"x-api-key", KEY.encode())]
    return {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "headers": headers,
        "client": ("203.0.113.7", 1),
        "state": {},
    }


def _logging(guard: Guard) -> float:
    """Return the CPU time in which the log's own thread encodes one request's records, in µs."""
    waiting: list[Answer] = list(guard.log._queue)  # noqa: SLF001  # what its thread would take
    started = time.process_time()
    for answer in waiting:
        for _ in encode(answer):
            pass
    return 1e6 * (time.process_time() - started) / len(waiting)
