"""The circuit breaker: how many the detector may newly block, whoever writes, and what happens beyond."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine

from consumers.store import breaker, people, proposals
from consumers.store.checkpoint import claim, save
from consumers.store.facts import Checkpoint, Missing, Place
from consumers.store.people import Order, Said
from detector.decision import Action, Scope
from detector.policy import Breaker, Policy
from detector.standing import Standing
from detector.verdict import Verdict
from tests.store.given import CHANNELS, count, one, rows, saved, snapshot, verdict

SAID = Said("ann", "looked at it")
ENFORCED = "SELECT count(*) FROM active_decisions WHERE action = 'block' AND NOT shadow"
ALERTS = """
    SELECT payload::json ->> 'type', payload::json #>> '{data,severity}' FROM deliveries
    WHERE kind = 'alert' AND payload::json ->> 'type' LIKE 'breaker.%' ORDER BY id
"""
PAGES = "SELECT payload FROM deliveries WHERE kind = 'alert' AND payload::json ->> 'type' = 'breaker.opened'"


def block(client: str, **other: Any) -> Verdict:
    """Return a verdict that calls for a block."""
    return verdict(Standing.CONFIRMED, client=client, **other)


def crowd(engine: Engine, size: int, queries: int = 1_000) -> None:
    """Let ordinary clients have asked lately."""
    saved(engine, snapshots=[snapshot(f"ordinary-{number}", queries=queries) for number in range(size)])


def test_few_blocks_never_open_it(engine: Engine) -> None:
    """Four blocks, however few clients there are, are enforced, and nothing is counted but they."""
    saved(engine, *(block(f"thief-{number}") for number in range(4)))
    assert one(engine, ENFORCED) == 4
    assert count(engine, "trips") == 0


def test_too_large_a_share_opens_it(engine: Engine) -> None:
    """The fifth of a hundred clients is more than two percent: it and all after it are in shadow, and a page goes out.

    What was blocked before stays blocked; a second checkpoint pages nobody again.
    """
    crowd(engine, 100)
    saved(engine, *(block(f"thief-{number}") for number in range(4)))
    saved(engine, block("thief-4"))
    saved(engine, block("thief-5"), verdict(Standing.SUSPECTED, client="slow"))
    assert one(engine, ENFORCED) == 4
    assert rows(engine, "SELECT DISTINCT shadow FROM decisions WHERE value IN ('thief-4', 'thief-5', 'slow')") == [
        (True,)
    ]
    assert rows(engine, ALERTS) == [("breaker.opened", "critical")]
    [trip] = breaker.show(engine)
    assert (trip.model, trip.blocked, trip.clients, trip.closed) == ("digits", 5, 105, None)
    assert {one.client for one in proposals.waiting(engine)} == {"thief-4", "thief-5"}


def test_a_small_share_does_not(engine: Engine) -> None:
    """Five of three hundred clients, who asked as much as others, are blocked."""
    crowd(engine, 300)
    saved(engine, *(block(f"thief-{number}") for number in range(5)))
    assert one(engine, ENFORCED) == 5
    assert count(engine, "trips") == 0


def test_too_much_traffic_opens_it(engine: Engine) -> None:
    """Five of a thousand clients who ask most of what is asked are not blocked by themselves."""
    crowd(engine, 1_000, queries=1)
    thieves = [f"thief-{number}" for number in range(5)]
    saved(engine, *map(block, thieves), snapshots=[snapshot(client, queries=5_000) for client in thieves])
    saved(engine, block("thief-5"))
    assert one(engine, "SELECT count(*) FROM trips") == 1


def test_one_checkpoint_is_counted_as_a_whole(engine: Engine) -> None:
    """Nobody of fifty new blocks in one checkpoint slips through before it opens."""
    crowd(engine, 100)
    saved(engine, *(block(f"thief-{number}") for number in range(50)))
    assert one(engine, ENFORCED) == 0
    assert len(proposals.waiting(engine)) == 50


def test_the_count_is_of_the_whole_model(engine: Engine) -> None:
    """However eight workers write at the same time, at most four of a hundred are blocked; one page goes out."""
    crowd(engine, 100)

    def work(number: int) -> None:
        place = Place("group", "predictions", "life-1", number + 1)
        save(engine, claim(engine, place), Checkpoint(next=1, verdicts=[block(f"thief-{number}")], channels=CHANNELS))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    assert one(engine, ENFORCED) == 4
    assert count(engine, "trips") == 1
    assert len(rows(engine, ALERTS)) == 1


def test_each_model_has_its_own(engine: Engine) -> None:
    """An open breaker keeps nothing back at another model."""
    saved(engine, *(block(f"thief-{number}") for number in range(5)))
    saved(engine, block("thief-0", model="letters"))
    assert rows(engine, "SELECT model, shadow FROM decisions WHERE value = 'thief-0' ORDER BY model") == [
        ("digits", True),
        ("letters", False),
    ]


def test_shadow_and_people_do_not_count(engine: Engine) -> None:
    """Blocks in shadow and those of people are nothing that the detector does by itself."""
    saved(engine, *(block(f"cold-{number}", shadow=True) for number in range(20)))
    for number in range(20):
        people.decide(
            engine, Order(Scope.CLIENT, f"bad-{number}", "digits", Action.BLOCK, 60, "caught", "ann"), CHANNELS
        )
    saved(engine, block("thief"))
    assert one(engine, "SELECT shadow FROM decisions WHERE value = 'thief'") is False
    assert count(engine, "trips") == 0


def test_what_is_in_force_is_not_ended(engine: Engine) -> None:
    """Somebody who is slowed down stays so: a block in shadow would have set it free."""
    saved(engine, verdict(Standing.SUSPECTED, client="thief-0"))
    saved(engine, *(block(f"thief-{number}", serial=2) for number in range(5)))
    assert rows(engine, "SELECT action, shadow FROM active_decisions WHERE value = 'thief-0'") == [("throttle", False)]


def test_people_act_and_expiry_ends_while_it_is_open(engine: Engine) -> None:
    """A person's block is enforced; the end of what was enforced before is not kept back."""
    saved(engine, verdict(Standing.SUSPECTED, client="slow"))
    saved(engine, *(block(f"thief-{number}") for number in range(5)))
    people.decide(engine, Order(Scope.CLIENT, "thief-0", "digits", Action.BLOCK, 60, "caught", "ann"), CHANNELS)
    saved(engine, verdict(Standing.CLEAR, 2, client="slow"))
    assert one(engine, ENFORCED) == 1
    assert rows(engine, "SELECT value FROM active_decisions WHERE value = 'slow'") == []


