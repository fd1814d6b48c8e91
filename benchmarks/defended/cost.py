"""Cost: what a defence takes from honest clients, and from the clock."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.arena.data import Floats, Labels, Pool
from benchmarks.arena.victim import Victim
from benchmarks.defended.catalogue import Defence, answering, truth

_BINS: Final = 15  # of the calibration error, as in Guo et al. 2017
_CALLS: Final = 200  # of which the time is the median


@dataclass(frozen=True, slots=True)
class Cost:
    """One defence's cost to honest clients, on inputs that no model was trained on."""

    seed: int
    defence: str
    accuracy: float
    flips: float  # share of answers with another top class than the undefended model's
    l1: float  # mean L1 distance of an answer from the undefended one, 0..2
    calibration_error: float
    microseconds: float  # added to a row asked alone


def cost(named: tuple[str, Defence], victims: Sequence[Victim], honest: Pool, seed: int) -> Cost:
    """Return what the defence changes in the answers to honest clients' inputs, and in their time."""
    name, defence = named
    plain, served = victims[0].ask(honest.inputs), answering(defence, victims).ask(honest.inputs)
    return Cost(
        seed=seed,
        defence=name,
        accuracy=float(np.mean(served.argmax(1) == honest.label)),
        flips=float(np.mean(served.argmax(1) != plain.argmax(1))),
        l1=float(np.abs(served - plain).sum(1).mean()),
        calibration_error=calibration_error(served, honest.label),
        microseconds=_microseconds(defence, victims, honest.inputs),
    )


def calibration_error(answers: Floats, label: Labels) -> float:
    """Return the expected calibration error of answers f4[n, K] to inputs of true classes i8[n] (Guo et al. 2017)."""
    sure, right = answers.max(1), answers.argmax(1) == label
    bins = np.minimum((sure * _BINS).astype(np.int64), _BINS - 1)
    gaps = [abs(float(np.sum(sure[bins == at] - right[bins == at]))) for at in range(_BINS)]
    return sum(gaps) / len(answers)


def _microseconds(defence: Defence, victims: Sequence[Victim], inputs: Floats) -> float:
    """Return the median time of what is done to one row's answer, and of the further models that it needs."""
    rows = [inputs[at : at + 1] for at in np.arange(_CALLS) % len(inputs)]
    answers = [victims[0].ask(row) for row in rows]
    times = []
    for row, answer in zip(rows, answers, strict=True):
        begun = time.perf_counter()
        defence.after(row, answer)
        times.append(time.perf_counter() - begun)
    further = _asking(defence, victims, rows) - _asking(Defence(), victims, rows) if defence.members == "average" else 0
    return 1e6 * (float(np.median(times)) + further)


def _asking(defence: Defence, victims: Sequence[Victim], rows: Sequence[Floats]) -> float:
    times = []
    for row in rows:
        begun = time.perf_counter()
        truth(defence, victims, row)
        times.append(time.perf_counter() - begun)
    return float(np.median(times))
