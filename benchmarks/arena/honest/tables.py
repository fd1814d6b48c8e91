"""Honest kinds that send rows of a table of their own making: the siblings of the image kinds."""

from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.arena.data import Floats, Random
from benchmarks.arena.honest.source import Source, scenes

_HALF: Final = 0.5
_DISCRETE: Final = 3  # columns with fewer values are flags


def burst(source: Source, rng: Random, count: int) -> Floats:
    """Score each case 3 to 10 times while it is filled in: one or two columns change now and then."""
    lengths = scenes(rng, count, 3, 10)
    rows = np.repeat(source.draw(rng, len(lengths)), lengths)
    inputs = source.inputs[rows].copy()
    others = source.inputs[source.draw(rng, len(rows))]
    column = rng.integers(0, inputs.shape[1], len(rows))
    changed = np.flatnonzero(rng.random(len(rows)) < 0.2)  # noqa: PLR2004  # a fifth
    inputs[changed, column[changed]] = others[changed, column[changed]]
    return inputs


def customers(source: Source, rng: Random, count: int) -> Floats:
    """Score the same few customers again and again while one measured column moves slowly."""
    known = source.inputs[source.draw(rng, int(rng.integers(5, 30)))]
    inputs = known[np.arange(count) % len(known)].copy()
    column = _measured(source, rng)
    spread = source.inputs[:, column].std()
    inputs[:, column] += spread * 0.3 * np.sin(np.linspace(0, rng.uniform(1, 8), count))
    return _tidy(source, inputs)


def shifted(source: Source, rng: Random, count: int) -> Floats:
    """Measure some columns with another instrument: always the same offset and scale."""
    inputs = source.inputs[source.draw(rng, count)].copy()
    mean, spread = source.inputs.mean(0), source.inputs.std(0)
    some = _many_valued(source) & (rng.random(inputs.shape[1]) < _HALF)
    offset, scale = rng.normal(0, 0.35, inputs.shape[1]) * spread, rng.uniform(0.75, 1.3, inputs.shape[1])
    moved = mean + (inputs - mean) * scale + offset
    return np.where(some, moved, inputs).astype(np.float32)


def drift(source: Source, rng: Random, count: int) -> Floats:
    """Let prices rise: some columns move by up to a standard deviation over the client's life."""
    inputs = source.inputs[source.draw(rng, count)].copy()
    some = _many_valued(source) & (rng.random(inputs.shape[1]) < _HALF)
    way = np.linspace(0, rng.uniform(0.3, 1), count)[:, None] * source.inputs.std(0) * rng.choice([-1, 1])
    return np.where(some, inputs + way, inputs).astype(np.float32)


def augmented(source: Source, rng: Random, count: int) -> Floats:
    """Ask how robust an answer is: 4 to 10 copies of a row with a little noise on the measured columns."""
    lengths = scenes(rng, count, 4, 10)
    inputs = source.inputs[np.repeat(source.draw(rng, len(lengths)), lengths)].copy()
    noise = rng.normal(0, rng.uniform(0.02, 0.1), inputs.shape) * source.inputs.std(0)
    noise[np.cumsum([0, *lengths[:-1]])] = 0  # the row itself comes first
    return np.where(_many_valued(source), inputs + noise, inputs).astype(np.float32)


def stress(source: Source, rng: Random, count: int) -> Floats:
    """Test limits: columns pushed to their ends, emptied, or out of range, more and more of them."""
    lengths = scenes(rng, count, 5, 9)
    inputs = source.inputs[np.repeat(source.draw(rng, len(lengths)), lengths)].copy()
    degree = np.concatenate([np.linspace(0.1, 0.8, length) for length in lengths])
    hit = rng.random(inputs.shape) < degree[:, None] * rng.uniform(0.4, 1)
    low, high = source.inputs.min(0), source.inputs.max(0)
    ends = np.where(rng.random(inputs.shape) < _HALF, low, high)
    return np.where(hit, ends, inputs).astype(np.float32)


def what_if(source: Source, rng: Random, count: int) -> Floats:
    """Vary one or two columns of a case over their ranges, in order or shuffled, case after case."""
    columns = rng.choice(source.inputs.shape[1], int(rng.integers(1, 3)), replace=False)
    shuffled, parts = rng.random() < _HALF, []
    low, high = source.inputs.min(0), source.inputs.max(0)
    for length in scenes(rng, count, 8, 24):
        copies = np.repeat(source.inputs[source.draw(rng, 1)], length, axis=0)
        for column in columns:
            values = np.linspace(low[column], high[column], length)
            copies[:, column] = rng.permutation(values) if shuffled else values
        parts.append(_tidy(source, copies))
    return np.concatenate(parts)


def new_domain(source: Source, rng: Random, count: int) -> Floats:
    """Be a new customer: only rows from one end of a direction, with one column that it never fills."""
    by = ((source.inputs - source.inputs.mean(0)) / (source.inputs.std(0) + 1e-9)) @ rng.standard_normal(
        source.inputs.shape[1]
    )
    weight = (by >= np.quantile(by, rng.uniform(0.5, 0.85))).astype(np.float64)
    inputs = source.inputs[source.draw(rng, count, weight)].copy()
    column = int(rng.integers(inputs.shape[1]))
    inputs[:, column] = np.median(source.inputs[:, column])
    return inputs


def mixed(source: Source, rng: Random, count: int) -> Floats:
    """Collect from several systems: some round, some scale, some leave a column at its default."""
    inputs = source.inputs[source.draw(rng, count)].copy()
    which, median = rng.integers(0, 3, count), np.median(source.inputs, axis=0)
    rounded = np.round(inputs, 1)
    defaulted = np.where(rng.random(inputs.shape[1]) < 0.2, median, inputs)  # noqa: PLR2004  # a fifth
    return np.where((which == 1)[:, None], rounded, np.where((which == 2)[:, None], defaulted, inputs)).astype(  # noqa: PLR2004  # the third system
        np.float32
    )


def quantised(source: Source, rng: Random, count: int) -> Floats:
    """Send half floats or few decimals."""
    inputs = source.inputs[source.draw(rng, count)]
    if rng.random() < _HALF:
        return inputs.astype(np.float16).astype(np.float32)
    return np.round(inputs, int(rng.integers(0, 3)))


def _many_valued(source: Source) -> npt.NDArray[np.bool_]:
    return np.array([len(np.unique(column)) >= _DISCRETE for column in source.inputs[:2_000].T])


def _measured(source: Source, rng: Random) -> int:
    return int(rng.choice(np.flatnonzero(_many_valued(source))))


def _tidy(source: Source, inputs: Floats) -> Floats:
    """Round what can only be whole."""
    return np.where(source.data.whole, np.round(inputs), inputs).astype(np.float32)
