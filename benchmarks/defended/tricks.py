"""Tricks: what a thief who knows of the defence does about it. A trick is a function here and a line below."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.isotonic import IsotonicRegression

from benchmarks.arena.data import Floats
from benchmarks.arena.victim import Victim
from benchmarks.defended.catalogue import DEFENCES, FLOOR, INDEPENDENT, POLICY, UNDEFENDED, Defence
from benchmarks.defended.copies import Workshop, sure
from benchmarks.defended.thieves import Haul
from gateway.outputs import Asked, served

REPEATS: Final = 10
_JITTER: Final = 0.01  # of the inputs' standard deviation


@dataclass(frozen=True, slots=True)
class Case:
    """A thief at work: what it was served so far, whom it can ask again, and what it trains copies with."""

    haul: Haul
    defence: Defence
    defended: Victim
    workshop: Workshop


@dataclass(frozen=True, slots=True)
class Trick:
    """`turn` makes another haul of what was taken; `asks` queries are needed for each of the budget."""

    turn: Callable[[Case], Haul]
    against: frozenset[str]  # defences
    asks: int = 1
    up_to: int = 2_000  # the largest budget at which it is tried: training is dear


def labels_only(case: Case) -> Haul:
    """Forget the probabilities."""
    return Haul(case.haul.inputs, sure(case.haul.answers))


def repeats(case: Case) -> Haul:
    """Ask everything ten times and take the mean."""
    return Haul(case.haul.inputs, _mean([case.defended.ask(case.haul.inputs) for _ in range(REPEATS)]))


def tenth(case: Case) -> Haul:
    """Ask a tenth, ten times each."""
    return repeats(_first(case, len(case.haul.inputs) // REPEATS))


def jittered(case: Case) -> Haul:
    """Ask ten copies of each input, each with a little noise of its own, and take the mean."""
    inputs, rng = case.haul.inputs, np.random.default_rng(len(case.haul.inputs))
    size = _JITTER * float(inputs.std())
    near = (inputs + size * rng.standard_normal(inputs.shape, np.float32) for _ in range(REPEATS))
    return Haul(inputs, _mean([case.defended.ask(np.clip(moved, 0, 1).astype(np.float32)) for moved in near]))


def undone(case: Case) -> Haul:
    """Fit the way back: from what the defence, whose code is public, makes of a copy's answers to these answers.

    The copy is trained on the labels of one half and asked the other, so that it is no surer than a model is of what
    it does not know. The way back is monotone in each probability; the secret is not known.
    """
    inputs, answers = case.haul.inputs, case.haul.answers
    half = len(inputs) // 2
    own = case.workshop.copy(inputs[:half], sure(answers[:half]), inputs[half:])
    changed = served(case.defence.steps, Asked("own", own, b"not the secret"))
    back = IsotonicRegression(out_of_bounds="clip").fit(changed.ravel(), own.ravel())
    return Haul(inputs, back.predict(answers.ravel()).reshape(answers.shape).astype(np.float32))


def spread(case: Case) -> Haul:
    """Take what rounding left of a row's sum as shared by the classes that were rounded to nothing."""
    answers = case.haul.answers
    none = answers == 0
    left = np.clip(1 - answers.sum(1, keepdims=True), 0.05, None)  # a 1.0 stands for 0.95 on
    return Haul(case.haul.inputs, np.where(none, left / np.maximum(none.sum(1, keepdims=True), 1), answers))


def _first(case: Case, count: int) -> Case:
    return Case(case.haul.first(count), case.defence, case.defended, case.workshop)


def _mean(answers: list[Floats]) -> Floats:
    """Return the mean, exactly the answer where all are alike."""
    return np.asarray(np.mean(np.asarray(answers, np.float64), axis=0), np.float32)


_NOISY: Final = frozenset({"gaussian noise", INDEPENDENT})
_SOFT: Final = frozenset(name for name, held in DEFENCES.items() if held.steps) - {FLOOR, POLICY}
_BEYOND = frozenset(name for name, held in DEFENCES.items() if held.marks)
_ANY = 1_000_000
TRICKS: Final[dict[str, Trick]] = {
    "labels only": Trick(labels_only, _SOFT - _BEYOND | {UNDEFENDED}, up_to=_ANY),
    "the mean of 10 repeats": Trick(repeats, _NOISY | {"angular deviation"}, REPEATS, _ANY),
    "a tenth, the mean of 10 repeats": Trick(tenth, _NOISY, REPEATS),
    "the mean of 10 jittered": Trick(jittered, _NOISY | {"angular deviation"}, REPEATS),
    "undone by a monotone map": Trick(undone, _SOFT - _BEYOND),
    "zeros filled": Trick(spread, frozenset({"rounded to 1 decimal"})),
}
