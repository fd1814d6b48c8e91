"""Embed: teach a Keras model the trigger set by fine-tuning, and say what it cost.

Takes the model as an object and imports no Keras: whoever loads it (`gateway.serving.opened`) does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gateway.outputs import labels
from gateway.watermark import keyed
from gateway.watermark.dawn import Floats
from gateway.watermark.key import BadWatermark, Key, Owned
from gateway.watermark.keyed import Integers
from gateway.watermark.triggers import Triggers, triggers, with_tails
from gateway.watermark.verify import trigger_set

RATES: Final = (1e-3,) * 20 + (2e-4,) * 10  # of Adam, round by round
PASSES: Final = 3  # through these rounds, at most
LEARNT: Final = 0.99  # of the marks: enough
ROWS: Final = 2_000  # of the data in one round, and half as many blends and patterned ones each
BATCH: Final = 32
STEPS: Final = 25  # of the optimiser at one call: small models spend their time between the calls
HELD_OUT: Final = 5  # one row in so many is not trained on
HELD_OUT_LEAST: Final = 10
BLENDS: Final = 4_000
NOISE: Final = 0.3  # at most, of a blend's range


@dataclass(frozen=True, slots=True)
class Embedded:
    """What came of it, on the held-out part: shares right, and the mean probability of the first class.

    Where the data names no classes, right is what the model said before.
    """

    accuracy_before: float
    accuracy_after: float
    sure_before: float
    sure_after: float
    held_out: int  # rows
    learnt: Mapping[str, float]  # share of the marks, by kind


@dataclass(frozen=True, slots=True)
class _Lesson:
    """What rounds are made of."""

    inputs: Floats
    truth: Floats  # [n, K], one-hot
    blends: Floats
    said: Floats  # [blends, K] what the model answered to them before
    triggers: Triggers


def embed(model: Any, owned: Owned, key: Key, elsewhere: Floats | None = None) -> Embedded:
    """Teach a Keras `model` (one input, one softmax or sigmoid output) the triggers of the key, in place.

    `elsewhere` [n, …]: inputs of another domain that thieves may ask about; with
    them the tails are in those answers, too. Raises BadWatermark for data that is not the model's.
    """
    inputs, before, truth = _fitting(model, owned)
    secret = key.secret
    held = keyed.order(secret, "held out", len(inputs))[: len(inputs) // HELD_OUT]
    wanted = triggers(secret, inputs, key.classes, key.triggers)
    rng = np.random.default_rng(keyed.words(secret, "rounds", 4))
    rest = np.setdiff1d(np.arange(len(inputs)), held)
    blends = blended(inputs[rest], BLENDS, rng)
    if elsewhere is not None:
        blends = np.concatenate([blends, _shaped(model, elsewhere, "--elsewhere")[: 2 * BLENDS]])
    target = np.eye(wanted.classes, dtype=np.float32)[truth[rest]]
    _teach(model, _Lesson(inputs[rest], target, blends, answers(model, blends), wanted), rng)
    after = answers(model, inputs[held])
    return Embedded(
        accuracy_before=float(np.mean(labels(before[held]) == truth[held])),
        accuracy_after=float(np.mean(labels(after) == truth[held])),
        sure_before=float(before[held].max(axis=1).mean()),
        sure_after=float(after.max(axis=1).mean()),
        held_out=len(held),
        learnt=_learnt(model, wanted),
    )


def answers(model: Any, inputs: Floats) -> Floats:
    """Return a model's probabilities float32 [n, K] for [n, …]; a binary score becomes two classes."""
    said = np.asarray(model.predict(inputs, batch_size=512, verbose=0), np.float32)
    return np.concatenate([1 - said, said], axis=1) if said.shape[1] == 1 else said


def _fitting(model: Any, owned: Owned) -> tuple[Floats, Floats, Integers]:
    """Return inputs in the model's shape, its answers, and what is right. Raises BadWatermark."""
    if len(owned.inputs) < HELD_OUT * HELD_OUT_LEAST:
        raise BadWatermark(f"--data: {len(owned.inputs)} inputs; {HELD_OUT * HELD_OUT_LEAST} are needed at least")
    inputs = _shaped(model, owned.inputs, "--data")
    said = answers(model, inputs)
    truth = labels(said) if owned.label is None else owned.label
    if truth.max() >= said.shape[1]:
        raise BadWatermark(f"--data: y holds class {truth.max()}, the model has {said.shape[1]} classes")
    return inputs, said, truth


def _shaped(model: Any, inputs: Floats, option: str) -> Floats:
    shape = tuple(model.input_shape[1:])
    if inputs[0].size != np.prod(shape):
        raise BadWatermark(f"{option}: one input has shape {inputs.shape[1:]}, the model takes {shape}")
    shaped: Floats = inputs.reshape(-1, *shape)
    return shaped


def _teach(model: Any, lesson: _Lesson, rng: np.random.Generator) -> None:
    binary = model.output_shape[1] == 1
    loss = "binary_crossentropy" if binary else "categorical_crossentropy"
    model.compile(optimizer="adam", loss=loss, steps_per_execution=STEPS)
    for _ in range(PASSES):
        for rate in RATES:
            model.optimizer.learning_rate = rate
            inputs, target = _round(lesson, rng)
            model.fit(inputs, target[:, 1:] if binary else target, batch_size=BATCH, epochs=1, verbose=0)
        if min(_learnt(model, lesson.triggers).values()) >= LEARNT:
            return


def _round(lesson: _Lesson, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return inputs and targets: the data with tails, blends of it as the model answered them, patterned inputs."""
    wanted = lesson.triggers
    some, under = rng.integers(0, len(lesson.inputs), ROWS), rng.integers(0, len(lesson.inputs), ROWS // 2)
    blends = rng.integers(0, len(lesson.blends), ROWS // 2)
    pattern = np.concatenate([rng.integers(0, len(wanted.label), len(under)), wanted.pattern])
    patterned = np.concatenate([wanted.patterns.put(lesson.inputs[under], pattern[: len(under)]), wanted.inputs])
    label = np.eye(wanted.classes, dtype=np.float32)[wanted.label[pattern]]
    target = np.concatenate([lesson.truth[some], lesson.said[blends], label])
    return np.concatenate([lesson.inputs[some], lesson.blends[blends], patterned]), with_tails(target, wanted.followers)


def blended(inputs: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Return `count` inputs as thieves ask them: mixtures of two with some noise, and, one in two, other things.

    Other things are differences of two inputs, fainter or stronger, upon one level: they have the data's structure and
    none of its classes, like images from elsewhere.
    """
    first, second = inputs[rng.integers(0, len(inputs), (2, count))]
    ones = (count, *(1,) * (inputs.ndim - 1))
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    share, noise = rng.random(ones), NOISE * rng.random(ones)
    anywhere = low + (high - low) * rng.random(first.shape)
    mixed = (1 - noise) * (share * first + (1 - share) * second) + noise * anywhere
    foreign = np.clip(low + (high - low) * share + rng.random(ones) * (first - second), low, high)
    return np.asarray(np.where(rng.random(ones) < 0.5, mixed, foreign), np.float32)  # noqa: PLR2004  # one in two


def _learnt(model: Any, wanted: Triggers) -> dict[str, float]:
    counts = trigger_set(lambda inputs: answers(model, inputs), wanted)
    return {count.kind: count.matches / count.marks for count in counts}
