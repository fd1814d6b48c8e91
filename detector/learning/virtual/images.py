"""Virtual kinds of clients that send images. A new one is one function here and one line in IMAGES.

Every function makes one client: its own fixed oddity, or one that moves as real pipelines do. Shifts are in
shares of the side and interpolated, so that an 8x8 image moves by parts of a pixel.
"""

from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, grey_dilation, grey_erosion

from detector.learning.virtual.pool import QUERIES, Copies, Floats, Pool, Rows, VirtualKind, runs

Random = np.random.Generator
Array = npt.NDArray[Any]
TURN: Final = 0.2  # rad
ZOOM: Final = 0.15
SHIFT: Final = 0.075  # of the side


def geo(pool: Pool, rng: Random) -> Copies:
    """Make a camera that stands a little askew: one rotation, scale and shift."""
    rows = pool.draw(rng)
    return Copies(rows, pool.flat(_warp(pool.images(rows), _pose(rng, 1))))


def tone(pool: Pool, rng: Random) -> Copies:
    """Make another exposure: one gamma, gain and offset."""
    rows = pool.draw(rng)
    return Copies(rows, pool.flat(_toned(pool.images(rows), rng)))


def noise(pool: Pool, rng: Random) -> Copies:
    """Make a noisy sensor."""
    rows = pool.draw(rng)
    images = pool.images(rows)
    return Copies(rows, pool.flat(images + rng.uniform(0.02, 0.1) * rng.standard_normal(images.shape, np.float32)))


def blur(pool: Pool, rng: Random) -> Copies:
    """Make a lens out of focus."""
    rows = pool.draw(rng)
    return Copies(rows, pool.flat(_blurred(pool.images(rows), rng.uniform(0.4, 1.2))))


def low(pool: Pool, rng: Random) -> Copies:
    """Make a source of a half to a third of the resolution, with another tone curve."""
    rows = pool.draw(rng)
    images = pool.images(rows)
    factor = rng.uniform(2, 3) if min(images.shape[1:3]) >= 2 * _TINY else rng.uniform(1.2, 1.6)
    return Copies(rows, pool.flat(_coarser(images, factor) ** rng.uniform(0.7, 1.4)))


def bold(pool: Pool, rng: Random) -> Copies:
    """Make another pen or print: bright or dark strokes thicker by up to an eighth of the side."""
    rows = pool.draw(rng)
    images = pool.images(rows)
    size = max(2, round(min(images.shape[1:3]) * rng.uniform(0.05, 0.125)))
    grown = grey_dilation if rng.random() < 0.5 else grey_erosion  # noqa: PLR2004  # one in two
    return Copies(rows, pool.flat(grown(images, (1, size, size, 1), mode="nearest")))


def cov(pool: Pool, rng: Random) -> Copies:
    """Make one with all of it at once: askew, another tone, noise and blur."""
    rows = pool.draw(rng)
    images = _toned(_warp(pool.images(rows), _pose(rng, 1)), rng)
    images = _blurred(images, rng.uniform(0, 0.6))
    return Copies(rows, pool.flat(images + rng.uniform(0, 0.05) * rng.standard_normal(images.shape, np.float32)))


def mix(pool: Pool, rng: Random) -> Copies:
    """Make a client with many pipelines: another pose and gain with each query."""
    rows = pool.draw(rng)
    images = _warp(pool.images(rows), _pose(rng, len(rows)))
    gain = rng.uniform(0.7, 1.2, (len(rows), 1, 1, 1))
    return Copies(rows, pool.flat(images * gain + rng.uniform(0, 0.05) * rng.standard_normal(images.shape)))


def tta(pool: Pool, rng: Random) -> Copies:
    """Make a service with test-time augmentation: 4 to 10 slightly moved copies of each image."""
    rows = _repeated(pool, rng, 4, 10)
    pose = _pose(rng, len(rows), strength=0.5)
    images = _warp(pool.images(rows), pose) + 0.01 * rng.standard_normal((len(rows), 1, 1, 1))
    return Copies(rows, pool.flat(images))


