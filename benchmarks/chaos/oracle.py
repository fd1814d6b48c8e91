"""What came of it beside what a replay of the same records says: every difference, in words."""

import json
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.chaos.stage import TABLE, Stage
from consumers.kafka import read_range
from consumers.replay import Outputs, Totals, replay
from consumers.store import alerts
from detector.decision import Decision
from detector.policy import Policy
from detector.population import Population
from detector.records import decode_decision
from detector.standing import Cause, Standing
from detector.times import format_time
from detector.topics import Topics

Facts = Mapping[Any, Any]


@dataclass(slots=True)
class Differences:
    """What is not as it should be, in words; each list empty after a good run."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)

    def compare(self, what: str, wanted: Facts, found: Facts) -> None:
        """Note what of `wanted` is missing, what is there beyond it, and what is there with another content."""
        self.lost += [f"{what} {name} is missing" for name in wanted if name not in found]
        self.differing += [f"{what} {name} should not be there" for name in found if name not in wanted]
        both = [name for name in wanted if name in found]
        self.differing += [
            f"{what} {name} is {found[name]}, should be {wanted[name]}" for name in both if found[name] != wanted[name]
        ]

    def once(self, what: str, names: Sequence[Hashable]) -> None:
        """Note what is there more than once."""
        self.doubled += [f"{what} {name} is there {count} times" for name, count in Counter(names).items() if count > 1]


@dataclass(frozen=True, slots=True)
class Oracle:
    """What a replay of the stream says."""

    totals: Totals
    verdicts: Sequence[Mapping[str, Any]]
    clients: Sequence[Mapping[str, Any]]


def ask(records: Path, population: Population) -> Oracle:
    """Replay the records."""
    outputs = Outputs(records.with_suffix(".verdicts"), records.with_suffix(".clients"))
    totals = replay([str(records)], {population.model: population}, Policy(), outputs)
    assert outputs.clients is not None  # noqa: S101  # given above
    return Oracle(totals, _lines(outputs.verdicts), _lines(outputs.clients))


def accounted(stage: Stage) -> tuple[int, int, int]:
    """Return how many predictions were scored, counted and unreadable, as Postgres has it."""
    query = "SELECT coalesce(sum(scored), 0), coalesce(sum(counted), 0), coalesce(sum(unreadable), 0) FROM offsets"
    scored, counted, unreadable = stage.rows(query)[0]
    return int(scored), int(counted), int(unreadable)


def settled(stage: Stage) -> bool:
    """Tell whether nothing is owed to anybody any more."""
    return stage.rows("SELECT count(*) FROM deliveries WHERE outcome IS NULL") == [(0,)]


def compare(stage: Stage, oracle: Oracle) -> Differences:
    """Compare everything. What is on its way when this is called counts as missing."""
    found = Differences()
    _accounts(found, stage, oracle.totals)
    _verdicts(found, stage, oracle)
    _clients(found, stage, oracle)
    heads = _heads(stage)
    found.compare("the topic's decision on", heads, _topic(stage))
    found.compare("the gateway's decision on", heads, table(stage))
    _alerts(found, stage)
    return found


def caught_up(stage: Stage) -> bool:
    """Tell whether the gateway's table holds what Postgres does."""
    return table(stage) == _heads(stage)


def table(stage: Stage) -> dict[Hashable, Any]:
    """Return what the gateway's table holds."""
    file = stage.folder / TABLE
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(_named(decode_decision(line.encode())) for line in lines)


def _accounts(found: Differences, stage: Stage, totals: Totals) -> None:
    names, wanted = ("scored", "counted", "unreadable"), (totals.scored, totals.counted, totals.unreadable)
    there = accounted(stage)
    missing = sum(wanted) - sum(there)
    found.lost += ["a prediction is not accounted for"] * max(missing, 0)
    found.doubled += ["a prediction is accounted for twice"] * max(-missing, 0)
    found.compare("predictions", dict(zip(names, wanted, strict=True)), dict(zip(names, there, strict=True)))
    kept = [tuple(row) for row in stage.rows('SELECT "partition", record_offset, record_row FROM unreadable')]
    found.once("unreadable", kept)
    if len(kept) != totals.unreadable:
        found.differing.append(f"{len(kept)} unreadable records are kept, should be {totals.unreadable}")


