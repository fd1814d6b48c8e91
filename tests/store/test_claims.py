"""Who owns a place: the epoch, the fence, and sessions that stand in the way."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from consumers.store.checkpoint import claim, save
from consumers.store.claims import hold
from consumers.store.engine import connect
from consumers.store.facts import Checkpoint, Claim, Fenced
from detector.policy import Policy
from detector.standing import Standing
from detector.wire import Unreadable
from tests.store.given import CHANNELS, PLACE, count, one, population, rows, saved, snapshot, verdict


def test_the_first_start_begins_at_the_beginning(engine: Engine) -> None:
    """A place that nobody ever owned has no offset, no population and no counts."""
    assert claim(engine, PLACE) == Claim(PLACE, 1, None, {}, None, 0, 0, 0)


def test_a_new_owner_goes_on_where_the_old_one_saved(engine: Engine) -> None:
    """Offset, counts, policy and a higher epoch."""
    first = claim(engine, PLACE)
    unreadable = [Unreadable(3, None, "not JSON", b"{"), Unreadable(4, 2, "time: no offset", b"")]
    save(engine, first, Checkpoint(next=50, scored=40, counted=8, unreadable=unreadable, policy=Policy()))
    assert claim(engine, PLACE) == Claim(PLACE, 2, 50, {}, Policy().version, 40, 8, 2, reached=50)
    kept = rows(engine, "SELECT record_offset, record_row, reason FROM unreadable ORDER BY 1")
    assert kept == [(3, -1, "not JSON"), (4, 2, "time: no offset")]


def test_an_older_owner_writes_nothing(engine: Engine) -> None:
    """A checkpoint under an older epoch is refused whole: verdict, decision, snapshot, offset."""
    old = claim(engine, PLACE)
    claim(engine, PLACE)
    stale = Checkpoint(next=9, verdicts=[verdict(Standing.CONFIRMED)], snapshots=[snapshot()], channels=CHANNELS)
    with pytest.raises(Fenced):
        save(engine, old, stale)
    for table in ("verdicts", "evidence", "decisions", "decision_heads", "deliveries", "episodes", "snapshots"):
        assert count(engine, table) == 0
    assert one(engine, "SELECT next FROM offsets") is None


def test_of_two_claims_at_once_one_wins(engine: Engine) -> None:
    """However they interleave, of all who think they own the place exactly one can save."""
    with ThreadPoolExecutor(4) as pool:
        claims = [one for one in pool.map(lambda _: _tried(engine), range(4)) if one is not None]
    assert len({one.epoch for one in claims}) == len(claims)
    winners = 0
    for claimed in claims:
        try:
            save(engine, claimed, Checkpoint(next=1))
            winners += 1
        except Fenced:
            pass
    assert winners == 1


def test_a_sleeper_inside_its_transaction_is_ended(engine: Engine, database: str) -> None:
    """A new owner neither waits for a session that sleeps inside a save, nor lets it write when it wakes."""
    saved(engine, verdict(Standing.SUSPECTED))
    sleeper = connect(database, name="sleeper")
    with sleeper.connect() as connection:
        hold(connection, PLACE)
        connection.execute(text("SELECT * FROM offsets FOR UPDATE"))
        connection.execute(text("SELECT * FROM decision_heads FOR UPDATE"))
        fresh = claim(engine, PLACE)
        save(engine, fresh, Checkpoint(next=99, verdicts=[verdict(Standing.CONFIRMED, 2)], channels=CHANNELS))
        with pytest.raises(SQLAlchemyError):
            connection.execute(text("UPDATE offsets SET next = 1"))
    assert one(engine, "SELECT next FROM offsets") == 99
    sleeper.dispose()


def test_other_places_keep_their_sessions(engine: Engine, database: str) -> None:
    """Claiming one partition ends no session that is inside a save of another."""
    other = connect(database, name="other")
    with other.begin() as connection:
        hold(connection, replace(PLACE, partition=1))
        claim(engine, PLACE)
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    other.dispose()


def test_a_topic_made_anew_is_read_from_its_beginning(engine: Engine) -> None:
    """A new life of a topic starts over in offsets, fences the old life's owner, and keeps the population."""
    old = claim(engine, PLACE)
    population(engine, "p1")
    save(engine, old, Checkpoint(next=70, scored=70, adopted=["p1"]))
    fresh = claim(engine, replace(PLACE, topic_id="life-2"))
    assert (fresh.next, fresh.scored, fresh.populations) == (None, 0, {"digits": "p1"})
    with pytest.raises(Fenced):
        save(engine, old, Checkpoint(next=71))
    save(engine, fresh, Checkpoint(next=5, scored=5))
    assert one(engine, "SELECT sum(scored) FROM offsets") == 75


def test_a_claim_goes_back_to_where_snapshots_were_complete(engine: Engine) -> None:
    """Checkpoints without snapshots are derived again by the next owner, and their counts not counted twice."""
    first = claim(engine, PLACE)
    save(engine, first, Checkpoint(next=10, scored=10, snapshots=[snapshot()]))
    save(engine, first, Checkpoint(next=20, scored=9, counted=1, snapshotted=False))
    assert rows(engine, "SELECT next, scored, counted FROM offsets") == [(20, 19, 1)]
    second = claim(engine, PLACE)
    assert (second.next, second.scored, second.counted) == (10, 10, 0)


def test_what_cannot_be_derived_again_needs_snapshots() -> None:
    """Feedback, a population or a gap in a checkpoint without snapshots is refused before anything is written."""
    for what in ({"heard": [1]}, {"adopted": ["p1"]}, {"gap": (1, 2)}):
        with pytest.raises(ValueError, match="snapshots"):
            Checkpoint(next=1, snapshotted=False, **what)


def test_a_gap_is_kept_and_counted(engine: Engine) -> None:
    """Records that were gone before they were read leave their range and a count."""
    claimed = claim(engine, PLACE)
    save(engine, claimed, Checkpoint(next=30, gap=(10, 25)))
    assert rows(engine, "SELECT first_lost, read_again FROM gaps") == [(10, 25)]
    assert one(engine, "SELECT lost FROM offsets") == 15


def _tried(engine: Engine) -> Claim | None:
    try:
        return claim(engine, PLACE)
    except SQLAlchemyError:
        return None  # another claim ended this one: the way on is to claim again
