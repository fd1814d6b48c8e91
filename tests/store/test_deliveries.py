"""The outbox as people see it, and what they have sent again."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from consumers.store import deliveries, people
from consumers.store.deliveries import Wanted, counts, listed, resend, resend_given_up
from consumers.store.facts import Missing
from consumers.store.outbox import Delivered, GivenUp, Retry, claim_deliveries, settle
from consumers.store.people import Order, Said
from detector.decision import Action, Scope
from detector.standing import Standing
from tests.store.given import CHANNELS, one, rows, saved, verdict

SAID = Said("ann", "the endpoint is back")
LEASE = 30.0
PUSH, HOOK = "push:edge", "webhook:security"


def decide(engine: Engine, value: str, action: Action = Action.BLOCK) -> None:
    """Take a decision: one delivery to the topic, one to the push channel."""
    people.decide(engine, Order(Scope.CLIENT, value, "*", action, 60, "", "ann"), CHANNELS)


def give_up(engine: Engine, channel: str = PUSH) -> list[int]:
    """Give up everything that a channel may be sent now."""
    claimed = claim_deliveries(engine, 2_000, LEASE, (channel,))
    for delivery in claimed:
        settle(engine, delivery.id, GivenUp("410"))
    return [delivery.id for delivery in claimed]


def test_listed_by_channel_outcome_and_age(engine: Engine) -> None:
    """Each filter alone and together, the newest first, at most so many; nothing of what is said."""
    for value in ("a", "b"):
        decide(engine, value)
    first, second, third, fourth = claim_deliveries(engine, 10, LEASE)
    settle(engine, first.id, Delivered())
    settle(engine, second.id, GivenUp("410"))
    settle(engine, third.id, Retry(3600, "500"))
    told = {line.id: (line.channel, line.outcome, line.why) for line in listed(engine, Wanted())}
    assert list(told) == [4, 3, 2, 1]
    assert told[1] == ("topic", "delivered", None)
    assert told[2] == (PUSH, "given-up", "410")
    assert told[3] == ("topic", "waiting", "500")
    assert [line.id for line in listed(engine, Wanted(channel=PUSH))] == [4, 2]
    assert [line.id for line in listed(engine, Wanted(outcome="waiting"))] == [4, 3]
    assert [line.id for line in listed(engine, Wanted(PUSH, "given-up", limit=1))] == [2]
    assert listed(engine, Wanted(since=datetime.now(UTC) + timedelta(hours=1))) == []
    assert {line.message for line in listed(engine, Wanted())} == {first.message, third.message}
    assert first.message == second.message
    assert fourth.message == third.message
    assert counts(engine) == {("topic", "waiting"): 1, (PUSH, "waiting"): 1, (PUSH, "given-up"): 1}


def test_sent_again_from_the_first_try_and_in_order(engine: Engine) -> None:
    """The same alert under the same id; of one client the older goes first, before what came later; it is audited."""
    gone = []
    for serial, standing in enumerate((Standing.SUSPECTED, Standing.CONFIRMED), start=1):
        saved(engine, verdict(standing, serial))
        gone += give_up(engine, HOOK)
    names = [line.message for line in reversed(listed(engine, Wanted(HOOK)))]
    assert resend(engine, gone[::-1], SAID) == gone
    sent = []
    while claimed := claim_deliveries(engine, 10, LEASE, (HOOK,)):
        assert [delivery.attempts for delivery in claimed] == [1]
        settle(engine, claimed[0].id, Delivered())
        sent.append(claimed[0].message)
    assert sent == names
    assert rows(engine, "SELECT who, why, details FROM audit_log WHERE what = 'deliveries-resend'") == [
        ("ann", "the endpoint is back", {"deliveries": gone})
    ]


def test_a_decision_that_was_replaced_stays_given_up(engine: Engine) -> None:
    """A gateway that has forgotten the newer decision would take the older one for the newest."""
    for action in (Action.BLOCK, Action.ALLOW):
        decide(engine, "a", action)
    [block], [lift] = give_up(engine), give_up(engine)
    with pytest.raises(Missing, match="newer decision"):
        resend(engine, [block], SAID)
    assert resend_given_up(engine, PUSH, SAID) == [lift]


def test_only_what_was_given_up_is_sent_again(engine: Engine) -> None:
    """A delivery that waits, arrived or does not exist is named, and then nothing is sent again."""
    decide(engine, "a")
    gone = give_up(engine)
    for wrong in (1, 77):
        with pytest.raises(Missing, match=f"delivery {wrong} "):
            resend(engine, [*gone, wrong], SAID)
    assert one(engine, "SELECT outcome FROM deliveries WHERE id = :id", id=gone[0]) == "given-up"
    assert one(engine, "SELECT count(*) FROM audit_log WHERE what = 'deliveries-resend'") == 0


def test_a_whole_channel_is_sent_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, all of the channel and nothing of another, in transactions of bounded size."""
    monkeypatch.setattr(deliveries, "RESENT_AT_ONCE", 2)
    for number in range(5):
        decide(engine, f"client-{number}")
    gone = give_up(engine)
    assert resend_given_up(engine, "webhook:none", SAID) == []
    assert resend_given_up(engine, PUSH, SAID) == gone
    assert resend_given_up(engine, PUSH, SAID) == []
    assert counts(engine) == {("topic", "waiting"): 5, (PUSH, "waiting"): 5}
    assert one(engine, "SELECT count(*) FROM audit_log WHERE what = 'deliveries-resend'") == 3
