"""The query log: what it writes, and that it never waits, grows or loses in silence."""

import time

import msgspec
import numpy as np
import pytest

from detector.decision import Action, Decision
from gateway.kafka import Away, Writer
from gateway.outputs import Asked, served
from gateway.policy import Defences
from gateway.querylog import Answer, QueryLog, encode
from gateway.settings import LogBounds
from gateway.table import Asker
from tests.gateway.build import AWAY, SECOND, decision, images, until

ASKER = Asker("alice", "acme", "203.0.113.7")
TRUE = np.array([[0.07, 0.86, 0.07], [0.2, 0.2, 0.6]], np.float32)


def answer(rows: int = 1, time_: int = SECOND) -> Answer:
    """Return an answer of so many rows."""
    return Answer(ASKER, "digits", time_, 200, input=images(rows), output=np.full((rows, 3), 0.25, np.float32))


def decoded(one: Answer) -> list[dict[str, object]]:
    """Return its records as a reader sees them."""
    return [msgspec.json.decode(value) for value in encode(one)]


def under(held: Decision) -> Answer:
    """Return two rows answered under a decision."""
    given = served(Defences().response(held.action).outputs, Asked("digits", TRUE, b""))
    return Answer(ASKER, "digits", SECOND, 200, held, images(2), TRUE, given)


def test_record_of_a_plain_answer() -> None:
    """One record a row, with the members of the contract and its own id."""
    first, second = decoded(Answer(ASKER, "digits", SECOND, 200, None, images(2), TRUE))
    assert first["id"] != second["id"]
    assert first | {"id": "", "input": ""} == {
        "v": 1,
        "id": "",
        "time": "1970-01-01T00:00:01Z",
        "model": "digits",
        "client": "alice",
        "tenant": "acme",
        "source_ip": "203.0.113.7",
        "input": "",
        "output": {"probabilities": TRUE[0].astype(float).tolist()},
        "status": 200,
    }
    assert second["output"] == {"probabilities": TRUE[1].astype(float).tolist()}
    sent = second["input"]
    assert isinstance(sent, dict)
    assert (sent["shape"], sent["dtype"]) == ([8, 8], "float32")
    assert msgspec.convert(sent["data"], bytes) == images(2)[1].astype("<f4").tobytes()


def test_record_of_a_coarser_answer() -> None:
    """The true answer stays in `output`; what the client got is in `served`, and why in `enforced`."""
    rounded = decoded(under(decision(5, Action.PERTURB)))[0]
    assert rounded["output"] == {"probabilities": TRUE[0].astype(float).tolist()}
    assert rounded["served"] == {"probabilities": pytest.approx([0.1, 0.9, 0.1])}
    assert rounded["enforced"] == {"action": "perturb", "decision": 5, "serial": 5}
    label = decoded(under(decision(6, Action.THROTTLE)))[1]
    assert label["served"] == {"label": 2}


def test_record_of_a_refusal() -> None:
    """A refusal is one record with its status and no output."""
    refusal = Answer(ASKER, "digits", SECOND, 403, decision(7))
    (record,) = decoded(refusal)
    assert record["status"] == 403
    assert record["enforced"] == {"action": "block", "decision": 7, "serial": 7}
    assert not {"input", "output", "served"} & set(record)


def test_drops_the_oldest_when_full() -> None:
    """Rows and bytes are both bounded; the newest stay, and what went is counted."""
    log = QueryLog(Writer(AWAY, 10), bounds=LogBounds(rows=10))
    for second in range(8):
        log.put(answer(rows=3, time_=second))
    assert [one.time for one in log._queue] == [5, 6, 7]
    assert (log.waiting_rows, log.dropped, log.lost()) == (9, 15, 15)
    small = QueryLog(Writer(AWAY, 10), bounds=LogBounds(bytes=5_000))
    for second in range(20):
        small.put(answer(time_=second))
    assert small.waiting_bytes <= 5_000
    assert small.dropped == 20 - small.waiting_rows


def test_never_waits_for_kafka() -> None:
    """With Kafka away, putting costs microseconds, the reason is visible, and stopping takes a bounded time."""
    log = QueryLog(Writer(AWAY, 10))
    log.start()
    ready = answer()
    started = time.perf_counter()
    for _ in range(1_000):
        log.put(ready)
    assert (time.perf_counter() - started) / 1_000 < 1e-3
    until(lambda: log.why)
    started = time.monotonic()
    log.stop(1.0)
    assert time.monotonic() - started < 3
    assert log.dropped == 1_000
    assert log.waiting_rows == 0


def test_without_kafka_nothing_is_kept() -> None:
    """A gateway that runs alone has no log, and no memory of one."""
    log = QueryLog(None)
    log.start()
    log.put(answer())
    log.stop(1.0)
    assert (log.waiting_rows, log.lost()) == (0, 0)


def test_writer_says_that_kafka_is_away() -> None:
    """The driver's errors come out as ours."""
    with pytest.raises(Away, match="no broker answers at"):
        Writer(AWAY, 1).send("topic", b"key", b"value")
