"""What is studied: a data set whose honest and past parts, which nobody asks from here, serve thief and tests."""

from dataclasses import replace
from typing import Final

import numpy as np

from benchmarks.arena import data
from benchmarks.arena.data import Data, Floats, Pool

_TESTED: Final = 5_000  # inputs at most


def load(name: str, seed: int) -> Data:
    """Return a data set of images with a larger pool for thieves and more test inputs.

    `seeds` gets the part `past`, `test` the part `honest`; `foreign` is mirrored in both directions, so that
    10,000 different images can be asked. Raises FileNotFoundError where the data set's file is missing.
    """
    known = data.load(name, seed)
    return replace(
        known,
        seeds=_joined(known.seeds, known.past),
        test=_first(_joined(known.test, known.honest), _TESTED),
        foreign=_mirrored(known.foreign, known.shape),
    )


def _joined(one: Pool, two: Pool) -> Pool:
    return Pool(np.concatenate([one.inputs, two.inputs]), np.concatenate([one.label, two.label]))


def _first(pool: Pool, count: int) -> Pool:
    return Pool(pool.inputs[:count], pool.label[:count])


def _mirrored(flat: Floats, shape: tuple[int, ...]) -> Floats:
    images = flat.reshape(len(flat), *shape)
    sides = [images, images[:, :, ::-1], images[:, ::-1], images[:, ::-1, ::-1]]
    return np.concatenate(sides).reshape(4 * len(flat), -1)
