"""Forgetting: a client's name is nowhere afterwards, and nobody is forgotten who is acted against."""

import pytest
from sqlalchemy import Engine, text

from consumers.store import forgetting, keys, people
from consumers.store.checkpoint import claim, save
from consumers.store.facts import Channels, Checkpoint, Fenced, Mark, Missing
from consumers.store.forgetting import StillActs
from consumers.store.keys import Holder
from consumers.store.outbox import Delivered, claim_deliveries, settle
from consumers.store.people import Said
from consumers.store.schema import metadata
from detector.decision import Scope
from detector.standing import Standing
from detector.wire import Unreadable
from tests.store.given import CHANNELS, NOON, PLACE, count, one, rows, saved, verdict

NAME = "key_7f3a-jane"
SAID = Said("ann", "asked to be erased, ticket 12")
MARK = Mark(client=NAME, model="digits", record=b"0" * 16, at=NOON, true_label=1, served_label=2, classes=10,
            dtype="<f4", shape=[1], input=b"sealed")  # fmt: skip


@pytest.fixture
def known(engine: Engine) -> Engine:
    """Return a database that knows the client in every way, and another client."""
    saved(engine, verdict(Standing.CONFIRMED, client="other"))
    head = f'{{"client":"{NAME}"'.encode()
    saved(
        engine,
        verdict(Standing.CONFIRMED, client=NAME),
        marks=[MARK],
        unreadable=[Unreadable(3, None, "not JSON", head), Unreadable(4, None, "not JSON", b"{")],
    )
    keys.add_client_key(engine, Holder(NAME), SAID)
    keys.add_bouncer_key(engine, NAME, SAID)
    people.label(engine, NAME, "*", "false-positive", Said("ann", f"{NAME} tests"))
    people.lift(engine, Scope.CLIENT, NAME, "*", SAID, CHANNELS)
    return engine


def deliver(engine: Engine) -> list[tuple[str, str, bytes]]:
    """Send what is owed, and return it: channel, kind and key."""
    sent = []
    while found := claim_deliveries(engine, 100, 30.0, ("topic", "keys", "push:edge", "webhook:security")):
        for delivery in found:
            settle(engine, delivery.id, Delivered())
            sent.append((delivery.channel, delivery.kind, delivery.key))
    return sent