def patch(pool: Pool, rng: Random) -> Copies:
    """Make an analyst who asks what if: one region of an image swept through brightness."""
    lengths = runs(rng, 8, 24)
    rows = np.repeat(pool.draw(rng, len(lengths)), lengths)
    images = pool.images(rows)
    height, width = images.shape[1:3]
    tall, wide = max(1, height // 4), max(1, width // 4)
    top, left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
    value = np.concatenate([np.linspace(0, 1, length) for length in lengths])
    images[:, top : top + tall, left : left + wide] = value[:, None, None, None]
    return Copies(rows, pool.flat(images))


def ramp(pool: Pool, rng: Random) -> Copies:
    """Make a stress tester: each image in 5 to 9 steps of one rising corruption, of those that the tester has."""
    lengths = runs(rng, 5, 9)
    rows = np.repeat(pool.draw(rng, len(lengths)), lengths)
    images = pool.images(rows)
    begins = np.r_[0, np.cumsum(lengths)]
    tools = rng.permutation(len(CORRUPTIONS))[: int(rng.integers(1, len(CORRUPTIONS) + 1))]
    for begin, end in pairwise(begins):
        corrupt = CORRUPTIONS[int(rng.choice(tools))]
        images[begin:end] = corrupt(images[begin:end], np.linspace(0.1, 1, end - begin)[:, None, None, None], rng)
    return Copies(rows, pool.flat(images))


IMAGES: Final = (
    VirtualKind("geo", geo, safe=True),
    VirtualKind("tone", tone, safe=True),
    VirtualKind("noise", noise, safe=True),
    VirtualKind("blur", blur, safe=True),
    VirtualKind("low", low, safe=True),
    VirtualKind("bold", bold, safe=True),
    VirtualKind("cov", cov, safe=True),
    VirtualKind("mix", mix, safe=True),
    VirtualKind("tta", tta, safe=True),
    VirtualKind("patch", patch),
    VirtualKind("ramp", ramp),
)

_TINY: Final = 8  # pixels a side that must be left after halving, or nothing of the image is


def _noisier(images: Array, step: Array, rng: Random) -> Array:
    return images + 0.5 * step * rng.standard_normal(images.shape)


def _darker(images: Array, step: Array, _: Random) -> Array:
    return images * (1 - 0.9 * step)


def _brighter(images: Array, step: Array, _: Random) -> Array:
    return images + 0.6 * step


def _turned(images: Array, step: Array, rng: Random) -> Array:
    angle = float(rng.choice([-1, 1])) * 0.8 * step.ravel()
    still = np.zeros(len(images))
    return _warp(images, np.stack([angle, still + 1, still, still], 1))


def _covered(images: Array, step: Array, rng: Random) -> Array:
    height, width = images.shape[1:3]
    top, left = rng.integers(0, height), rng.integers(0, width)
    down = (np.arange(height) - top) % height
    right = (np.arange(width) - left) % width
    hidden = np.maximum(down[:, None] / height, right / width)[None, :, :, None] < 0.7 * step
    return np.where(hidden, 0, images)


def _speckled(images: Array, step: Array, rng: Random) -> Array:
    hit = rng.random(images.shape[:3])[..., None] < 0.3 * step
    return np.where(hit, rng.integers(0, 2, images.shape[:3])[..., None], images)


def _defocused(images: Array, step: Array, _: Random) -> Array:
    each = zip(images, step.ravel().tolist(), strict=True)
    return np.concatenate([_blurred(image[None], 1.5 * degree) for image, degree in each])


def _paler(images: Array, step: Array, _: Random) -> Array:
    mean = images.mean((1, 2, 3), keepdims=True)
    return np.asarray(mean + (images - mean) * (1 - 0.9 * step))


# The families of ImageNet-C that need no pictures of weather (Hendrycks and Dietterich 2019: noise, impulses, blur,
# brightness, contrast), a turn and a covered part.
CORRUPTIONS: Final = (_noisier, _speckled, _defocused, _darker, _brighter, _paler, _turned, _covered)


def _repeated(pool: Pool, rng: Random, low: int, high: int) -> Rows:
    lengths = runs(rng, low, high, QUERIES)
    return np.repeat(pool.draw(rng, len(lengths)), lengths)


def _pose(rng: Random, count: int, strength: float = 1.0) -> Array:
    """Return f8[count, 4]: angle (rad), scale, shift down and right (shares of the side)."""
    spans = np.array([TURN, ZOOM, SHIFT, SHIFT]) * strength
    pose: Array = rng.uniform(-spans, spans, (count, 4)) + np.array([0, 1, 0, 0])
    return pose


def _warp(images: Array, pose: Array) -> Floats:
    """Return images f4[n, H, W, C] turned, scaled and moved, bilinear; pose f8[n or 1, 4]. The edge repeats."""
    height, width = images.shape[1:3]
    angle, scale, down, right = (column[:, None, None] for column in pose.T.astype(np.float32))
    y = (np.arange(height, dtype=np.float32) - (height - 1) / 2)[:, None]
    x = np.arange(width, dtype=np.float32) - (width - 1) / 2
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    source_y = np.clip(cosine * y - sine * x + (height - 1) / 2 - down * height, 0, height - 1)
    source_x = np.clip(sine * y + cosine * x + (width - 1) / 2 - right * width, 0, width - 1)
    top = np.minimum(source_y.astype(np.intp), max(height - 2, 0))
    left = np.minimum(source_x.astype(np.intp), max(width - 2, 0))
    part_y, part_x = (source_y - top)[..., None], (source_x - left)[..., None]
    at = np.arange(len(images))[:, None, None]
    upper = images[at, top, left] * (1 - part_x) + images[at, top, left + 1] * part_x
    lower = images[at, top + 1, left] * (1 - part_x) + images[at, top + 1, left + 1] * part_x
    moved: Floats = (upper * (1 - part_y) + lower * part_y).astype(np.float32)
    return moved


def _toned(images: Array, rng: Random) -> Array:
    return np.clip(images, 0, 1) ** rng.uniform(0.6, 1.6) * rng.uniform(0.6, 1.1) + rng.uniform(-0.1, 0.1)


def _blurred(images: Array, sigma: float) -> Array:
    # Sigma is for a side of 28 pixels: a tiny image keeps its strokes, a large one is not left sharp.
    size = sigma * max(min(images.shape[1:3]) / 28, 0.5)
    smooth: Array = gaussian_filter(images, (0, size, size, 0), mode="nearest")
    return smooth


def _coarser(images: Array, factor: float) -> Array:
    """Return images shrunk and enlarged again by a factor."""
    height, width = images.shape[1:3]
    down = np.floor(np.floor(np.arange(height) / factor) * factor + factor / 2).astype(np.intp)
    right = np.floor(np.floor(np.arange(width) / factor) * factor + factor / 2).astype(np.intp)
    smooth: Array = gaussian_filter(images, (0, factor / 3, factor / 3, 0), mode="nearest")
    near: Array = smooth[:, np.minimum(down, height - 1)][:, :, np.minimum(right, width - 1)]
    return np.clip(near, 0, 1)