def test_a_person_closes_it(engine: Engine) -> None:
    """Closing is told and noted, once; the count begins anew; what was proposed waits on."""
    crowd(engine, 100)
    saved(engine, *(block(f"thief-{number}") for number in range(5)))
    trip = breaker.close(engine, "digits", SAID, CHANNELS)
    assert (trip.who, trip.why) == ("ann", "looked at it")
    assert rows(engine, ALERTS) == [("breaker.opened", "critical"), ("breaker.closed", "critical")]
    assert rows(engine, "SELECT who, what, target, why FROM audit_log") == [
        ("ann", "breaker-close", "model digits", "looked at it")
    ]
    with pytest.raises(Missing, match="is not open"):
        breaker.close(engine, "digits", SAID, CHANNELS)
    saved(engine, *(block(f"later-{number}") for number in range(4)))
    assert one(engine, ENFORCED) == 4
    assert len(proposals.waiting(engine)) == 5


def test_the_policy_sets_the_limits(engine: Engine) -> None:
    """With shares of one it never opens."""
    policy = Policy(breaker=Breaker(clients=1.0, traffic=1.0))
    saved(engine, *(block(f"thief-{number}") for number in range(30)), policy=policy)
    assert one(engine, ENFORCED) == 30


def test_the_page_says_what_to_do(engine: Engine) -> None:
    """The alert names the model and the figures; it has no client."""
    saved(engine, *(block(f"thief-{number}") for number in range(5)))
    [body] = [json.loads(payload) for (payload,) in rows(engine, PAGES)]
    assert (body["data"]["client"], body["data"]["model"]) == ("*", "digits")
    assert body["data"]["reason"].startswith("5 of 5 clients, with 0.0% of the queries, would be newly blocked")
