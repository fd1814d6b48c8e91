"""What the docs ask in SQL runs; in docs/sql.md as an analyst, and finds something. Every view is told of there."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from consumers.store import people, populations, roles
from consumers.store.outbox import Delivered, claim_deliveries, settle
from consumers.store.people import Entry, Order, Said
from detector.decision import Action, Scope
from detector.standing import Standing
from tests.gamekeeper.test_docs import DOCS
from tests.store.given import CHANNELS, population, saved, snapshot, verdict

DOC = (Path(__file__).parents[2] / "docs" / "sql.md").read_text(encoding="utf-8")
ASKED = re.findall(r"^(\d+)\. [^\n]+\n```sql\n(.+?)```", DOC, re.MULTILINE | re.DOTALL)
ELSEWHERE = re.compile(r"^(SELECT .+);$|`(SELECT [^`]+ FROM [^`]+)`|^gamekeeper sql '(.+)'$", re.MULTILINE)
SAID = Said("ann", "a test")


@pytest.fixture
def told(engine: Engine) -> Engine:
    """Return a database that has an answer to every question."""
    now = time.time_ns() // 1_000
    thief: dict[str, Any] = {"client": "key_7f3a", "leakage": 0.3}
    saved(
        engine,
        verdict(Standing.SUSPECTED, time=now - 2_000_000, **thief),
        verdict(Standing.CONFIRMED, 2, time=now, **thief),
        snapshots=[snapshot("key_7f3a", leakage=0.3)],
    )
    saved(engine, verdict(Standing.CONFIRMED, time=now, client="cold", shadow=True))
    for delivery in claim_deliveries(engine, 1, 30.0, ("topic",)):
        settle(engine, delivery.id, Delivered())
    people.label(engine, "key_7f3a", "*", "true-positive", SAID)
    people.allowlist_add(engine, Entry(Scope.CLIENT, "friend", "*"), SAID, CHANNELS)
    people.decide(engine, Order(Scope.TENANT, "acme", "*", Action.BLOCK, 60, "", "ann"), CHANNELS)
    population(engine, "p1")
    populations.use(engine, "digits", "p1", "ann")
    return engine


def test_twenty_questions_have_answers(told: Engine) -> None:
    """Each finds a row where there is something to find."""
    assert [int(number) for number, _ in ASKED] == list(range(1, 21))
    with told.connect() as connection:
        connection.execute(text("SET LOCAL ROLE gamekeeper_analyst"))
        for number, question in ASKED:
            assert connection.execute(text(question)).all(), number


def test_questions_elsewhere_run(told: Engine) -> None:
    """In lines of a fence, in spans, and as `gamekeeper sql` is given them: as the owner, who may look into tables."""
    texts = [file.read_text(encoding="utf-8") for file in DOCS if file.name != "sql.md"]
    asked = ["".join(found) for each in texts for found in ELSEWHERE.findall(each)]
    assert len(asked) > 2
    with told.connect() as connection:
        for question in asked:
            connection.execute(text(question)).all()


def test_every_view_is_told_of_and_has_a_version(engine: Engine) -> None:
    """The table of views in the docs has them all, and each says its version first."""
    assert set(re.findall(r"^\| `(\w+)` \|", DOC.split("## Twenty")[0], re.MULTILINE)) == set(roles.VIEWS)
    with engine.connect() as connection:
        for view in roles.VIEWS:
            said = connection.execute(text("SELECT obj_description(to_regclass(:view))"), {"view": view}).scalar_one()
            assert said.startswith("v1. "), view
