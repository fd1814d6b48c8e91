"""Foreign inputs: what a thief without the owner's data can send, made from nothing but the layout and each column.

Images: dead leaves and coloured noise, whose statistics are close to those of photographs (Ruderman 1997; Baradad et
al. 2021, "Learning to see by looking at noise"), smooth fields as generators make them, and white noise. Tables: real
values in the wrong company, uniform and Gaussian ones. Pixels in the wrong company stand for noise around the mean.
"""

from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from detector.geometry import Layout
from detector.learning.past import generator
from detector.learning.virtual import NUMBERS_MAX, Pool

Random = np.random.Generator
Array = npt.NDArray[Any]
INPUTS: Final = 6_000
IMAGE_SHARES: Final = (("leaves", 0.4), ("spectrum", 0.25), ("smooth", 0.15), ("white", 0.1))
MOSAIC_SHARE: Final = 0.1
TABLE_SHARES: Final = (("shuffled", 0.5), ("crossed", 0.25), ("uniform", 0.15), ("gaussian", 0.1))
HALF: Final = 0.5


def inputs(pool: Pool, rng: Random, count: int = INPUTS) -> Array:
    """Return foreign inputs [count, D] on the pool's scale, in the pool's dtype; fewer of large inputs."""
    count = min(count, NUMBERS_MAX // pool.layout.size)
    if pool.layout.image:
        mosaic = shuffled(pool, rng, int(MOSAIC_SHARE * count))
        return np.concatenate([pool.flat(scenes(pool.layout, count)), mosaic])
    tables = {"shuffled": shuffled, "crossed": crossed, "uniform": uniform, "gaussian": gaussian}
    return np.concatenate([tables[name](pool, rng, max(1, int(share * count))) for name, share in TABLE_SHARES])


@lru_cache(maxsize=2)  # both passes of a `learn` need the same, which take seconds; some 100 MB
def scenes(size: Layout, count: int) -> Array:
    """Return foreign images [n, H, W, C] of all makers; only the layout decides."""
    rng = generator("scenes", f"{size.height}x{size.width}x{size.channels}")
    makers = {"leaves": leaves, "spectrum": spectrum, "smooth": smooth, "white": white}
    return np.concatenate([makers[name](size, rng, max(1, int(share * count))) for name, share in IMAGE_SHARES])


def leaves(size: Layout, rng: Random, count: int) -> Array:
    """Return images [n, H, W, C] of overlapping shapes of many sizes: dead leaves (Matheron 1968)."""
    return np.stack([_leafy(size, rng) for _ in range(count)])


def spectrum(size: Layout, rng: Random, count: int) -> Array:
    """Return noise [n, H, W, C] whose amplitude falls with frequency as f^-a, a in 0.5..2.5."""
    down, right = np.fft.fftfreq(size.height)[:, None], np.fft.fftfreq(size.width)
    frequency = np.hypot(down, right)
    frequency[0, 0] = 1 / max(size.height, size.width)
    slope = frequency[None] ** -rng.uniform(0.5, 2.5, (count, 1, 1))
    grey = rng.random((count, 1, 1, 1))  # how much the colours have in common
    shape = (count, size.height, size.width)
    noise = grey * rng.standard_normal((*shape, 1)) + (1 - grey) * rng.standard_normal((*shape, size.channels))
    images = np.fft.ifft2(np.fft.fft2(noise, axes=(1, 2)) * slope[..., None], axes=(1, 2)).real
    images -= images.mean((1, 2, 3), keepdims=True)
    images /= images.std((1, 2, 3), keepdims=True) + 1e-9
    return rng.uniform(0.2, 0.8, (count, 1, 1, 1)) + rng.uniform(0.08, 0.35, (count, 1, 1, 1)) * images


def smooth(size: Layout, rng: Random, count: int) -> Array:
    """Return few random numbers enlarged to images [n, H, W, C] and bent, as untrained generators do."""
    return np.stack([_enlarged(size, rng) for _ in range(count)])


def white(size: Layout, rng: Random, count: int) -> Array:
    """Return uniform and Gaussian noise, [n, H, W, C]."""
    shape = (count, size.height, size.width, size.channels)
    even = (np.arange(count) % 2 == 0)[:, None, None, None]
    return np.where(even, rng.random(shape), HALF + 0.25 * rng.standard_normal(shape))


def shuffled(pool: Pool, rng: Random, count: int) -> Array:
    """Return inputs whose every number comes from another input."""
    rows = rng.integers(0, len(pool.inputs), (count, pool.inputs.shape[1]))
    return np.take_along_axis(pool.inputs, rows, axis=0)


def crossed(pool: Pool, rng: Random, count: int) -> Array:
    """Return rows glued together from several rows: about half the columns from each of two."""
    first, second = (pool.inputs[rng.integers(0, len(pool.inputs), count)] for _ in range(2))
    third = shuffled(pool, rng, count)
    which = rng.integers(0, 3, first.shape)
    return np.choose(which, (first, second, third))


def uniform(pool: Pool, rng: Random, count: int) -> Array:
    """Return rows drawn evenly between each column's ends."""
    low, high = pool.inputs.min(0), pool.inputs.max(0)
    return np.asarray(low + (high - low) * rng.random((count, len(low))))


def gaussian(pool: Pool, rng: Random, count: int) -> Array:
    """Return rows with each column's mean and standard deviation and no more."""
    noise = rng.standard_normal((count, pool.inputs.shape[1]))
    return np.asarray(pool.inputs.mean(0) + pool.inputs.std(0) * noise)


def _leafy(size: Layout, rng: Random) -> Array:
    image = np.ones((size.height, size.width, size.channels)) * rng.random(size.channels)
    grey = rng.random()
    for _ in range(int(rng.integers(4, 40))):
        colour = rng.random(size.channels)
        image[_leaf(size, rng)] = grey * colour.mean() + (1 - grey) * colour
    sigma = rng.uniform(0, 0.9) * size.height / 32
    seen = ndimage.gaussian_filter(image, (sigma, sigma, 0)) if rng.random() < 0.7 else image  # noqa: PLR2004  # most are
    lit = HALF + (seen - HALF) * rng.uniform(0.4, 1) + rng.uniform(-0.2, 0.2)
    return lit + rng.uniform(0, 0.05) * rng.standard_normal(lit.shape)


def _leaf(size: Layout, rng: Random) -> npt.NDArray[np.bool_]:
    """Return where one leaf lies, b1[H, W]: an ellipse or a rectangle, small ones far more often than large ones."""
    side = max(size.height, size.width)
    radius = side * min(0.6, 0.05 + 0.06 * rng.pareto(1.5))
    long, turn = rng.uniform(0.4, 2.5), rng.uniform(0, np.pi)
    down = np.arange(size.height)[:, None] - rng.uniform(-0.1, 1.1) * size.height
    right = np.arange(size.width) - rng.uniform(-0.1, 1.1) * size.width
    along = (np.cos(turn) * right + np.sin(turn) * down) * long
    across = (np.cos(turn) * down - np.sin(turn) * right) / long
    if rng.random() < HALF:
        return np.asarray(np.maximum(np.abs(along), np.abs(across)) < radius)
    return np.asarray(along**2 + across**2 < radius**2)


def _enlarged(size: Layout, rng: Random) -> Array:
    few = int(rng.integers(2, max(3, size.height // 3)))
    coarse = rng.random((few, few, size.channels))
    factors = (size.height / few, size.width / few, 1)
    image = ndimage.zoom(coarse, factors, order=int(rng.integers(0, 2)), mode="nearest", grid_mode=True)
    return np.asarray(1 / (1 + np.exp(-rng.uniform(1, 8) * (image - HALF))))
