"""Marked answers over HTTP: under a throttle alone, off by default, and told in the query log."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from consumers.marks import found
from detector.decision import Action
from detector.wire import RawRecord, decode
from gateway.guard import guarding
from gateway.policy import BadPolicy, parse
from gateway.querylog import encode
from gateway.settings import GatewaySettings
from gateway.watermark.dawn import Marking, marked
from tests.gateway.build import BOB, Running, decision, images, serving, throttled

SECRET = b"0123456789abcdef"
ROWS = 64
FAST = "[defaults.throttle]\nlimit = {rate = 10_000, burst = 10_000}\n"


@pytest.fixture(scope="module")
def marking(alone: GatewaySettings) -> Iterator[Running]:
    """Return a gateway that marks, where alice is throttled."""
    settings = replace(alone, policy=parse(FAST + "mark = 0.05"), secret=SECRET)
    with serving(settings) as running:
        running.parts.guard.table.apply(decision(action=Action.THROTTLE))
        yield running


def test_a_throttled_client_s_answers_are_marked(marking: Running) -> None:
    """One-hot rows as before; the keyed few, and only they, name another class; the same again when asked again."""
    true = [np.argmax(marking.ask(ROWS, BOB, seed).json()["predictions"], axis=1) for seed in range(5)]
    answers = [np.array(marking.ask(ROWS, seed=seed).json()["predictions"], np.float32) for seed in range(5)]
    changed = [np.flatnonzero(answer.argmax(axis=1) != label) for answer, label in zip(answers, true, strict=True)]
    assert sum(map(len, changed)) > 0
    for seed, (answer, label, rows) in enumerate(zip(answers, true, changed, strict=True)):
        assert np.array_equal(np.sort(answer, axis=1)[:, -2:], np.tile([0, 1], (ROWS, 1)))
        expected = marked(
            images(ROWS, seed), np.eye(10, dtype=np.float32)[label], Marking(SECRET, "alice", "digits", 0.05)
        )
        assert np.array_equal(rows, np.flatnonzero(expected[1]))
        assert np.array_equal(answer, expected[0])
        assert np.array_equal(np.array(marking.ask(ROWS, seed=seed).json()["predictions"], np.float32), answer)


def test_nobody_else_s_answers_are_marked(marking: Running) -> None:
    """Whom no decision throttles gets the model's own answers: what another gateway without marks gives."""
    said = np.array(marking.ask(ROWS, BOB).json()["predictions"])
    assert ((said > 0) & (said < 1)).any()


def test_by_default_nothing_is_marked(alone: GatewaySettings) -> None:
    """A throttle alone leaves the class as it is."""
    with serving(replace(alone, policy=parse(FAST))) as running:
        true = np.argmax(running.ask(ROWS, BOB).json()["predictions"], axis=1)
        running.parts.guard.table.apply(decision(action=Action.THROTTLE))
        assert np.array_equal(np.argmax(running.ask(ROWS).json()["predictions"], axis=1), true)


@pytest.mark.parametrize("secret", [b"", b"short"])
def test_marks_need_a_secret_before_anything_is_served(alone: GatewaySettings, secret: bytes) -> None:
    """Marks that anyone could foresee prove nothing: said at the start, in one line."""
    settings = replace(alone, policy=parse(FAST + "mark = 0.05"), secret=secret)
    with pytest.raises(BadPolicy, match="GAMEKEEPER_GATEWAY_SECRET"):
        guarding(settings, lambda _: None)


def test_the_log_tells_marks_from_other_answers() -> None:
    """Of a request's records exactly the marked rows are found again, with what was true and what was served."""
    rng = np.random.default_rng(0)
    inputs, said = images(400), rng.dirichlet(np.ones(10), 400).astype(np.float32)
    served, which = marked(
        inputs, np.eye(10, dtype=np.float32)[said.argmax(1)], Marking(SECRET, "alice", "digits", 0.05)
    )
    raws = [RawRecord(value, None, None, at) for at, value in enumerate(encode(throttled(inputs, said, served)))]
    kept = found(decode(raws, {}).enforced)
    rows = np.flatnonzero(which)
    assert [mark.input for mark in kept] == [inputs[row].tobytes() for row in rows]
    assert [(mark.true_label, mark.served_label) for mark in kept] == [
        (int(said[row].argmax()), int(served[row].argmax())) for row in rows
    ]
