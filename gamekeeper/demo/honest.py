"""Honest clients: what ordinary use of a model looks like, kind by kind.

Most of these trip published detectors (near-identical frames and health checks look like probing,
few classes like a skewed attack), which is why they are here. Each client has a camera of its own,
and draws on the part `honest`; the warm-up's clients are given other images under that name.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from gamekeeper.demo.clients import PER_REQUEST, Kind, Script
from gamekeeper.demo.data import CLASSES, Camera, Images, Parts, Pool, camera, tidy

Weights: TypeAlias = npt.NDArray[np.float64]
Rng: TypeAlias = np.random.Generator


def usual(parts: Parts, rng: Rng) -> Script:
    """Ask for images as they come, all classes alike."""
    yield from _ask(_pictures(parts.honest, rng), rng)


def skewed(parts: Parts, rng: Rng) -> Script:
    """Ask for all classes, some far more often than others."""
    share = rng.dirichlet(np.full(CLASSES, 0.4))
    yield from _ask(_pictures(parts.honest, rng, share), rng)


def few_classes(parts: Parts, rng: Rng) -> Script:
    """Ask for one to three classes only."""
    share = np.zeros(CLASSES)
    share[rng.choice(CLASSES, int(rng.integers(1, 4)), replace=False)] = 1.0
    yield from _ask(_pictures(parts.honest, rng, share / share.sum()), rng)


def retries(parts: Parts, rng: Rng) -> Script:
    """Send 10 to 40 % of the images once more, byte for byte, as after a time-out."""
    again = rng.uniform(0.1, 0.4)

    def pictures() -> Iterator[Images]:
        for picture in _pictures(parts.honest, rng):
            yield picture
            if rng.random() < again:
                yield picture

    yield from _ask(pictures(), rng)


def frames(parts: Parts, rng: Rng) -> Script:
    """Film each scene for 4 to 12 frames that hardly differ."""
    own = camera(rng)
    for image in _images(parts.honest, rng):
        count = int(rng.integers(4, 13))
        drift = rng.normal(0.0, 0.04, (count, 2)).cumsum(axis=0)
        shots = [_frame(own, image, step, rng) for step in drift]
        yield from _in_requests(np.stack(shots), PER_REQUEST)


def health_checks(parts: Parts, rng: Rng) -> Script:
    """Mix a fifth of health checks, three fixed images, into usual use."""
    fixed = parts.honest.images[rng.choice(len(parts.honest), 3, replace=False)]

    def pictures() -> Iterator[Images]:
        for picture in _pictures(parts.honest, rng):
            yield fixed[rng.integers(len(fixed))] if rng.random() < 0.2 else picture  # noqa: PLR2004

    yield from _ask(pictures(), rng)


def own_light(parts: Parts, rng: Rng) -> Script:
    """Ask under light of one's own: darker or flatter images than others have."""
    usual_camera = camera(rng)
    dim = Camera(usual_camera.shift, 0.02, float(rng.uniform(0.6, 0.95)), float(rng.uniform(0.0, 0.1)))
    yield from _ask((dim.take(image[None], rng)[0] for image in _images(parts.honest, rng)), rng)


def archive(parts: Parts, rng: Rng) -> Script:
    """Score an archive that is sorted by class, in full requests."""
    own = camera(rng)
    while True:
        order = np.lexsort((rng.random(len(parts.honest)), (parts.honest.digits + rng.integers(CLASSES)) % CLASSES))
        yield from _in_requests(own.take(parts.honest.images[order], rng), PER_REQUEST)


def _images(pool: Pool, rng: Rng, share: Weights | None = None) -> Iterator[Images]:
    """Yield single images [8, 8], each once before any comes again (with `share` of the classes: drawn)."""
    while True:
        if share is None:
            rows = rng.permutation(len(pool))
        else:
            weight = share[pool.digits] / np.bincount(pool.digits, minlength=CLASSES)[pool.digits]
            rows = rng.choice(len(pool), len(pool), p=weight / weight.sum())
        yield from pool.images[rows]


def _pictures(pool: Pool, rng: Rng, share: Weights | None = None) -> Iterator[Images]:
    own = camera(rng)
    for image in _images(pool, rng, share):
        yield own.take(image[None], rng)[0]


def _frame(own: Camera, image: Images, step: npt.NDArray[np.float64], rng: Rng) -> Images:
    shift = (own.shift[0] + float(step[0]), own.shift[1] + float(step[1]))
    return np.asarray(Camera(shift, max(own.noise, 0.01)).take(image[None], rng)[0])


def _ask(pictures: Iterator[Images], rng: Rng) -> Script:
    """Put one to eight pictures into each request."""
    while True:
        size = int(rng.integers(1, PER_REQUEST + 1))
        yield tidy(np.stack([next(pictures) for _ in range(size)]))


def _in_requests(images: Images, size: int) -> Script:
    for start in range(0, len(images), size):
        yield images[start : start + size]


def _kind(name: str, script: Callable[[Parts, Rng], Script]) -> Kind:
    about, _, _ = (script.__doc__ or "").partition("\n")
    return Kind(name, about, honest=True, start=script)


KINDS = (
    _kind("usual", usual),
    _kind("skewed classes", skewed),
    _kind("few classes", few_classes),
    _kind("retries", retries),
    _kind("frames", frames),
    _kind("health checks", health_checks),
    _kind("own light", own_light),
    _kind("archive", archive),
)
"""All honest kinds. Whoever adds one writes a script and names it here."""
