"""Facts for the tests of the store, small and complete."""

from typing import Any

from sqlalchemy import Engine, func, select, table, text

from consumers.store.checkpoint import claim, save
from consumers.store.facts import Channels, Checkpoint, Claim, Place
from detector.decision import Action
from detector.evidence import Example, Reading
from detector.names import Name
from detector.standing import Cause, Standing
from detector.verdict import Snapshot, Verdict

PLACE = Place("group", "predictions", "life-1", 0)
CHANNELS = Channels(decisions=("topic", "push:edge"), alerts=("webhook:security",))
NOON = 1_795_521_600_000_000  # µs: 2026-11-24 12:00 UTC
EXAMPLE = Example((Name(17, NOON, 3, "a" * 32), Name(12, NOON - 5, None, "b" * 32)), "query 17 lies beside query 12")
ACTIONS = {
    Standing.CLEAR: Action.ALLOW,
    Standing.WATCHED: Action.ALLOW,
    Standing.SUSPECTED: Action.THROTTLE,
    Standing.CONFIRMED: Action.BLOCK,
}


def verdict(standing: Standing, serial: int = 1, **other: Any) -> Verdict:
    """Return a verdict on the client "thief"."""
    facts: dict[str, Any] = {
        "client": "thief",
        "tenant": "acme",
        "model": "digits",
        "queries": 64 * serial,
        "time": NOON + serial,
        "standing": standing,
        "previous": Standing.CLEAR,
        "serial": serial,
        "episode": 1,
        "cause": Cause.EVIDENCE,
        "action": ACTIONS[standing],
        "seconds": 3600,
        "shadow": False,
        "score": 0.25 * standing.rank + 0.1,
        "leakage": None,
        "evidence": (Reading("line", "boundary", 12.5, "31 label flips in 64 near pairs", (EXAMPLE,)),),
        "population": "p1",
        "policy": "c1",
        "place": serial,
        "row": 0,
        "reason": "31 label flips in 64 near pairs",
    }
    return Verdict(**(facts | other))


def snapshot(client: str = "thief", **other: Any) -> Snapshot:
    """Return a snapshot with bytes that no text could hold."""
    facts: dict[str, Any] = {
        "client": client,
        "tenant": None,
        "model": "digits",
        "standing": Standing.CLEAR,
        "serial": 0,
        "episode": 0,
        "queries": 17,
        "expires": None,
        "score": 0.0,
        "leakage": None,
        "last": NOON,
        "population": "p1",
        "policy": "c1",
        "data": bytes(range(256)),
    }
    return Snapshot(**(facts | other))


def saved(engine: Engine, *verdicts: Verdict, **other: Any) -> Claim:
    """Claim the place and save one checkpoint with the verdicts and a snapshot of their client."""
    claimed = claim(engine, PLACE)
    clients = sorted({one.client for one in verdicts})
    facts: dict[str, Any] = {
        "next": (claimed.next or 0) + 10,
        "verdicts": verdicts,
        "snapshots": [snapshot(client) for client in clients],
        "channels": CHANNELS,
    }
    save(engine, claimed, Checkpoint(**(facts | other)))
    return claimed


def rows(engine: Engine, query: str, **bound: Any) -> list[tuple[Any, ...]]:
    """Return what a query finds."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), bound)]


def count(engine: Engine, name: str) -> int:
    """Return how many rows a table or view has."""
    with engine.connect() as connection:
        number: int = connection.execute(select(func.count()).select_from(table(name))).scalar_one()
        return number


def one(engine: Engine, query: str, **bound: Any) -> Any:
    """Return the one value that a query finds."""
    [[value]] = rows(engine, query, **bound)
    return value


def population(engine: Engine, version: str) -> None:
    """Put a population of the model "digits" there, without content."""
    with engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO populations (version, model, clients, known, queries, cold, since, until, data, who)
                VALUES (:version, 'digits', 1, 1, 1, true, now(), now(), '', 'test')
            """),
            {"version": version},
        )
