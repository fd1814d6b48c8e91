"""Another policy: it comes into force at a recorded offset, in every worker, and can be tried on the past first."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from benchmarks import traffic
from consumers.difference import Treatment, differ
from consumers.partition import Partition, Terms
from consumers.replay import Options
from consumers.store import checkpoint, policies, populations
from consumers.store.engine import connect
from consumers.store.facts import Channels, Place
from consumers.store.people import Said
from detector import wire
from detector.decision import Action
from detector.detector import Detector
from detector.policy import Actions, Approval, Policy
from detector.population import Population, dump
from detector.verdict import Verdict
from detector.wire import RawRecord
from gamekeeper.cli import app
from tests.consumers.road import Road, interleaved, until
from tests.store.given import rows

SAID = Said("ann", "a test")
OLD = Policy(watch=4.0)
NEW = Policy(watch=2.0, shadow=True)
STREAMS = {
    client: list(traffic.records(client, asked))
    for client, asked in {
        "early": traffic.bisecting("early", 60),
        "late": np.concatenate([traffic.ordinary("late", 40), traffic.bisecting("late", 80)]),
        "usual": traffic.ordinary("usual", 120),
    }.items()
}
RECORDS = [RawRecord(value, None, None, place) for place, (_, value) in enumerate(interleaved(STREAMS))]
TURN = 150  # records judged under the old policy
REACHED = 130  # no multiple of fifty: snapshots are older than the verdicts
PLACE = Place("group", "predictions", "life-1", 0)


@pytest.fixture
def engine(database: str, plane: Population) -> Iterator[Engine]:
    """Return a database with the population."""
    found = connect(database)
    populations.put(found, dump([plane]), "test")
    yield found
    found.dispose()


def start(engine: Engine, plane: Population, wanted: Policy) -> Partition:
    """Return the partition as its next owner has it."""
    terms = Terms(
        engine,
        OLD,
        Channels(),
        lambda _: plane,
        policies=lambda version: policies.get(engine, version),
        wanted=lambda: wanted,
    )
    claim = checkpoint.claim(engine, PLACE)
    return Partition(terms, claim, claim.next or 0)


def take(partition: Partition, plane: Population, upto: int) -> None:
    """Read on, with a checkpoint after every ten records."""
    while partition.next < upto:
        partition.take(RECORDS[partition.next : min(partition.next + 10, upto)], None)
        partition.save({plane.model: plane.version}, 100)


def expected(plane: Population) -> list[Verdict]:
    """Return the verdicts of a detector that turns at the recorded offset, in memory alone."""
    known = {plane.model: plane}
    first, second = Detector(OLD, known), Detector(NEW, known)
    reached = _judged(first, RECORDS[:TURN], plane)
    second.restore(first.changed())
    return reached + _judged(second, RECORDS[TURN:], plane)


def _judged(detector: Detector, records: list[RawRecord], plane: Population) -> list[Verdict]:
    batches = wire.decode(records, {plane.model: plane.shape}).queries
    return [verdict for queries in batches for verdict in detector.assess(queries)]


@pytest.mark.parametrize("dies", [None, TURN - 20, TURN + 20])
def test_it_turns_at_a_recorded_offset(engine: Engine, plane: Population, dies: int | None) -> None:
    """Verdicts are those of a detector that turned there, also when an owner died a little before or after it."""
    policies.put(engine, OLD)
    policies.put(engine, NEW)
    partition = start(engine, plane, OLD)
    partition.save({plane.model: plane.version}, 100)
    if dies is not None and dies < TURN:
        take(partition, plane, dies)
        partition = start(engine, plane, OLD)
    take(partition, plane, TURN)
    turning = start(engine, plane, NEW)  # resumes where snapshots were last complete, and turns no sooner than it was
    while turning.next < TURN:
        turning.take(RECORDS[turning.next : TURN], None)
    turning.save({plane.model: plane.version}, 100)
    if dies is not None and dies > TURN:
        take(turning, plane, dies)
        turning = start(engine, plane, NEW)
    take(turning, plane, len(RECORDS))
    assert rows(engine, "SELECT from_offset, policy FROM policies_in_force") == [(TURN, NEW.version)]
    found = rows(engine, "SELECT client, serial, queries, standing, policy, shadow FROM verdicts")
    said = expected(plane)
    assert set(found) == {
        (one.client, one.serial, one.queries, one.standing.value, one.policy, one.shadow) for one in said
    }
    assert {policy for *_, policy, _ in found} == {OLD.version, NEW.version}


def test_nothing_turns_before_what_was_reached(engine: Engine, plane: Population) -> None:
    """Who resumes behind stored verdicts derives them under the policy of then."""
    policies.put(engine, OLD)
    partition = start(engine, plane, OLD)
    partition.save({plane.model: plane.version}, 100)
    take(partition, plane, REACHED)
    resumed = start(engine, plane, NEW)
    assert resumed.next < REACHED
    resumed.take(RECORDS[resumed.next : REACHED - 5], None)
    resumed.save({plane.model: plane.version}, 100)
    assert resumed.detector.policy == OLD
    take(resumed, plane, REACHED + 1)
    assert resumed.detector.policy == NEW


@pytest.mark.slow
def test_every_worker_takes_it_up(road: Road, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Applied while two workers run, it is in force in both partitions; what comes then is in shadow; and back."""
    monkeypatch.setenv("DATABASE_URL", road.database)
    file = tmp_path / "dry.toml"
    file.write_text("shadow = true\n")

    def everywhere(version: str) -> bool:
        return road.rows("SELECT DISTINCT policy, count(*) FROM offsets GROUP BY 1") == [(version, 2)]

    def command(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["policy", *arguments, "--json"])
        assert done.exit_code == 0, done.output
        return str(json.loads(done.stdout)["policy"])

    with road.process(), road.process():
        until(lambda: road.one("SELECT count(*) FROM in_force") == 2)
        version = command("apply", str(file), "--why", "a look first")
        until(lambda: everywhere(version))
        road.write(interleaved({f"thief-{n}": list(traffic.records(f"thief-{n}", traffic.bisecting(f"thief-{n}", 60)))
                                for n in range(4)}))  # fmt: skip
        until(lambda: road.one("SELECT count(DISTINCT value) FROM decisions WHERE action = 'block'") == 4)
        back = command("rollback", "--why", "seen enough")
        until(lambda: everywhere(back))
    assert road.rows("SELECT DISTINCT policy, shadow FROM verdicts WHERE standing <> 'clear'") == [(version, True)]
    assert road.rows("SELECT DISTINCT shadow FROM decisions") == [(True,)]


