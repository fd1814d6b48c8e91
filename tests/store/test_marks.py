"""Marked answers: found in the log, sealed, kept once and bounded, read back, and gone when asked."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pytest
import structlog
from cryptography.fernet import Fernet
from sqlalchemy import Engine

from consumers import marks as found
from consumers.store import marks
from consumers.store.checkpoint import claim, save
from consumers.store.facts import Checkpoint, Fenced, Mark
from consumers.store.people import Said
from detector.records import Enforced, Input, Output, Record, encode_record
from detector.times import format_time
from detector.wire import RawRecord, decode
from tests.store.given import NOON, PLACE, count, one, rows

KEY = Fernet.generate_key().decode()
PIXELS = np.arange(4, dtype="<f4")


def mark(number: int = 0, client: str = "thief", model: str = "digits") -> Mark:
    """Return a mark whose input is sealed."""
    plain = Mark(
        client=client,
        model=model,
        record=number.to_bytes(16, "big"),
        at=NOON + number,
        true_label=1,
        served_label=2,
        classes=3,
        dtype="float32",
        shape=[2, 2],
        input=PIXELS.tobytes(),
    )
    return found.sealed(plain, KEY.encode())


def raw(place: int = 0, changes: Mapping[str, object] = MappingProxyType({})) -> RawRecord:
    """Return a record of a marked answer, with changes."""
    members: dict[str, object] = {
        "id": "01JDC6Q0V8R4T2M7N5K3H1G9FE",
        "time": format_time(NOON),
        "model": "digits",
        "client": "thief",
        "input": Input([2, 2], "float32", PIXELS.tobytes()),
        "output": Output(probabilities=[0.1, 0.8, 0.1]),
        "served": Output(label=2),
        "enforced": Enforced("throttle", 1, 1),
        "status": 200,
    }
    value = encode_record(Record(**{**members, **changes}))  # type: ignore[arg-type]  # a builder
    return RawRecord(value, None, None, place)


def enforced(*records: RawRecord) -> tuple[bytes, ...]:
    """Return those of the records in which marks are looked for."""
    return decode(records, {}).enforced


def test_a_marked_answer_is_found_and_can_be_opened() -> None:
    """What was served and what was true, the input as it was sent; sealed, it is not to be seen."""
    [plain] = found.found(enforced(raw()))
    assert (plain.client, plain.model, plain.at) == ("thief", "digits", NOON)
    assert (plain.true_label, plain.served_label, plain.classes) == (1, 2, 3)
    [sealed] = found.Keep(KEY)(enforced(raw()))
    assert PIXELS.tobytes() not in sealed.input
    assert np.array_equal(found.opened(sealed, KEY.encode()), PIXELS.reshape(2, 2))
    with pytest.raises(found.BadMarksKey, match="GAMEKEEPER_MARKS_KEY"):
        found.opened(sealed, Fernet.generate_key())


NO_MARK = {
    "no decision": {"enforced": None},
    "nothing else served": {"served": None},
    "the same class, coarser": {"served": Output(label=1)},
    "rounded, same class": {"served": Output(probabilities=[0.0, 1.0, 0.0])},
    "a word for a class": {"served": Output(label="two")},
    "a class that the model has not": {"served": Output(label=1 << 40)},
    "no input": {"input": None},
    "refused": {"status": 403},
    "no probabilities": {"output": Output(label=1)},
    "a binary score": {"output": Output(probabilities=[0.2])},
}


@pytest.mark.parametrize("changes", NO_MARK.values(), ids=NO_MARK)
def test_other_answers_are_no_marks(changes: dict[str, object]) -> None:
    """Only another class than the model's, by number, under a decision, with the input beside it."""
    assert found.found(enforced(raw(0, changes))) == []


def test_what_is_unreadable_is_no_mark() -> None:
    """Neither records that can't be read, nor batch records, tombstones, and members that the detector never reads."""
    good, late = raw(), raw(7, {"time": "at noon"})
    odd = RawRecord((good.value or b"").replace(b'"served":{', b'"served":[],"x":{'), None, None, 8)
    batch = RawRecord(good.value, "application/vnd.gamekeeper.batch+msgpack", None, 9)
    gone = RawRecord(None, None, None, 10)
    assert found.found(enforced(late, odd, batch, gone)) == []


def test_without_a_key_nothing_is_kept_and_that_is_said_once() -> None:
    """The first marked answer is worth a warning; the rest are not."""
    keep = found.Keep("")
    with structlog.testing.capture_logs() as said:
        assert [keep(enforced(raw())), keep(enforced(raw()))] == [[], []]
    assert [line["log_level"] for line in said] == ["warning"]


def test_marks_become_true_with_their_checkpoint_once(engine: Engine) -> None:
    """Written again they stay one; what a fenced owner brings is not there at all."""
    claimed = claim(engine, PLACE)
    for _ in range(2):
        save(engine, claimed, Checkpoint(next=10, marks=[mark(1), mark(2)]))
    assert count(engine, "marks") == 2
    claim(engine, PLACE)
    with pytest.raises(Fenced):
        save(engine, claimed, Checkpoint(next=20, marks=[mark(3)]))
    assert count(engine, "marks") == 2


def test_the_newest_of_each_client_and_model_are_kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own bound; the oldest go, also when old ones come again."""
    monkeypatch.setattr(marks, "KEPT_MAX", 3)
    claimed = claim(engine, PLACE)
    many = [mark(number, client, model) for number in range(5) for client in "ab" for model in ("digits", "x")]
    save(engine, claimed, Checkpoint(next=10, marks=many))
    save(engine, claimed, Checkpoint(next=11, marks=[mark(0, "a")]))
    assert [kept.at - NOON for kept in marks.of_client(engine, "a", "digits")] == [4, 3, 2]
    assert count(engine, "marks") == 12


def test_marks_are_read_by_client_and_model(engine: Engine) -> None:
    """The same facts come back, the newest first; opened by model, in the shape of the newest."""
    kept = [mark(1), mark(2), mark(3, model="x"), mark(4, client="other")]
    save(engine, claim(engine, PLACE), Checkpoint(next=10, marks=kept))
    assert marks.of_client(engine, "thief", "digits") == [kept[1], kept[0]]
    assert marks.of_client(engine, "thief", None) == [kept[2], kept[1], kept[0]]
    [(inputs, true, served, classes)] = [found.by_model(kept[:2], KEY)["digits"]]
    assert (inputs.shape, true.tolist(), served.tolist(), classes) == ((2, 2, 2), [1, 1], [2, 2], 3)


def test_a_client_s_marks_are_erased(engine: Engine) -> None:
    """All of that client and nobody else's, with a line in the audit log."""
    save(engine, claim(engine, PLACE), Checkpoint(next=10, marks=[mark(1), mark(2, model="x"), mark(3, client="b")]))
    assert marks.forget(engine, "thief", Said("ann", "asked to")) == 2
    assert rows(engine, "SELECT client FROM marks") == [("b",)]
    assert one(engine, "SELECT details->>'marks' FROM audit_log") == "2"
