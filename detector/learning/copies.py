"""Copies: what thieves would learn from ordinary queries, so that leakage can say what a real copy is worth.

Neural networks are trained as a thief would, on growing and on narrow parts of ordinary queries with the model's
answers, and tested on others. Beside each stands what the detector's cheap copy makes of the same ones: a monotone
map leads from the one to the other (isotonic regression), and the growing parts give a learning curve.
No knowledge of the model enters.

Source: fidelity of surrogates as in Jagielski et al. 2020; isotonic regression, Barlow et al. 1972.
"""

import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning
from sklearn.isotonic import IsotonicRegression
from sklearn.neural_network import MLPClassifier

from detector import feature_loops, features, geometry, leakage, memory
from detector.clients import Table
from detector.features import Features
from detector.geometry import Floats
from detector.learning import surrogate
from detector.learning.past import Rows, generator, sample
from detector.population import Population
from detector.query import Queries

SIZES: Final = (16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192)
TWICE: Final = 256  # parts up to this size are drawn twice: they cost little and differ much
NARROW: Final = 12  # parts of one or a few classes or places
NARROW_SIZE: Final = 256
BLOCK: Final = 1_024  # queries compared at once
HIDDEN: Final = 64
STEPS: Final = 2_000  # of gradient descent: larger parts are passed through fewer times, which keeps learning short
PASSES: Final = 120
BATCH: Final = 128
LOOKED: Final = 16_384  # ordinary queries looked at
TESTED: Final = 1_024  # scenes at most that the copies are tested on
TESTED_MIN: Final = 64  # below, what they reach would be a guess
WIDTH: Final = 1_024  # input numbers of a network; larger images are averaged in blocks, tables folded

Labels = npt.NDArray[np.int64]


class _Asked(NamedTuple):
    """Ordinary queries, [n] rows."""

    inputs: Floats  # [n, WIDTH at most] scaled
    seen: Features
    label: Labels


class _Sides(NamedTuple):
    """Queries that teach, and others that test."""

    teach: _Asked
    test: _Asked
    points: leakage.Points


def learn(past: Queries, population: Population) -> Population:
    """Return the population with `leakage_map` and `leakage_curve`; as it was where too little was asked."""
    rng = generator("copies", population.model)
    sides = _sides(rng, past, population)
    if sides is None:
        return population
    parts = list(_parts(rng, sides.teach))
    pairs = np.array([(len(part), *_copied(sides, part)) for _, part in parts])
    growing = np.array([even for even, _ in parts])
    curve = _monotone(np.log1p(pairs[growing, 0]), pairs[growing, 2])
    curve[:, 0] = np.expm1(curve[:, 0])
    drawn = np.concatenate([[[0.0, 0.0]], _monotone(pairs[:, 1], pairs[:, 2]), [[1.0, 1.0]]])
    found = {"leakage_map": drawn.astype(np.float32), "leakage_curve": curve.astype(np.float32)}
    return replace(population, arrays={**population.arrays, **found})


def _sides(rng: np.random.Generator, past: Queries, population: Population) -> _Sides | None:
    """Set some scenes aside to test on, with all queries near them: memory must not pass for learning."""
    rows = sample(past)
    rows = rng.permutation(rows[past.label[rows] >= 0])[:LOOKED]
    scale = memory.scales(population)
    if past.input is None or len(rows) < leakage.POINTS_MIN or np.isnan(scale.r + scale.udist):
        return None
    asked = _asked(past.input[rows], past.label[rows], population)
    scenes = _scenes(asked.seen.z[: 2 * TESTED], scale.r)
    test = _take(asked, scenes[::2])
    nearest = [cdist(asked.seen.z[at : at + BLOCK], test.seen.z).min(1) for at in range(0, len(rows), BLOCK)]
    teach = _take(asked, np.flatnonzero(np.concatenate(nearest) > scale.r))
    if len(test.label) < TESTED_MIN or len(teach.label) < TESTED_MIN:
        return None
    cells = memory.scene(population.arrays["cells"])
    return _Sides(teach, test, leakage.laid_out(memory.scene(test.seen.ux), test.label, cells))


def _scenes(z: Floats, radius: float) -> Rows:
    """Return rows of which no two lie within `radius`: what is asked again and again counts once."""
    apart = cdist(z, z) > radius
    free = np.ones(len(z), np.bool_)
    for row in range(len(z)):
        if free[row]:
            free[row + 1 :] &= apart[row, row + 1 :]
    return np.flatnonzero(free)


