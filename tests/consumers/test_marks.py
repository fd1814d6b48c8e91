"""Marked answers on the road: from the topic into the table by `detect`, sealed and once."""

import msgspec
from cryptography.fernet import Fernet

from benchmarks import traffic
from consumers.marks import by_model
from consumers.store.marks import of_client
from detector.records import Enforced, Output, Record
from tests.consumers.road import Road, until

KEY = Fernet.generate_key().decode()


def test_detect_keeps_marked_answers(cold_road: Road) -> None:
    """Of ten records three were answered with another class: those are kept, with the inputs as they were asked."""
    inputs = traffic.ordinary("thief", 10)
    records = list(traffic.records("thief", inputs))
    records[:3] = [changed(record) for record in records[:3]]
    with cold_road.process("detect", marks_key=KEY):
        cold_road.write([("thief", record) for record in [*records, *records]])
        until(lambda: cold_road.read() == 20)
    kept = of_client(cold_road.engine, "thief", traffic.MODEL)
    asked, true, served, classes = by_model(kept, KEY)[traffic.MODEL]
    assert {row.tobytes() for row in asked} == {row.tobytes() for row in inputs[:3]}
    assert (len(kept), classes) == (3, traffic.CLASSES)
    assert served.tolist() == [(label + 1) % classes for label in true.tolist()]


def changed(value: bytes) -> bytes:
    """Return the record as if a decision had made the gateway name the next class."""
    record = msgspec.json.decode(value, type=Record)
    assert record.output is not None
    probabilities = record.output.probabilities or []
    label = probabilities.index(max(probabilities))
    served = Output(label=(label + 1) % len(probabilities))
    return msgspec.json.encode(msgspec.structs.replace(record, served=served, enforced=Enforced("throttle", 1, 1)))
