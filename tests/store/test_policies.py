"""Policy versions: which one is wanted, how it comes into force, and the way back."""

import pytest
from sqlalchemy import Engine, text

from consumers.store import policies
from consumers.store.facts import Missing
from consumers.store.people import Said
from detector.policy import BadPolicy, Policy
from tests.store.given import one, rows, saved

SAID = Said("ann", "a test")
MILD = Policy(alpha=0.01)
STRICT = Policy(alpha=0.0001)


def test_the_latest_word_holds(engine: Engine) -> None:
    """A start asks for its file's policy; what is applied later holds over restarts, until that file changes."""
    assert policies.wanted(engine) is None
    policies.introduce(engine, Policy())
    assert policies.wanted(engine) == Policy().version
    policies.apply(engine, MILD, SAID)
    policies.introduce(engine, Policy())
    assert policies.wanted(engine) == MILD.version
    policies.introduce(engine, STRICT)
    assert policies.wanted(engine) == STRICT.version


def test_one_command_goes_back(engine: Engine) -> None:
    """Back to the one before, or to any that was ever here; each is noted."""
    policies.introduce(engine, Policy())
    policies.apply(engine, MILD, SAID)
    assert policies.rollback(engine, SAID).policy == Policy().version
    assert policies.rollback(engine, SAID, MILD.version).policy == MILD.version
    assert [one.who for one in policies.history(engine)] == ["ann", "ann", "ann", policies.START]
    assert rows(engine, "SELECT who, what, why FROM audit_log ORDER BY id") == [
        ("ann", "policy-apply", "a test"),
        ("ann", "policy-rollback", "a test"),
        ("ann", "policy-rollback", "a test"),
    ]


def test_there_may_be_no_way_back(engine: Engine) -> None:
    """Without an earlier policy, or with an unknown one, nothing changes."""
    with pytest.raises(Missing, match="no policy before"):
        policies.rollback(engine, SAID)
    with pytest.raises(Missing, match="not in the database"):
        policies.rollback(engine, SAID, "beef")


def test_windows_keep_their_length(engine: Engine) -> None:
    """The ceilings were learnt with it, so it does not change under a running detector."""
    policies.introduce(engine, Policy())
    with pytest.raises(BadPolicy, match="window is 16 here"):
        policies.apply(engine, Policy(window=32), SAID)
    assert policies.wanted(engine) == Policy().version


def test_a_checkpoint_records_it(engine: Engine) -> None:
    """From the checkpoint's next offset on the new policy is in force, and a new owner is told so."""
    saved(engine, turned=MILD)
    assert policies.in_force(engine) == {"predictions/0": MILD.version}
    assert rows(engine, "SELECT from_offset, policy FROM policies_in_force") == [(10, MILD.version)]
    assert saved(engine, policy=MILD).policy == MILD.version


def test_an_older_program_s_policy_is_read(engine: Engine) -> None:
    """A member that did not exist then has its default; one that does not exist here is said."""
    put = text("INSERT INTO policies (version, content) VALUES (:version, :content)")
    with engine.begin() as connection:
        connection.execute(put, {"version": "old", "content": '{"alpha":0.01}'})
        connection.execute(put, {"version": "new", "content": '{"beta":1}'})
    assert policies.get(engine, "old") == MILD
    with pytest.raises(BadPolicy, match="beta"):
        policies.get(engine, "new")
    assert one(engine, "SELECT count(*) FROM policy_changes") == 0