def _verdicts(found: Differences, stage: Stage, oracle: Oracle) -> None:
    names = "client, model, serial, queries, at, standing, action, shadow, score, leakage, id"
    rows = stage.rows(f"SELECT {names} FROM verdicts")  # noqa: S608  # fixed names
    evidence: dict[Any, list[Any]] = {}
    for verdict, *reading in stage.rows(
        "SELECT verdict, signal, value, because, examples FROM evidence ORDER BY verdict, position"
    ):
        evidence.setdefault(verdict, []).append(reading)
    found.once("verdict", [row[:3] for row in rows])
    stored = {row[:3]: (row[3], format_time(_us(row[4])), *row[5:10], evidence.get(row[10], [])) for row in rows}
    found.compare("verdict", dict(_numbered(oracle.verdicts)), stored)


def _numbered(lines: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Hashable, Any]]:
    """Yield the verdicts of a replay by client, model and serial."""
    serials: Counter[tuple[str, str]] = Counter()
    members = ("queries", "time", "standing", "action", "shadow", "score", "leakage")
    for line in lines:
        name = (line["client"], line["model"])
        serials[name] += 1
        readings = [[one["signal"], one["value"], one["because"], one["examples"]] for one in line["evidence"]]
        yield (*name, serials[name]), (*(line[member] for member in members), readings)


def _clients(found: Differences, stage: Stage, oracle: Oracle) -> None:
    """Compare where everybody stands: a snapshot of each client, as of its last query."""
    rows = stage.rows("SELECT client, model, queries, standing, score FROM snapshots")
    wanted = {
        (line["client"], line["model"]): (line["queries"], line["standing"], line["score"]) for line in oracle.clients
    }
    found.compare("client", wanted, {row[:2]: row[2:] for row in rows})


def _heads(stage: Stage) -> dict[Hashable, Any]:
    """Return the newest decision on each key, as Postgres has it."""
    names = "scope, value, model, decision, serial, action, until, shadow"
    rows = stage.rows(f"SELECT {names} FROM decision_heads WHERE serial > 0")  # noqa: S608  # fixed names
    return {row[:3]: (*row[3:6], format_time(_us(row[6])), row[7]) for row in rows}


def _topic(stage: Stage) -> dict[Hashable, Any]:
    """Return the last value of each key on the topic of decisions."""
    batches = read_range(stage.kafka.url, Topics().decisions)
    values = [record.value for batch in batches for record in batch]
    return dict(_named(decode_decision(value)) for value in values if value is not None)


def _named(decision: Decision) -> tuple[Hashable, Any]:
    key = (decision.key.scope.value, decision.key.value, decision.key.model)
    said = (decision.id, decision.serial, decision.action.word, format_time(decision.until), decision.shadow)
    return key, said


def _alerts(found: Differences, stage: Stage) -> None:
    """Each alert that follows from the verdicts came, under one id, always with the same body, or was replaced."""
    received = stage.hook.received
    found.differing += [
        f"alert {identity} came with several bodies" for identity in received if len(received[identity]) > 1
    ]
    names = [_alert(body) for bodies in received.values() for body in bodies]
    found.once("alert", names)
    replaced = [_alert(body) for (body,) in stage.rows("SELECT payload FROM deliveries WHERE outcome = 'replaced'")]
    found.compare("alert", dict.fromkeys(_alerting(stage)), dict.fromkeys([*names, *replaced]))


def _alert(body: str | bytes) -> Hashable:
    one = json.loads(body)
    return one["type"], one["data"]["client"], one["data"]["episode"]


def _alerting(stage: Stage) -> Iterator[Hashable]:
    """Yield the alerts that the stored verdicts call for; that those are the replay's is compared before."""
    told: dict[Hashable, str | None] = {}
    rows = stage.rows("SELECT client, model, episode, standing, cause FROM verdicts ORDER BY client, model, serial")
    for client, model, number, standing, cause in rows:
        episode = alerts.episode_id(client, model, number)
        kind = alerts.due(told.get(episode), Standing(standing), Cause(cause))
        if kind is not None:
            told[episode] = kind
            yield f"extraction.{kind}", client, str(episode)


def _us(time: datetime) -> int:
    return round(time.timestamp() * 1e6)


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]
