"""Thieves: six published ways to steal a model by asking it, and a control that nobody can tell from honest use.

All of them live on few images of the model's domain (the part `seeds`) or on none, use labels where
labels do, and so go on when answers get coarser. Each script ends only when its caller stops it.
"""

from collections.abc import Callable, Generator, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from gamekeeper.demo import surrogate
from gamekeeper.demo.clients import PER_REQUEST, Answers, Kind, Script
from gamekeeper.demo.data import SHAPE, Images, Labels, Parts, camera, patches, tidy

Rng: TypeAlias = np.random.Generator
Halving: TypeAlias = Generator[Images, Answers, tuple[Images, Images]]
Asking: TypeAlias = Generator[Images, Answers, Labels]
_HALVINGS = 9  # of a line between two images: the boundary to 1/512 of the way
_PROBES = 2 * PER_REQUEST  # directions for one estimate of the boundary's normal
_PROBE_RADIUS = 0.3  # L2, in the 64 pixels
_JBDA_STEP = 0.1  # lambda of the paper, on inputs in 0..1
_JBDA_SEEDS = 64
_JBDA_ROUNDS = 4  # rounds until the substitute's data has been doubled often enough to start with other seeds
_DIFFERENCE = 0.02  # step of one pixel: well above the rounding of JSON


def bisection(parts: Parts, rng: Rng) -> Script:
    """Halve the line between two images of different classes until the boundary is found, pair after pair."""
    while True:
        start, end = _two(parts, rng)
        ends = yield np.stack([start, end])
        if ends.labels[0] != ends.labels[1]:
            yield from _boundary(start, end, int(ends.labels[0]))


def hop_skip_jump(parts: Parts, rng: Rng) -> Script:
    """Walk along the boundary: find it by halving, estimate its normal by probes around it, jump, find it again."""
    while True:
        start, end = _two(parts, rng)
        ends = yield np.stack([start, end])
        if ends.labels[0] != ends.labels[1]:
            yield from _walk(start, end, int(ends.labels[0]), rng)


def jacobian(parts: Parts, rng: Rng) -> Script:
    """Ask for seeds, train a substitute, and step from each along the sign of the substitute's Jacobian."""
    while True:
        seeds = _seeds(parts, rng, _JBDA_SEEDS)
        labels = yield from _ask_all(seeds)
        for _ in range(_JBDA_ROUNDS):
            copy = surrogate.train(seeds, labels)
            step = _JBDA_STEP * np.sign(surrogate.gradient(copy, seeds, labels))
            further = tidy(seeds + rng.choice((-1, 1)) * step)
            further_labels = yield from _ask_all(further)
            seeds, labels = np.concatenate([seeds, further]), np.concatenate([labels, further_labels])


def noise(_: Parts, rng: Rng) -> Script:
    """Ask for uniform noise."""
    while True:
        yield tidy(rng.random((PER_REQUEST, *SHAPE)))


def natural_patches(_: Parts, rng: Rng) -> Script:
    """Ask for natural images of another domain."""
    pool = patches()
    while True:
        yield from _in_requests(pool[rng.permutation(len(pool))])


def finite_differences(parts: Parts, rng: Rng) -> Script:
    """Estimate the gradient at an image by changing one pixel at a time."""
    steps = np.eye(SHAPE[0] * SHAPE[1], dtype=np.float32).reshape(-1, *SHAPE) * _DIFFERENCE
    for image in _forever(parts, rng):
        yield image[None]
        inwards = np.where(image + _DIFFERENCE > 1.0, -1.0, 1.0)
        yield from _in_requests(tidy(image + rng.permutation(steps) * inwards))


def own_images(parts: Parts, rng: Rng) -> Script:
    """Ask for images of the model's own domain, each a little different: control, not to be told apart."""
    own = camera(rng)
    images = _forever(parts, rng)
    while True:
        yield own.take(np.stack([next(images) for _ in range(PER_REQUEST)]), rng)


def _boundary(start: Images, end: Images, label: int) -> Halving:
    """Halve between `start`, which the model calls `label`, and `end`, which it does not; return both last ends."""
    for _ in range(_HALVINGS):
        middle = tidy((start + end) / 2)
        answers = yield middle[None]
        start, end = (middle, end) if answers.labels[0] == label else (start, middle)
    return start, end


def _walk(start: Images, end: Images, label: int, rng: Rng) -> Script:
    """Jump three times along the boundary between `start` (called `label`) and what is not so called."""
    origin = start
    for _ in range(3):
        _, outside = yield from _boundary(origin, end, label)
        directions = _unit(rng.normal(size=(_PROBES, *SHAPE)))
        labels = yield from _ask_all(tidy(outside + _PROBE_RADIUS * directions))
        side = np.where(labels == label, -1.0, 1.0)
        normal = _unit(((side - side.mean()) @ directions.reshape(_PROBES, -1)).reshape(1, *SHAPE))[0]
        end = tidy(outside + _PROBE_RADIUS * normal)
        answers = yield end[None]
        if answers.labels[0] == label:
            return


def _ask_all(images: Images) -> Asking:
    """Ask for all images in requests of full size and return their labels."""
    labels: list[Labels] = []
    for first in range(0, len(images), PER_REQUEST):
        answers: Answers = yield images[first : first + PER_REQUEST]
        labels.append(answers.labels)
    return np.concatenate(labels)


def _in_requests(images: Images) -> Script:
    for first in range(0, len(images), PER_REQUEST):
        yield images[first : first + PER_REQUEST]


def _seeds(parts: Parts, rng: Rng, count: int) -> Images:
    return camera(rng).take(parts.seeds.images[rng.choice(len(parts.seeds), count, replace=False)], rng)


def _two(parts: Parts, rng: Rng) -> tuple[Images, Images]:
    first, second = _seeds(parts, rng, 2)
    return first, second


def _forever(parts: Parts, rng: Rng) -> Iterator[Images]:
    while True:
        yield from parts.seeds.images[rng.permutation(len(parts.seeds))]


def _unit(directions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lengths = np.linalg.norm(directions.reshape(len(directions), -1), axis=1)
    return np.asarray(directions / np.maximum(lengths, 1e-12)[:, None, None])


def _kind(name: str, paper: str, script: Callable[[Parts, Rng], Script], *, control: bool = False) -> Kind:
    about, _, _ = (script.__doc__ or "").partition("\n")
    return Kind(name, f"{about} {paper}", honest=False, start=script, control=control)


KINDS = (
    _kind("bisection", "Lowd and Meek 2005; Tramèr et al. 2016", bisection),
    _kind("hop-skip-jump", "after HopSkipJump, Chen et al. 2020", hop_skip_jump),
    _kind("jacobian", "JbDA, Papernot et al. 2017", jacobian),
    _kind("noise", "Tramèr et al. 2016", noise),
    _kind("natural patches", "Knockoff Nets, Orekondy et al. 2019", natural_patches),
    _kind("finite differences", "ZOO, Chen et al. 2017; Milli et al. 2019", finite_differences),
    _kind("own images", "Knockoff Nets with data of the domain", own_images, control=True),
)
"""All kinds of thieves. Whoever adds one writes a script and names it here."""
