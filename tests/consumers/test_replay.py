"""Replay: contract lines, the same however records are cut, packed and mixed; what people said; what is kept."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from consumers.records import BadSource
from consumers.replay import Options, Outputs, Totals, read_feedback, replay
from detector.learning import learn
from detector.policy import Policy
from detector.population import Population
from detector.records import Input, Output, Record, encode_record
from detector.times import format_time
from detector.verdict import Feedback
from detector.wire import RawRecord, decode, encode_batch, frame

MODEL = "digits"
SHAPE = (8,)
NOON = 1_795_435_200_000_000
WEIGHTS = np.random.default_rng(5).normal(size=(8, 3))
THIEVES = {"thief_0", "thief_1"}
Floats = np.ndarray[Any, np.dtype[np.float64]]


def ask(client: str, number: int, point: Floats, model: str = MODEL) -> Record:
    """Return a client's query about a point, answered by a linear model."""
    logits = point.astype("<f4") @ WEIGHTS
    odds = np.exp(logits - logits.max())
    return Record(
        id=f"{client}-{number}",
        time=format_time(NOON + number * 1_000_000),
        model=model,
        client=client,
        input=Input([8], "float32", point.astype("<f4").tobytes()),
        output=Output((odds / odds.sum()).astype("f4").tolist()),
    )


def honest(client: str, count: int, seed: int, model: str = MODEL) -> list[Record]:
    """Return queries about points drawn at random."""
    random = np.random.default_rng(seed)
    return [ask(client, number, random.normal(size=8), model) for number in range(count)]


def thief(client: str, count: int, seed: int) -> list[Record]:
    """Return queries that halve the way between points of different classes."""
    random = np.random.default_rng(seed)
    queries: list[Record] = []
    while len(queries) < count:
        near, far = random.normal(size=(2, 8))
        if np.argmax(near @ WEIGHTS) == np.argmax(far @ WEIGHTS):
            continue
        for _ in range(10):
            middle = (near + far) / 2
            queries.append(ask(client, len(queries), middle))
            same = np.argmax(middle @ WEIGHTS) == np.argmax(near @ WEIGHTS)
            near, far = (middle, far) if same else (near, middle)
    return queries[:count]


@pytest.fixture(scope="module")
def population() -> Population:
    """Return a population of honest clients; it is cold, so that its decisions are shadow."""
    past = [record for client in range(20) for record in honest(f"past_{client}", 48, 100 + client)]
    raw = [RawRecord(encode_record(record), None, None, place) for place, record in enumerate(past)]
    return learn(decode(raw, {MODEL: SHAPE}).queries, SHAPE)


@pytest.fixture(scope="module")
def stream() -> list[Record]:
    """Return honest clients and thieves in turn, a second model without a population, a repeat and a refusal."""
    clients = [honest(f"client_{number}", 70, number) for number in range(3)]
    clients += [thief(name, 110, seed) for seed, name in enumerate(sorted(THIEVES))]
    clients.append(honest("thief_0", 20, 9, "cold"))
    queries = [query for client in clients for query in client]
    queries.append(queries[0])
    queries.append(Record(id="r", time=format_time(NOON), model=MODEL, client="client_1", status=429))
    return sorted(queries, key=lambda query: query.time)


