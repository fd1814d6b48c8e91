"""Retention: what is old goes, and never what still acts."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from consumers.store import chores, people, retention
from consumers.store.people import Order
from detector.decision import Action, Scope
from detector.standing import Standing
from tests.store.given import CHANNELS, count, rows, saved, verdict

DAY = date(2031, 5, 7)
NOON = datetime(2031, 5, 7, 12, tzinfo=UTC)
MICROS = int(NOON.timestamp()) * 1_000_000
LATER = NOON + timedelta(days=400)


@pytest.fixture
def year(engine: Engine) -> Engine:
    """Return a database with one client's closed episode of long ago, on a day of its own."""
    chores.partitions_ahead(engine, 0, DAY)
    saved(engine, verdict(Standing.CONFIRMED, time=MICROS), verdict(Standing.CLEAR, 2, time=MICROS + 1))
    run(engine, "UPDATE decision_heads SET until = now() - interval '1 hour'")
    return engine


def run(engine: Engine, statement: str) -> None:
    """Change what the tests cannot wait for."""
    with engine.begin() as connection:
        connection.execute(text(statement))


def gone(engine: Engine, now: datetime = LATER) -> dict[str, tuple[int, int]]:
    """Retain, and return rows and partitions gone by table."""
    return {one.table: (one.rows, one.partitions) for one in retention.retain(engine, {}, now) if one.rows}


def days(engine: Engine) -> set[str]:
    """Return the partitions of the tests' day that are there."""
    return {
        name
        for (name,) in rows(engine, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE '%_20310507'")
    }


def test_an_old_day_is_dropped_at_once(year: Engine) -> None:
    """The day's partitions go with their rows, and the episode, its decisions and its memory with them."""
    run(year, "UPDATE snapshots SET written = :now - interval '399 days'".replace(":now", f"'{LATER}'::timestamptz"))
    assert days(year) == {"verdicts_20310507", "evidence_20310507"}
    told = gone(year)
    assert told["verdicts"][0] == 2
    assert days(year) == set()
    assert [count(year, name) for name in ("verdicts", "evidence", "episodes", "snapshots", "standings")] == [0] * 5
    assert gone(year) == {}


def test_what_is_young_stays(year: Engine) -> None:
    """A day before its time nothing of it goes."""
    assert "verdicts" not in gone(year, NOON + timedelta(days=365))
    assert count(year, "verdicts") == 2


def test_an_open_episode_is_kept(engine: Engine) -> None:
    """Its day is dropped, its verdicts and evidence live on in the default partitions, until it is over."""
    chores.partitions_ahead(engine, 0, DAY)
    saved(engine, verdict(Standing.SUSPECTED, time=MICROS), verdict(Standing.CLEAR, time=MICROS, client="other"))
    assert gone(engine)["verdicts"] == (1, 2)
    assert rows(engine, "SELECT client, tableoid::regclass::text FROM verdicts") == [("thief", "verdicts_default")]
    assert (count(engine, "evidence"), count(engine, "episodes")) == (1, 1)
    run(engine, "UPDATE episodes SET closed = opened")
    run(engine, "UPDATE decision_heads SET until = now() - interval '1 hour'")
    assert gone(engine)["verdicts"] == (1, 0)
    assert (count(engine, "verdicts"), count(engine, "evidence"), count(engine, "episodes")) == (0, 0, 0)


def test_a_standing_is_as_old_as_its_latest_verdict(engine: Engine) -> None:
    """Who came back to clear today stays for its days, however long ago its first verdict was written."""
    saved(engine, verdict(Standing.CONFIRMED))
    run(engine, "UPDATE standings SET written = now() - interval '400 days'")
    saved(engine, verdict(Standing.CLEAR, 2))
    run(engine, "UPDATE episodes SET closed = now() - interval '400 days'")  # its records were old already
    today = datetime.now(UTC)
    assert "standings" not in gone(engine, today)
    assert (count(engine, "episodes"), count(engine, "standings")) == (0, 1)
    assert gone(engine, today + timedelta(days=366))["standings"] == (1, 0)


def test_a_decision_in_force_keeps_its_episode(year: Engine) -> None:
    """However old: who is blocked for long can be told why, and the block holds."""
    run(year, "UPDATE decision_heads SET until = 'infinity', action = 'block'")
    gone(year)
    assert (count(year, "verdicts"), count(year, "evidence"), count(year, "episodes")) == (2, 2, 1)
    assert rows(year, "SELECT value FROM active_decisions") == [("thief",)]


def test_a_persons_block_for_good_is_kept(engine: Engine) -> None:
    """Its decision is the newest on its key and in force."""
    people.decide(engine, Order(Scope.CLIENT, "thief", "*", Action.BLOCK, None, "caught", "ann"), CHANNELS)
    assert "decisions" not in gone(engine, datetime.now(UTC) + timedelta(days=4_000))
    assert rows(engine, "SELECT value, reason FROM active_decisions") == [("thief", "caught")]


def test_a_table_in_use_is_left_for_the_next_time(year: Engine) -> None:
    """Whoever reads for long is not pushed aside, and those behind it wait for two seconds at most."""
    with year.begin() as reader:
        reader.execute(text("SELECT * FROM verdicts"))
        with pytest.raises(Exception, match="lock timeout"):
            gone(year)
    assert count(year, "verdicts") == 2
    assert gone(year)["verdicts"] == (2, 2)


def test_each_table_has_its_own_days(engine: Engine) -> None:
    """Deliveries go a month after they were settled; what is owed stays, and so does the audit log."""
    people.decide(engine, Order(Scope.CLIENT, "thief", "*", Action.BLOCK, 60, "caught", "ann"), CHANNELS)
    run(engine, "UPDATE deliveries SET outcome = 'delivered', settled = now() WHERE channel = 'topic'")
    in_a_while = datetime.now(UTC) + timedelta(days=31)
    assert gone(engine, in_a_while)["deliveries"] == (1, 0)
    assert (count(engine, "deliveries"), count(engine, "audit_log")) == (1, 1)
    [told] = [one for one in retention.retain(engine, {"audit_log": 7}, in_a_while) if one.rows]
    assert (told.table, told.days, told.rows) == ("audit_log", 7, 1)
