"""Approval: blocks are proposed, and a person has the last word."""

import uuid

import pytest
from sqlalchemy import Engine

from consumers.store import people, proposals
from consumers.store.facts import Missing
from consumers.store.people import Entry, Exempt, Said
from consumers.store.proposals import Over
from detector.decision import Scope
from detector.policy import Approval, Policy
from detector.standing import Standing
from tests.store.given import CHANNELS, count, one, rows, saved, verdict

SAID = Said("ann", "it is one")
ASKING = Policy(approval=Approval(blocks=True))
ACTIVE = "SELECT action, shadow, origin FROM active_decisions WHERE value = 'thief' AND model = 'digits'"


def propose(engine: Engine, policy: Policy = ASKING) -> proposals.Proposal:
    """Let the detector confirm a thief under a policy that asks first."""
    saved(engine, verdict(Standing.CONFIRMED), policy=policy)
    [proposal] = proposals.waiting(engine)
    return proposal


@pytest.mark.parametrize(
    ("meanwhile", "holds"),
    [("throttle", ("throttle", False, "detector")), ("shadow", ("block", True, "detector"))],
)
def test_until_then_the_policy_says(engine: Engine, meanwhile: str, holds: tuple[str, bool, str]) -> None:
    """Nobody is blocked; what holds meanwhile is the policy's; the alert says that a block waits."""
    policy = Policy(approval=Approval(blocks=True, meanwhile=meanwhile))  # type: ignore[arg-type]  # of the parameters
    proposal = propose(engine, policy)
    assert rows(engine, ACTIVE) == [holds]
    body = "SELECT payload::json #>> '{data,proposal}' FROM deliveries WHERE kind = 'alert'"
    assert one(engine, body) == str(proposal.verdict)
    assert (proposal.cause, proposal.client, proposal.model) == ("approval", "thief", "digits")


def test_approving_blocks(engine: Engine) -> None:
    """The block is then a person's, until when the detector meant, owed to every channel, and noted."""
    proposal = propose(engine)
    made = proposals.approve(engine, proposal.verdict, SAID, CHANNELS)
    assert rows(engine, ACTIVE) == [("block", False, "person")]
    assert one(engine, "SELECT until FROM active_decisions WHERE action = 'block'") == proposal.until
    owed = one(engine, "SELECT count(*) FROM deliveries WHERE subject = :subject", subject=f"decision:{made.id}")
    assert owed == len(CHANNELS.decisions)
    assert rows(engine, "SELECT who, what, target, why FROM audit_log") == [
        ("ann", "approve", "client_id thief digits", "it is one")
    ]
    assert proposals.waiting(engine) == []


def test_it_is_decided_on_once(engine: Engine) -> None:
    """Whoever comes second is told, and nothing happens; what does not exist is said, too."""
    proposal = propose(engine)
    proposals.decline(engine, proposal.verdict, SAID)
    with pytest.raises(Over, match="was decided on"):
        proposals.approve(engine, proposal.verdict, SAID, CHANNELS)
    with pytest.raises(Over, match="was decided on"):
        proposals.decline(engine, proposal.verdict, SAID)
    with pytest.raises(Missing, match="there is none"):
        proposals.approve(engine, uuid.uuid4(), SAID, CHANNELS)
    assert rows(engine, ACTIVE) == [("throttle", False, "detector")]
    assert rows(engine, "SELECT what FROM audit_log") == [("decline",)]


def test_something_newer_ends_it(engine: Engine) -> None:
    """After a lift the old proposal can no longer block."""
    proposal = propose(engine)
    people.lift(engine, Scope.CLIENT, "thief", "*", SAID, CHANNELS)
    with pytest.raises(Over, match="something newer was decided"):
        proposals.approve(engine, proposal.verdict, SAID, CHANNELS)
    assert rows(engine, ACTIVE) == []
    assert proposals.waiting(engine) == []
    assert one(engine, "SELECT count(*) FROM proposals WHERE outcome IS NULL") == 1  # taken back with the rest


def test_the_allowlist_wins(engine: Engine) -> None:
    """Whoever came to the allowlist meanwhile cannot be blocked by an old proposal."""
    proposal = propose(engine)
    people.allowlist_add(engine, Entry(Scope.CLIENT, "thief", "*"), SAID, CHANNELS)
    with pytest.raises((Exempt, Over)):
        proposals.approve(engine, proposal.verdict, SAID, CHANNELS)
    assert one(engine, "SELECT count(*) FROM active_decisions WHERE action <> 'allow'") == 0


def test_milder_steps_need_nobody(engine: Engine) -> None:
    """A suspected client is slowed down at once; in shadow nothing is proposed."""
    saved(engine, verdict(Standing.SUSPECTED), policy=ASKING)
    saved(engine, verdict(Standing.CONFIRMED, client="cold", shadow=True), policy=ASKING)
    assert rows(engine, ACTIVE) == [("throttle", False, "detector")]
    assert count(engine, "proposals") == 0
