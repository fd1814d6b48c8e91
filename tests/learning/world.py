"""A small real world to learn from: a model of scikit-learn's digits, honest clients of several kinds, and thieves."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, shift
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from detector.query import Queries

SHAPE = (8, 8)
LIFE = 160  # queries of a client
Images = npt.NDArray[np.float32]
Random = np.random.Generator
TRAINING, PAST, LATER = slice(0, 800), slice(800, 1300), slice(1300, 1797)  # disjoint images


@cache
def digits() -> tuple[Images, npt.NDArray[np.int64]]:
    """Return all images f4[1797, 64] in 0..1 and their classes."""
    images, classes = load_digits(return_X_y=True)
    return (images / 16).astype(np.float32), classes.astype(np.int64)


@cache
def victim() -> Any:
    """Return the model that is asked, trained on images that no client sends."""
    images, classes = digits()
    return MLPClassifier((64,), max_iter=400, random_state=0).fit(images[TRAINING], classes[TRAINING])


def asked(lives: Mapping[str, Images], model: str = "digits") -> Queries:
    """Return all clients' queries with the model's answers, one client after the other."""
    inputs = np.concatenate(list(lives.values()))
    answers = np.sort(victim().predict_proba(inputs), axis=1)
    margin = (answers[:, -1] - answers[:, -2]).astype(np.float32)
    counts = [len(life) for life in lives.values()]
    client = np.repeat(np.arange(len(lives), dtype=np.int32), counts)
    return queries(tuple(lives), client, victim().predict(inputs), inputs, margin, model=model)


def queries(  # noqa: PLR0913  # one parameter a column
    clients: tuple[str, ...],
    client: npt.NDArray[np.int32],
    label: npt.NDArray[np.int64],
    inputs: Images | None,
    margin: Images | None = None,
    *,
    model: str = "m",
) -> Queries:
    """Return queries with plain values in all other columns."""
    count = len(client)
    identity = np.zeros((count, 2), np.uint64)
    identity[:, 1] = np.arange(1, count + 1)
    known = np.full(count, np.nan, np.float32) if margin is None else margin
    return Queries(
        model=model,
        clients=clients,
        tenants=(None,) * len(clients),
        client=client,
        time=np.arange(count, dtype=np.int64) * 1_000_000,
        id=identity,
        scored=np.ones(count, np.bool_),
        has_input=np.full(count, inputs is not None),
        input=inputs,
        label=label.astype(np.int64),
        margin_low=known,
        margin_high=known,
        place=np.arange(count, dtype=np.int64),
        row=np.zeros(count, np.int32),
    )


def honest(part: slice, clients: int, seed: int, prefix: str = "honest") -> dict[str, Images]:
    """Return clients of six kinds, each with its own small shift and noise of the part's images."""
    rng = np.random.default_rng(seed)
    images, classes = digits()
    images, classes = images[part], classes[part]
    return {
        f"{prefix} {number:03}": _camera(images[HONEST[number % len(HONEST)](classes, rng)], rng)
        for number in range(clients)
    }


def _camera(images: Images, rng: Random) -> Images:
    moved = shift(images.reshape(-1, 8, 8), (0, *rng.uniform(-0.6, 0.6, 2)), order=1, mode="nearest")
    noisy = moved.reshape(len(images), 64) + rng.normal(0, 0.02, images.shape)
    seen: Images = np.clip(noisy, 0, 1).astype(np.float32)
    return seen


Rows = npt.NDArray[np.intp]


def _usual(classes: npt.NDArray[np.int64], rng: Random) -> Rows:
    return rng.integers(0, len(classes), LIFE)


def _skewed(classes: npt.NDArray[np.int64], rng: Random) -> Rows:
    weight = rng.dirichlet(np.full(10, 0.3))[classes]
    return rng.choice(len(classes), LIFE, p=weight / weight.sum())


def _narrow(classes: npt.NDArray[np.int64], rng: Random) -> Rows:
    return rng.choice(np.flatnonzero(np.isin(classes, rng.choice(10, 2))), LIFE)


def _retrying(classes: npt.NDArray[np.int64], rng: Random) -> Rows:
    rows = _usual(classes, rng)
    again = np.flatnonzero(rng.random(LIFE - 1) < 0.25) + 1
    rows[again] = rows[again - 1]
    return rows


def _bursts(classes: npt.NDArray[np.int64], rng: Random) -> Rows:
    return np.repeat(rng.integers(0, len(classes), LIFE // 5), 5)


def _checked(classes: npt.NDArray[np.int64], rng: Random) -> Rows:
    rows = _usual(classes, rng)
    rows[::5] = rows[0]
    return rows


HONEST: tuple[Callable[[npt.NDArray[np.int64], Random], Rows], ...] = (
    _usual,
    _skewed,
    _narrow,
    _retrying,
    _bursts,
    _checked,
)


def bisection(part: slice, rng: Random) -> Images:
    """Return a thief who halves the way between images with different answers (Lowd and Meek 2005)."""
    images = digits()[0][part]
    found: list[Images] = []
    while len(found) < LIFE:
        low, high = images[rng.choice(len(images), 2)]
        label = victim().predict([low])[0]
        if label == victim().predict([high])[0]:
            continue
        found += [low, high]
        for _ in range(8):
            middle = (low + high) / 2
            found.append(middle)
            low, high = (middle, high) if victim().predict([middle])[0] == label else (low, middle)
    return np.array(found[:LIFE], np.float32)


def noise(_part: slice, rng: Random) -> Images:
    """Return a thief who sends uniform noise."""
    return rng.random((LIFE, 64), np.float32)


def scenery(_part: slice, rng: Random) -> Images:
    """Return a thief who sends patches of something that looks natural and has nothing to do with digits."""
    rough = rng.standard_normal((300, 300))
    scene = sum(gaussian_filter(rough, size) * size for size in (1, 2, 4, 8))
    scene = (scene - np.min(scene)) / np.ptp(scene)
    corners = rng.integers(0, 260, (LIFE, 2))
    return np.array([scene[y : y + 32 : 4, x : x + 32 : 4].ravel() for y, x in corners], np.float32)


def thieves(part: slice, each: int, seed: int) -> dict[str, Images]:
    """Return `each` thieves of three kinds."""
    rng = np.random.default_rng(seed)
    kinds = {"bisection": bisection, "noise": noise, "scenery": scenery}
    return {f"{name} {number}": kind(part, rng) for name, kind in kinds.items() for number in range(each)}