class Replayed:
    """What a replay wrote."""

    def __init__(self, folder: Path, sources: list[Path], population: Population | None, options: Options) -> None:
        self.outputs = Outputs(folder / "verdicts", folder / "clients", folder / "unreadable")
        known = {} if population is None else {MODEL: population}
        self.totals = replay([str(source) for source in sources], known, Policy(), self.outputs, options)

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        """The verdict lines."""
        return [json.loads(line) for line in self.outputs.verdicts.read_text().splitlines()]

    @property
    def clients(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The lines of clients, by client and model."""
        assert self.outputs.clients is not None
        lines = [json.loads(line) for line in self.outputs.clients.read_text().splitlines()]
        return {(line["client"], line["model"]): line for line in lines}

    @property
    def unreadable(self) -> list[dict[str, Any]]:
        """The lines of unreadable records."""
        assert self.outputs.unreadable is not None
        return [json.loads(line) for line in self.outputs.unreadable.read_text().splitlines()]

    def bytes(self) -> list[bytes]:
        """All lines, as they were written."""
        paths = (self.outputs.verdicts, self.outputs.clients, self.outputs.unreadable)
        return [path.read_bytes() for path in paths if path is not None]


def json_lines(path: Path, queries: list[Record]) -> Path:
    """Write queries as JSON lines."""
    path.write_bytes(b"".join(encode_record(query) + b"\n" for query in queries))
    return path


def framed(path: Path, queries: list[Record], size: int) -> Path:
    """Write queries as batch records of up to `size` rows of one model where they fit together, else as JSON."""
    parts: list[bytes] = []
    for start in range(0, len(queries), size):
        some = queries[start : start + size]
        alike = len({query.model for query in some}) == 1
        parts += [encode_batch(some)] if alike else [encode_record(query) for query in some]
    path.write_bytes(b"".join(map(frame, parts)))
    return path


def test_lines(population: Population, stream: list[Record], tmp_path: Path) -> None:
    """Verdict and client lines hold the contract's members; thieves are found and honest clients are not."""
    done = Replayed(tmp_path, [json_lines(tmp_path / "in.jsonl", stream)], population, Options())
    assert done.totals == Totals(read=len(stream), scored=len(stream) - 21, counted=21, unreadable=0)
    assert {line["client"] for line in done.verdicts} == THIEVES
    for line in done.verdicts:
        members = ["client", "model", "queries", "time", "standing", "action", "shadow", "score", "leakage", "evidence"]
        assert list(line) == members
        assert line["evidence"]
        assert all(list(reading) == ["signal", "value", "because", "examples"] for reading in line["evidence"])
        assert all(reading["examples"] for reading in line["evidence"])
        assert line["shadow"] is True
    members = [
        "client",
        "model",
        "queries",
        "standing",
        "highest_standing",
        "action",
        "score",
        "leakage",
        "first_block_at_query",
    ]
    assert all(list(line) == members for line in done.clients.values())
    assert {key: line["queries"] for key, line in done.clients.items()} == {
        ("client_0", MODEL): 71,
        ("client_1", MODEL): 71,
        ("client_2", MODEL): 70,
        ("thief_0", MODEL): 110,
        ("thief_0", "cold"): 20,
        ("thief_1", MODEL): 110,
    }
    assert all(line["first_block_at_query"] is None for line in done.clients.values())  # shadow blocks do not count


def test_verdicts_are_in_the_order_of_the_deciding_records(
    population: Population, stream: list[Record], tmp_path: Path
) -> None:
    """Lines follow the records, whatever model and client they speak of; the time is the deciding record's."""
    done = Replayed(tmp_path, [json_lines(tmp_path / "in.jsonl", stream)], population, Options())
    numbers: dict[str, list[int]] = {}
    for number, query in enumerate(stream):
        if query.model == MODEL:
            numbers.setdefault(query.client, []).append(number)
    deciding = [numbers[line["client"]][line["queries"] - 1] for line in done.verdicts]
    assert deciding == sorted(deciding)
    assert [line["time"] for line in done.verdicts] == [stream[number].time for number in deciding]


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # a smaller example says no more, and takes minutes to find
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(batch_records=1, rows=7, cut=200)
@given(batch_records=st.integers(1, 300), rows=st.integers(1, 40), cut=st.integers(0, 400))
def test_any_split_gives_the_same_lines(  # noqa: PLR0913, PLR0917  # fixtures and what is drawn
    population: Population, stream: list[Record], tmp_path: Path, batch_records: int, rows: int, cut: int
) -> None:
    """Batches, files and forms of record leave every line as it is."""
    said = (Feedback("thief_0", "*", "lift", NOON + 70_000_000),)
    whole = [json_lines(tmp_path / "in.jsonl", stream)]
    expected = Replayed(tmp_path, whole, population, Options(said)).bytes()
    again = Replayed(tmp_path, whole, population, Options(said, batch_records=batch_records)).bytes()
    assert again == expected
    parts = [json_lines(tmp_path / "1.jsonl", stream[:cut]), framed(tmp_path / "2.gkb", stream[cut:], rows)]
    assert Replayed(tmp_path, parts, population, Options(said, batch_records=batch_records)).bytes() == expected


def test_without_a_population(stream: list[Record], tmp_path: Path) -> None:
    """Without a population everything is counted and nothing is scored."""
    done = Replayed(tmp_path, [json_lines(tmp_path / "in.jsonl", stream)], None, Options())
    assert (done.totals.scored, done.totals.counted, done.verdicts) == (0, len(stream), [])
    assert done.clients["thief_0", MODEL]["queries"] == 110


def test_unreadable_lines_are_kept(population: Population, tmp_path: Path) -> None:
    """Unreadable lines are counted, and kept with source, place, reason and first bytes; the rest is read."""
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    good = encode_record(honest("a", 1, 0)[0])
    first.write_bytes(b"\n".join([good, b"nonsense", good]) + b"\n")
    second.write_bytes(good + b"\n" + good[:50])
    seen: list[Totals] = []
    done = Replayed(tmp_path, [first, second], population, Options(batch_records=2, progress=seen.append))
    assert done.totals == Totals(read=5, scored=3, counted=0, unreadable=2)
    assert [(line["source"], line["place"], line["row"]) for line in done.unreadable] == [
        (str(first), 2, None),
        (str(second), 2, None),
    ]
    assert base64.b64decode(done.unreadable[0]["head"]) == b"nonsense"
    assert all(line["reason"].startswith("not JSON") for line in done.unreadable)
    assert seen[-1] == done.totals
    assert len(seen) == 3


def test_missing_file_writes_nothing(population: Population, tmp_path: Path) -> None:
    """A missing source is refused before anything is written; an older output stays."""
    outputs = Outputs(tmp_path / "verdicts")
    outputs.verdicts.write_text("older")
    with pytest.raises(BadSource, match="no such file"):
        replay([str(tmp_path / "gone.jsonl")], {MODEL: population}, Policy(), outputs)
    assert [path.name for path in tmp_path.iterdir()] == ["verdicts"]
    assert outputs.verdicts.read_text() == "older"


def test_lift(population: Population, stream: list[Record], tmp_path: Path) -> None:
    """A lift is heard before the client's first record at or after its time, or at the end; others are not touched."""
    source = [json_lines(tmp_path / "in.jsonl", stream)]
    plain = Replayed(tmp_path, source, population, Options())
    before = plain.verdicts
    assert plain.clients["thief_0", MODEL]["standing"] == "confirmed"
    late = Replayed(tmp_path, source, population, Options((Feedback("thief_0", MODEL, "lift", NOON * 2),)))
    assert late.verdicts[:-1] == before
    assert (late.verdicts[-1]["client"], late.verdicts[-1]["standing"]) == ("thief_0", "clear")
    assert late.clients["thief_0", MODEL]["standing"] == "clear"
    at = NOON + 50_000_000
    early = Replayed(tmp_path, source, population, Options((Feedback("thief_0", "*", "lift", at),)))
    lifted = [line for line in early.verdicts if line["client"] == "thief_0" and line["standing"] == "clear"]
    assert [(line["queries"], line["action"]) for line in lifted] == [(50, "allow")]
    others = [line for line in early.verdicts if line["client"] == "thief_1"]
    assert others == [line for line in before if line["client"] == "thief_1"]


def test_feedback_file(tmp_path: Path) -> None:
    """What people said is read from JSON lines; the first bad line is named."""
    path = tmp_path / "said.jsonl"
    path.write_text(
        '{"client":"a","model":"m","what":"lift","at":"2026-11-23T12:00:00Z"}\n\n'
        '{"client":"b","what":"false-positive","at":"2026-11-23T13:00:00+01:00"}\n'
    )
    assert read_feedback(path) == (Feedback("a", "m", "lift", NOON), Feedback("b", "*", "false-positive", NOON))
    path.write_text('{"client":"a","what":"praise","at":"2026-11-23T12:00:00Z"}\n')
    with pytest.raises(BadSource, match=r"said\.jsonl: line 1: Invalid enum value 'praise'"):
        read_feedback(path)
    with pytest.raises(BadSource, match="no such file"):
        read_feedback(tmp_path / "gone")
