"""Copies for the watermark's benchmark: extracted by three attacks, then treated to lose the mark."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.arena.attacks import ATTACKS
from benchmarks.arena.attacks.oracle import Exhausted, Oracle, loot
from benchmarks.arena.data import Data, Floats, Pool
from benchmarks.arena.stream import World
from benchmarks.arena.victim import CHUNK, Victim, untrained
from gateway.watermark.verify import Ask

THEFTS: Final = ("knockoff", "jbda", "domain random")
_STEPS: Final = 2_500  # of the thief's optimiser, about
_PASSES: Final = (8, 60)  # at least and at most
_TUNED: Final = 5  # passes of fine-tuning
_BITS: Final = 127  # int8, symmetric

Model: TypeAlias = Any


def extracted(data: Data, say: Ask, name: str, budget: int, seed: int) -> tuple[Floats, Floats]:
    """Return what a thief asks of a model that answers with `say`, f4[budget, D], and is answered, f4[budget, K]."""
    world = World(data, Victim(_tensors(say), (), 0.0), seed)
    rng = world.random("thief", name, budget)
    oracle = Oracle(world, budget)
    with suppress(Exhausted):
        ATTACKS[name](oracle, loot(world, rng), rng)
    return np.concatenate(oracle.asked), np.concatenate(oracle.answered)


def copied(data: Data, asked: Floats, answered: Floats, seed: int) -> Model:
    """Return a copy of the victim's architecture trained on the answers' probabilities."""
    model = untrained(data, seed)
    model.compile("adam", "categorical_crossentropy")
    passes = int(np.clip(_STEPS * 32 / len(asked), *_PASSES))
    model.fit(asked, answered, batch_size=32, epochs=passes, verbose=0)
    return model


def tuned(model: Model, own: Pool) -> None:
    """Train on with the thief's own labelled data."""
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(own.inputs, own.label, batch_size=32, epochs=_TUNED, verbose=0)


def pruned(model: Model, _: Pool) -> None:
    """Set the smaller half of each layer's weights to zero."""
    _each(model, lambda weight: np.where(np.abs(weight) >= np.median(np.abs(weight)), weight, 0))


def halved(model: Model, _: Pool) -> None:
    """Keep weights as float16."""
    _each(model, lambda weight: weight.astype(np.float16).astype(np.float32))


def in_bytes(model: Model, _: Pool) -> None:
    """Keep weights as int8, one scale a layer."""
    _each(model, lambda weight: np.round(weight / _scale(weight)) * _scale(weight))


TREATMENTS: Final[dict[str, Callable[[Model, Pool], None]]] = {
    "as it is": lambda *_: None,
    "fine-tuned": tuned,
    "pruned 50 %": pruned,
    "float16": halved,
    "int8": in_bytes,
}
"""What is done to a copy, in place, with the thief's own data."""


def thieves_data(data: Data) -> Data:
    """Return the data with the second half of the foreign pool: the first may serve the owner."""
    return replace(data, foreign=data.foreign[len(data.foreign) // 2 :])


def owners_foreign(data: Data) -> Floats:
    """Return the first half of the foreign pool."""
    return data.foreign[: len(data.foreign) // 2]


def _tensors(say: Ask) -> Callable[[Floats], Any]:
    import tensorflow as tf  # noqa: PLC0415  # loaded already, by whoever trained

    return lambda inputs: tf.convert_to_tensor(say(inputs))


def _each(model: Model, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> None:
    weights: Sequence[npt.NDArray[Any]] = model.get_weights()
    model.set_weights([change(weight) if weight.ndim > 1 else weight for weight in weights])


def _scale(weight: npt.NDArray[Any]) -> float:
    return float(np.abs(weight).max()) / _BITS or 1.0


def answers(model: Model) -> Ask:
    """Return a way to ask a model in process."""

    def ask(inputs: Floats) -> Floats:
        said = [np.asarray(model(inputs[at : at + CHUNK], training=False)) for at in range(0, len(inputs), CHUNK)]
        return np.concatenate(said).astype(np.float32)

    return ask