def _take(asked: _Asked, rows: Rows) -> _Asked:
    return _Asked(asked.inputs[rows], asked.seen.take(rows), asked.label[rows])


def _asked(inputs: Floats, label: Labels, population: Population) -> _Asked:
    """Return queries with their features, and inputs as a network takes them."""
    seen = features.extract(population, inputs, label)
    scaled = np.asarray((inputs - population.arrays["offset"]) * population.arrays["scale"], np.float32)
    return _Asked(_narrow(geometry.layout(population.shape), population.model, scaled), seen, label)


def _narrow(layout: geometry.Layout, model: str, inputs: Floats) -> Floats:
    """Return inputs as narrow as a network needs them: images averaged in blocks, tables folded."""
    if not layout.image:
        return feature_loops.folded(inputs, *geometry.folding(model, layout.size), layout.coarse)
    block = math.ceil(math.sqrt(layout.size / WIDTH))
    first = 2 if layout.channels_first else 1
    sides = (layout.height, layout.width)
    shape = (layout.channels, *sides) if layout.channels_first else (*sides, layout.channels)
    image: Any = np.clip(inputs, 0, 1).reshape(-1, *shape)
    for axis in (first, first + 1):
        image = np.add.reduceat(image, range(0, image.shape[axis], block), axis=axis) / np.float32(block)
    return np.asarray(image.reshape(len(inputs), -1), np.float32)


def _parts(rng: np.random.Generator, teach: _Asked) -> Iterator[tuple[bool, Rows]]:
    """Yield parts of the queries that teach, and whether they are an even sample of ordinary use."""
    count = len(teach.label)
    sizes = [size for size in SIZES if size < count]
    for size in [*(size for size in sizes if size <= TWICE), *sizes, min(count, SIZES[-1])]:
        yield True, rng.permutation(count)[:size]
    for number in range(NARROW):
        of = teach.label if number % 2 else teach.seen.cell
        groups = rng.permutation(np.unique(of))[: 1 << (number // 2)]
        yield False, rng.permutation(np.flatnonzero(np.isin(of, groups)))[:NARROW_SIZE]


def _copied(sides: _Sides, part: Rows) -> tuple[float, float]:
    """Return how often the detector's copy and a neural network, both taught by a part, agree with the model."""
    found = _taught(sides, part)
    answers = _network(sides.teach.inputs[part], sides.teach.label[part], sides.test.inputs)
    return found, float(np.mean(answers == sides.test.label))


def _taught(sides: _Sides, part: Rows) -> float:
    table, count = Table(16), len(part)
    slot = np.full(count, table.slot("a copy"), np.int64)
    flags, never = np.ones(count, np.bool_), np.full(count, -1, np.int64)
    seen = sides.teach.seen
    told = leakage.Seen(
        slot=slot,
        label=sides.teach.label[part],
        has_input=flags,
        repeat=~flags,
        ux=memory.scene(seen.ux[part]),
        cell=seen.cell[part],
        closing=never,
        order=np.arange(count),
    )
    leakage.follow(table.columns["leakage"], sides.points, told, 0)
    known = leakage.known(table.columns["leakage"], sides.points, int(slot[0]))
    return float(known.agreed[0]) / len(sides.points.answer)


def _network(inputs: Floats, label: Labels, tested: Floats) -> Labels:
    usual = np.isin(label, surrogate.frequent(label))
    inputs, label = inputs[usual], label[usual]
    if len(np.unique(label)) == 1:
        return np.full(len(tested), label[0])
    passes = min(PASSES, max(1, STEPS * BATCH // len(inputs)))
    network = MLPClassifier((HIDDEN,), batch_size=min(BATCH, len(inputs)), max_iter=passes, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of passes is meant
        answers: Labels = network.fit(inputs, label).predict(tested)
    return answers


def _monotone(values: npt.NDArray[Any], truth: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the knots of a rising line, f8[k, 2]: the middle of each step of the nearest rising steps."""
    steps = IsotonicRegression().fit_transform(values, truth)
    levels, step = np.unique(steps, return_inverse=True)
    return np.column_stack([np.bincount(step, values) / np.bincount(step), levels])