def settle_all(engine: Engine) -> None:
    """Send what is owed, and let the decisions have ended a while ago."""
    deliver(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE decision_heads SET until = until - interval '11 minutes'"))


def naming(engine: Engine) -> set[str]:
    """Return the tables with a row that has the client's name in any column."""
    found = set()
    for name in metadata.tables:
        hit = f"SELECT count(*) FROM {name} AS t WHERE strpos(t::text, :name) > 0 OR strpos(t::text, :hex) > 0"  # noqa: S608
        if one(engine, hit, name=NAME, hex=NAME.encode().hex()):
            found.add(name)
    return found


def test_nothing_names_the_client_afterwards(known: Engine) -> None:
    """Every table is searched as text. The bouncer of the same name is another, and so are other clients."""
    settle_all(known)
    before = naming(known)
    assert before >= {"verdicts", "standings", "episodes", "snapshots", "decisions", "decision_heads", "deliveries"}
    assert before >= {"feedback", "suppressions", "marks", "unreadable", "api_keys", "audit_log"}
    gone = forgetting.forget(known, NAME, SAID, Channels())
    assert (gone.rows["verdicts"], gone.rows["evidence"], gone.rows["unreadable"], gone.rows["api_keys"]) == (
        1,
        1,
        1,
        1,
    )
    sent = deliver(known)
    assert naming(known) == {"api_keys"}
    assert rows(known, "SELECT kind FROM api_keys") == [("bouncer",)]
    assert [kind for _, kind, _ in sent] == ["tombstone"] * 2
    assert ("topic", "tombstone", f'["client_id","{NAME}","digits"]'.encode()) in sent
    assert [count(known, table) for table in ("verdicts", "evidence", "snapshots", "unreadable")] == [1, 1, 1, 1]


def test_the_audit_log_keeps_a_line_without_the_name(known: Engine) -> None:
    """It says who, when, why and how much; what was done before is there under the alias, without people's words."""
    settle_all(known)
    gone = forgetting.forget(known, NAME, SAID, Channels())
    lines = rows(known, "SELECT what, target, why FROM audit_log WHERE target LIKE '%forgotten-%' ORDER BY id")
    assert lines[-1] == ("forget", f"client_id {gone.alias} *", SAID.why)
    assert ("label", f"client_id {gone.alias} *", "") in lines
    assert gone.alias == forgetting.alias(NAME)
    assert one(known, "SELECT details -> 'rows' ->> 'verdicts' FROM audit_log WHERE what = 'forget'") == "1"


def test_who_is_acted_against_is_not_forgotten(engine: Engine) -> None:
    """A thief does not get free by asking to be erased: what is in force is lifted first, by somebody who may."""
    saved(engine, verdict(Standing.CONFIRMED, client=NAME))
    with pytest.raises(StillActs, match="gamekeeper lift"):
        forgetting.forget(engine, NAME, SAID, Channels())
    people.lift(engine, Scope.CLIENT, NAME, "*", SAID, CHANNELS)
    with pytest.raises(StillActs, match="10 minutes"):
        forgetting.forget(engine, NAME, SAID, Channels())
    assert count(engine, "verdicts") == 1


def test_what_is_owed_goes_out_first(known: Engine) -> None:
    """Else an older decision would follow its tombstone."""
    with known.begin() as connection:
        connection.execute(text("UPDATE decision_heads SET until = until - interval '11 minutes'"))
    with pytest.raises(StillActs, match="deliveries about it are owed"):
        forgetting.forget(known, NAME, SAID, Channels())


def test_a_reason_with_the_name_and_a_stranger_are_refused(engine: Engine) -> None:
    """The reason stays; and a misspelt name must not pass for forgotten."""
    with pytest.raises(ValueError, match="names the client"):
        forgetting.forget(engine, NAME, Said("ann", f"{NAME} asked"), Channels())
    with pytest.raises(Missing, match="never seen"):
        forgetting.forget(engine, NAME, SAID, Channels())
    assert count(engine, "decision_heads") == 0


def test_who_comes_back_begins_anew(known: Engine) -> None:
    """Serials and verdicts start again at 1, and nothing of before is in the way."""
    settle_all(known)
    forgetting.forget(known, NAME, SAID, Channels())
    save(known, claim(known, PLACE), Checkpoint(next=99, verdicts=[verdict(Standing.CONFIRMED, client=NAME)]))
    assert rows(known, "SELECT serial, action FROM decisions WHERE value = :name", name=NAME) == [(1, "block")]


def test_a_running_owner_forgets_too(known: Engine) -> None:
    """What it held in memory is refused; who claims next goes on from where it was."""
    settle_all(known)
    owner = claim(known, PLACE)
    save(known, owner, Checkpoint(next=50))
    forgetting.forget(known, NAME, SAID, Channels())
    with pytest.raises(Fenced):
        save(known, owner, Checkpoint(next=60, verdicts=[verdict(Standing.CONFIRMED, 2, client=NAME)]))
    assert claim(known, PLACE).next == 50
    assert count(known, "verdicts") == 1


def test_nothing_is_erased_that_would_be_read_again(known: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """While snapshots are behind, a new owner would read the client's records again."""
    settle_all(known)
    owner = claim(known, PLACE)
    save(known, owner, Checkpoint(next=50, snapshotted=False))
    monkeypatch.setattr(forgetting, "WHOLE_SECONDS", 0.0)
    with pytest.raises(StillActs, match="gamekeeper detect"):
        forgetting.forget(known, NAME, SAID, Channels())
    assert count(known, "verdicts") == 2
    save(known, owner, Checkpoint(next=60))
    assert forgetting.forget(known, NAME, SAID, Channels()).rows["verdicts"] == 1
