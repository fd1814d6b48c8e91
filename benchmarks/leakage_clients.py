"""Worlds and clients for the leakage benchmark: a model, its traffic, and whoever learns something from its answers."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Random = np.random.Generator
Answer = Callable[[Images], Labels]
TRAINING, HELD_OUT = 5_000, 2_000
STEP = 0.1  # of the synthetic queries, on inputs in 0..1


@dataclass(frozen=True, slots=True)
class Pool:
    """Images f4[n, D] in 0..1 and the model's answers to them."""

    images: Images
    label: Labels


@dataclass(frozen=True, slots=True)
class World:
    """A model and disjoint images: for the population, for clients, and the owner's held-out traffic."""

    name: str
    shape: tuple[int, ...]
    answer: Answer
    past: Pool
    own: Pool
    held_out: Pool
    foreign: Images  # of another domain


def world(name: str) -> World:
    """Return the world of a data set; "mnist" and "gtsrb" need the folder BENCHMARK_DATA."""
    images, classes = _digits() if name == "digits" else _read(name)
    order = np.random.default_rng(0).permutation(len(images))[: TRAINING * 5]
    images, classes = images[order], classes[order]
    training, held_out = min(TRAINING, len(images) // 4), min(HELD_OUT, len(images) // 5)
    shape = images.shape[1:]
    answer = _victim(images[:training], classes[:training])
    rest = images[training:].reshape(-1, int(np.prod(shape)))
    parts = np.split(rest, [held_out, held_out + (len(rest) - held_out) // 3])
    held, past, own = (Pool(part, answer(part)) for part in parts)
    return World(name, shape, answer, past, own, held, _foreign(name, shape))


def _digits() -> tuple[Images, Labels]:
    images, classes = load_digits(return_X_y=True)
    return (images.reshape(-1, 8, 8) / 16).astype(np.float32), classes.astype(np.int64)


def _folder() -> Path:
    folder = os.environ.get("BENCHMARK_DATA")
    if not folder:
        raise SystemExit(
            "benchmarks: set BENCHMARK_DATA to the folder of mnist.npz and gtsrb.npz, or use --dataset digits"
        )
    return Path(folder)


def _read(name: str) -> tuple[Images, Labels]:
    with np.load(_folder() / f"{name}.npz") as held:
        images = np.concatenate([held["x_train"], held["x_test"]])
        classes = np.concatenate([held["y_train"], held["y_test"]])
    return (images / 255).astype(np.float32), classes.astype(np.int64)


def _victim(images: Images, classes: Labels) -> Answer:
    if images[0].size < 28 * 28:
        model = MLPClassifier((64,), max_iter=400, random_state=0).fit(images.reshape(len(images), -1), classes)
        return lambda asked: np.asarray(model.predict(asked), np.int64)
    network = _network(images, classes)
    shape = (*images.shape[1:], 1)[:3]

    def answer(asked: Images) -> Labels:
        probabilities = network.predict(asked.reshape(-1, *shape), batch_size=1_024, verbose=0)
        return np.asarray(probabilities.argmax(1), np.int64)

    return answer


def _network(images: Images, classes: Labels) -> Any:
    import keras  # noqa: PLC0415  # heavy, and digits need none

    keras.utils.set_random_seed(0)
    layers = keras.layers
    shape = (*images.shape[1:], 1)[:3]
    convolved = [[layers.Conv2D(width, 3, activation="relu"), layers.MaxPooling2D()] for width in (16, 32)]
    dense = [layers.Flatten(), layers.Dense(96, activation="relu"), layers.Dense(int(classes.max()) + 1, "softmax")]
    network = keras.Sequential([layers.Input(shape), *convolved[0], *convolved[1], *dense])
    network.compile("adam", "sparse_categorical_crossentropy")
    network.fit(images.reshape(-1, *shape), classes, epochs=12, batch_size=64, verbose=0)
    return network


def _foreign(name: str, shape: tuple[int, ...]) -> Images:
    """Return natural images of elsewhere: CIFAR-10 where it lies in the folder, else rough synthetic scenery."""
    size = int(np.prod(shape))
    if name == "digits" or not (_folder() / "cifar10_pool.npz").exists():
        rough = np.random.default_rng(1).standard_normal((400, *shape))
        scenes = np.stack([gaussian_filter(scene, 1.5) for scene in rough]).reshape(400, size)
        low, high = scenes.min(1, keepdims=True), scenes.max(1, keepdims=True)
        return _within((scenes - low) / (high - low))
    with np.load(_folder() / "cifar10_pool.npz") as held:
        images = held["x"] / 255
    if len(shape) == 2:  # noqa: PLR2004  # grey
        images = images.mean(3)[:, : shape[0], : shape[1]]
    return _within(images.reshape(len(images), size))


def usual(world: World, rng: Random, count: int) -> Images:
    """Ask for images as they come."""
    return world.own.images[rng.choice(len(world.own.label), count, replace=count > len(world.own.label))]


def one_class(world: World, rng: Random, count: int) -> Images:
    """Ask for one class only."""
    label = rng.choice(np.unique(world.own.label))
    rows = rng.choice(np.flatnonzero(world.own.label == label), count)
    return np.asarray(world.own.images[rows])


def skewed(world: World, rng: Random, count: int) -> Images:
    """Ask for some classes far more often than for others."""
    labels, place = np.unique(world.own.label, return_inverse=True)
    weight = rng.dirichlet(np.full(len(labels), 0.3))[place]
    return world.own.images[rng.choice(len(place), count, p=weight / weight.sum())]


def camera(world: World, rng: Random, count: int) -> Images:
    """Film each scene for 50 frames."""
    scenes = usual(world, rng, -(-count // 50)).repeat(50, axis=0)[:count]
    return _within(scenes + rng.normal(0, 0.03, scenes.shape))


def random_signs(world: World, rng: Random, count: int) -> Images:
    """Step from 50 seeds in random signs (T-RND, Juuti et al. 2019)."""
    images = usual(world, rng, 50)
    while len(images) < count:
        images = np.concatenate([images, _within(images + STEP * rng.choice([-1, 1], images.shape))])
    return np.asarray(images[:count])


def jacobian(world: World, rng: Random, count: int) -> Images:
    """Step from 100 seeds along a surrogate's gradient (Papernot et al. 2017)."""
    images = usual(world, rng, 100)
    while len(images) < count:
        label = world.answer(images)
        copy = SGDClassifier(loss="log_loss", alpha=1e-3, max_iter=20, tol=None, random_state=0).fit(images, label)
        signs = np.sign(copy.coef_[np.searchsorted(copy.classes_, label) % len(copy.coef_)])
        images = np.concatenate([images, _within(images + STEP * rng.choice([-1, 1]) * signs)])
    return np.asarray(images[:count])


def bisection(world: World, rng: Random, count: int) -> Images:
    """Halve lines between images with different answers, 16 lines side by side (Lowd and Meek 2005)."""
    asked: list[Images] = []
    while sum(map(len, asked)) < count:
        low, high = usual(world, rng, 16), usual(world, rng, 16)
        start = world.answer(low)
        apart = start != world.answer(high)
        asked += [low, high]
        low, high, start = low[apart], high[apart], start[apart]
        for _ in range(8 if apart.any() else 0):
            middle = (low + high) / 2
            same = (world.answer(middle) == start)[:, None]
            asked.append(middle)
            low, high = np.where(same, middle, low), np.where(same, high, middle)
    return np.concatenate(asked)[:count]


def finite_differences(world: World, rng: Random, count: int) -> Images:
    """Change one pixel of an image at a time."""
    images = usual(world, rng, -(-count // 200)).repeat(200, axis=0)[:count]
    pixel = rng.integers(0, images.shape[1], count)
    images[np.arange(count), pixel] += np.where(images[np.arange(count), pixel] > 0.9, -0.02, 0.02)  # noqa: PLR2004
    return images


def noise(world: World, rng: Random, count: int) -> Images:
    """Ask for uniform noise."""
    return rng.random((count, world.own.images.shape[1]), np.float32)


def foreign(world: World, rng: Random, count: int) -> Images:
    """Ask for natural images of elsewhere (Orekondy et al. 2019)."""
    return world.foreign[rng.choice(len(world.foreign), count, replace=count > len(world.foreign))]


def _within(images: npt.NDArray[Any]) -> Images:
    return np.asarray(np.clip(images, 0, 1), np.float32)


Kind = Callable[[World, Random, int], Images]
KINDS: tuple[tuple[Kind, tuple[int, ...]], ...] = (
    (usual, (30, 100, 200, 400, 800, 1_600, 3_200, 6_400)),
    (one_class, (100, 400, 1_600)),
    (skewed, (100, 400, 1_600, 3_200)),
    (camera, (100, 400, 1_600)),
    (random_signs, (100, 400, 1_600)),
    (jacobian, (100, 400, 1_600)),
    (bisection, (100, 400)),
    (finite_differences, (400,)),
    (noise, (100, 400, 1_600)),
    (foreign, (100, 400, 1_600)),
)
"""Kinds of clients and the numbers of queries after which they are looked at."""
