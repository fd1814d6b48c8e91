"""Data: one data set in disjoint parts, so that nobody is judged on what others saw."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from detector.query import Shape

Floats: TypeAlias = npt.NDArray[np.float32]
Numbers: TypeAlias = npt.NDArray[np.floating[Any]]  # of any precision
Labels: TypeAlias = npt.NDArray[np.int64]
Random: TypeAlias = np.random.Generator


@dataclass(frozen=True, slots=True)
class Pool:
    """Inputs f4[n, D], as clients send them, and their true classes i8[n]."""

    inputs: Floats
    label: Labels

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True, slots=True)
class Data:
    """A data set. `low` and `high` f4[D] are what each number of an input can be, as a thief would guess it."""

    name: str
    shape: Shape
    classes: int
    training: Pool  # the victim's
    past: Pool  # honest clients whom the population is learnt from
    honest: Pool  # honest clients who are judged
    seeds: Pool  # what thieves own of the model's domain
    test: Pool  # where copies are compared with the victim
    foreign: Floats  # [n, D] what thieves can get from elsewhere
    low: Floats
    high: Floats
    whole: npt.NDArray[np.bool_]  # [D] columns that hold whole numbers only; none of an image's

    @property
    def image(self) -> bool:
        """Tell whether inputs are images."""
        return len(self.shape) > 1


def load(name: str, seed: int) -> Data:
    """Return a data set, divided at random by the seed. Raises FileNotFoundError where its file is missing."""
    return SETS[name](np.random.default_rng([seed, 1]))


def _folder() -> Path:
    return Path(os.environ.get("BENCHMARK_DATA", "benchmark-data"))


def _file(name: str) -> dict[str, npt.NDArray[np.uint8]]:
    path = _folder() / f"{name}.npz"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: set BENCHMARK_DATA to the folder that holds {name}.npz")
    with np.load(path) as held:
        return {key: held[key] for key in held.files}


def _mnist(rng: Random) -> Data:
    held = _file("mnist")
    images = np.concatenate([held["x_train"], held["x_test"]])
    digits = np.concatenate([held["y_train"], held["y_test"]])
    sizes = {"training": 20_000, "past": 12_000, "honest": 12_000, "seeds": 4_000, "test": 2_000}
    colour = _file("cifar10_pool")["x"].astype(np.float32) / 255
    grey = colour.mean(axis=3)[:, 2:30, 2:30]
    return _images("mnist", (28, 28), _parts(images, digits, sizes, rng), grey)


def _gtsrb(rng: Random) -> Data:
    held = _file("gtsrb")
    images = np.concatenate([held["x_train"], held["x_test"]])
    signs = np.concatenate([held["y_train"], held["y_test"]]).ravel()
    sizes = {"training": 7_000, "past": 3_800, "honest": 3_800, "seeds": 1_200, "test": 1_200}
    colour = _file("cifar10_pool")["x"].astype(np.float32) / 255
    return _images("gtsrb", (32, 32, 3), _parts(images, signs, sizes, rng), colour)


def _cifar(rng: Random) -> Data:
    """Few natural photographs, on which a victim is often wrong and seldom sure."""
    held = _file("cifar10_pool")
    sizes = {"training": 2_600, "past": 1_350, "honest": 1_350, "seeds": 400, "test": 300}
    colour = _file("gtsrb")["x_train"].astype(np.float32) / 255
    return _images("cifar", (32, 32, 3), _parts(held["x"], held["y"].ravel(), sizes, rng), colour)


def _digits(rng: Random) -> Data:
    from sklearn.datasets import load_digits  # noqa: PLC0415  # only this data set needs it

    from gamekeeper.demo.data import patches  # noqa: PLC0415  # TensorFlow opens the photographs

    held = load_digits()
    images = (held.images * (255 / 16)).astype(np.uint8)
    sizes = {"training": 700, "past": 400, "honest": 350, "seeds": 197, "test": 150}
    return _images("digits", (8, 8), _parts(images, held.target, sizes, rng), patches())


def _images(name: str, shape: Shape, parts: dict[str, Pool], foreign: Numbers) -> Data:
    size = int(np.prod(shape))
    return Data(
        name=name,
        shape=shape,
        classes=1 + max(int(pool.label.max()) for pool in parts.values()),
        **parts,
        foreign=np.ascontiguousarray(foreign.reshape(len(foreign), -1), np.float32),
        low=np.zeros(size, np.float32),
        high=np.ones(size, np.float32),
        whole=np.zeros(size, np.bool_),
    )


def _parts(
    images: npt.NDArray[np.uint8], label: npt.NDArray[np.integer[Any]], sizes: dict[str, int], rng: Random
) -> dict[str, Pool]:
    inputs = images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    return _divided(inputs, label.astype(np.int64), sizes, rng)


def _divided(inputs: Floats, label: Labels, sizes: dict[str, int], rng: Random) -> dict[str, Pool]:
    order = rng.permutation(len(label))
    ends = np.cumsum(list(sizes.values()))
    rows = np.split(order[: ends[-1]], ends[:-1])
    return {name: Pool(inputs[at], label[at]) for name, at in zip(sizes, rows, strict=True)}


def _tabular(rng: Random) -> Data:
    """RAND health insurance experiment, bundled with statsmodels; class 1: visited a doctor within the year."""
    from statsmodels.datasets import randhie  # noqa: PLC0415  # only this data set needs it

    table = randhie.load_pandas().data.to_numpy(np.float64)
    sizes = {"training": 8_000, "past": 4_500, "honest": 4_500, "seeds": 1_700, "test": 1_490}
    return _table("tabular", table[:, 1:], table[:, 0] > 0, sizes, rng)


def _affairs(rng: Random) -> Data:
    """Fair's survey of 1978, bundled with statsmodels: eight columns of few values, so that rows recur."""
    from statsmodels.datasets import fair  # noqa: PLC0415  # only this data set needs it

    table = fair.load_pandas().data.to_numpy(np.float64)
    sizes = {"training": 2_400, "past": 1_500, "honest": 1_500, "seeds": 500, "test": 466}
    return _table("affairs", table[:, :-1], table[:, -1] > 0, sizes, rng)


def _table(name: str, columns: Numbers, yes: npt.NDArray[np.bool_], sizes: dict[str, int], rng: Random) -> Data:
    inputs = columns.astype(np.float32)
    parts = _divided(inputs, yes.astype(np.int64), sizes, rng)
    # A thief without rows of its own knows each column's values and draws every column by itself.
    foreign = np.stack([rng.permuted(column) for column in inputs.T], axis=1)[:6_000]
    return Data(
        name=name,
        shape=(inputs.shape[1],),
        classes=2,
        **parts,
        foreign=np.ascontiguousarray(foreign),
        low=inputs.min(0),
        high=inputs.max(0),
        whole=np.all(inputs == np.round(inputs), axis=0),
    )


SETS: Final[dict[str, Callable[[Random], Data]]] = {
    "mnist": _mnist,
    "gtsrb": _gtsrb,
    "digits": _digits,
    "tabular": _tabular,
    "cifar": _cifar,
    "affairs": _affairs,
}
"""All data sets. Whoever adds one writes a loader and names it here."""
