"""Real images: scikit-learn's 1,797 handwritten digits in disjoint parts, and patches of its photographs.

Images are float32 [n, 8, 8] in 0..1. No image of one part occurs in another, so that nobody is judged
on images that the model, the population or a thief has seen.
"""

import functools
from dataclasses import dataclass
from importlib import resources
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from sklearn.datasets import load_digits

from gateway.serving.loading import import_tensorflow

Images: TypeAlias = npt.NDArray[np.float32]
Labels: TypeAlias = npt.NDArray[np.int64]

MODEL = "digits"
SHAPE = (8, 8)
CLASSES = 10
_FULL_SCALE = 16.0  # the digits' grey levels are 0..16
_DECIMALS = 4  # what clients put into JSON; finer than any sensor noise used here
_SPLIT_SEED = 1797
_SHARES = {"training": 700, "warm_up": 400, "honest": 350, "seeds": 97, "test": 250}  # images, all 1,797


@dataclass(frozen=True, slots=True)
class Pool:
    """Images and what they show: images [n, 8, 8], digits [n] in 0..9."""

    images: Images
    digits: Labels

    def __len__(self) -> int:
        return len(self.digits)


@dataclass(frozen=True, slots=True)
class Parts:
    """The disjoint parts."""

    training: Pool  # the model's
    warm_up: Pool  # honest clients whose records the population is learnt from
    honest: Pool  # honest clients who are judged
    seeds: Pool  # what thieves own of the model's domain
    test: Pool  # where surrogates are compared with the model


@dataclass(frozen=True, slots=True)
class Camera:
    """How one client's images come about: its own shift in pixels, noise, gain and offset."""

    shift: tuple[float, float] = (0.0, 0.0)
    noise: float = 0.0  # standard deviation of the sensor noise
    gain: float = 1.0
    offset: float = 0.0

    def take(self, images: Images, rng: np.random.Generator) -> Images:
        """Return the images [n, 8, 8] as this camera sees them."""
        moved: npt.NDArray[np.floating] = images
        if any(self.shift):
            moved = ndimage.shift(images, (0.0, *self.shift), order=1)
        seen = moved * self.gain + self.offset
        if self.noise:
            seen = seen + rng.normal(0.0, self.noise, seen.shape)
        return tidy(seen)


def tidy(images: npt.NDArray[np.floating]) -> Images:
    """Return the images clipped to 0..1 and rounded to what is sent as JSON."""
    return np.asarray(np.clip(images, 0.0, 1.0).round(_DECIMALS), np.float32)


def camera(rng: np.random.Generator) -> Camera:
    """Return a client's own camera; one in four neither shifts nor adds noise."""
    if rng.random() < 0.25:  # noqa: PLR2004  # the share named above
        return Camera()
    dy, dx = rng.uniform(-0.6, 0.6, 2)
    return Camera((float(dy), float(dx)), noise=float(rng.uniform(0.005, 0.04)))


def load() -> Parts:
    """Return the parts; the same ones each time."""
    digits = load_digits()
    images = tidy(digits.images / _FULL_SCALE)
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(images))
    ends = np.cumsum(list(_SHARES.values()))
    rows = dict(zip(_SHARES, np.split(order, ends[:-1]), strict=True))
    pools = {name: Pool(images[at], digits.target[at].astype(np.int64)) for name, at in rows.items()}
    return Parts(**pools)


@functools.cache
def patches(count: int = 4000) -> Images:
    """Return grey patches of several sizes, shrunk to 8x8, out of scikit-learn's two photographs.

    scikit-learn itself would need Pillow to open them; TensorFlow, which the demo has anyway, reads JPEG.
    """
    rng = np.random.default_rng(_SPLIT_SEED)
    photographs = [_photograph(name) for name in ("china.jpg", "flower.jpg")]
    return tidy(np.stack([_patch(photographs[at % len(photographs)], rng) for at in range(count)]))


def _photograph(name: str) -> npt.NDArray[np.float64]:
    import_tensorflow()
    import tensorflow as tf  # noqa: PLC0415  # seconds that only those who look at photographs should pay

    encoded = (resources.files("sklearn.datasets.images") / name).read_bytes()
    return np.asarray(tf.io.decode_jpeg(encoded, channels=1), np.float64)[:, :, 0] / 255.0


def _patch(photograph: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    block = int(rng.integers(1, 9))  # photograph pixels behind one pixel of the patch
    side = SHAPE[0] * block
    top = int(rng.integers(0, photograph.shape[0] - side))
    left = int(rng.integers(0, photograph.shape[1] - side))
    window = photograph[top : top + side, left : left + side]
    return np.asarray(window.reshape(SHAPE[0], block, SHAPE[1], block).mean(axis=(1, 3)))