def write(folder: Path) -> str:
    """Write the records to a file."""
    file = folder / "past.jsonl"
    file.write_bytes(b"\n".join(record.value or b"" for record in RECORDS) + b"\n")
    return str(file)


def test_the_past_under_another_policy(plane: Population, tmp_path: Path) -> None:
    """Who would have been treated otherwise, and how; nobody under the same policy."""
    source, known = [write(tmp_path)], {plane.model: plane}
    assert differ(source, known, (Policy(), Policy()), Options()).changed == []
    dry = differ(source, known, (Policy(), Policy(shadow=True)), Options())
    assert {one.client: (one.before.word, one.after.word) for one in dry.changed} == {
        "early": ("block", "block not enforced"),
        "late": ("block", "block not enforced"),
    }
    asking = differ(source, known, (Policy(), Policy(approval=Approval(blocks=True))), Options())
    assert {one.after.word for one in asking.changed} == {"throttle, block not enforced"}
    mild = differ(source, known, (Policy(), Policy(actions=Actions(confirmed="throttle"))), Options())
    assert {one.after.acts for one in mild.changed} == {Treatment(Action.THROTTLE).acts}
    assert (mild.clients, mild.read) == (3, len(RECORDS))


def test_the_command_shows_it(engine: Engine, database: str, plane: Population, tmp_path: Path,
                              monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """`policy diff` takes the population that is wanted and what people said meanwhile; as a table and as JSON."""
    monkeypatch.setenv("DATABASE_URL", database)
    populations.use(engine, plane.model, plane.version, "ann")
    file = tmp_path / "new.toml"
    file.write_text("shadow_models = ['plane']\n")
    told = CliRunner().invoke(app, ["policy", "diff", str(file), write(tmp_path), "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert [(one["client"], one["after"]) for one in found["changed"]] == [
        ("early", "block not enforced"),
        ("late", "block not enforced"),
    ]
    shown = CliRunner().invoke(app, ["policy", "diff", str(file), write(tmp_path)]).stdout
    assert "3 clients, 2 treated otherwise" in shown
    assert '- shadow_models = []\n+ shadow_models = ["plane"]\n' in shown
