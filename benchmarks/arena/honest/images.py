"""Honest kinds that send images of their own making. Shifts are in shares of the side."""

from typing import Final, TypeAlias

import numpy as np
from scipy import fft, ndimage

from benchmarks.arena.data import Floats, Numbers, Random
from benchmarks.arena.honest.source import Source, flat, scenes

Images: TypeAlias = Numbers  # [n, H, W, C], or one of them [H, W, C]
_HALF: Final = 0.5


def burst(source: Source, rng: Random, count: int) -> Floats:
    """Film each scene for 3 to 10 noisy frames that hardly move."""
    lengths = scenes(rng, count, 3, 10)
    frames = [_filmed(image, length, rng) for image, length in _scenes(source, rng, lengths)]
    return flat(np.concatenate(frames))


def camera(source: Source, rng: Random, count: int) -> Floats:
    """Watch one scene for 30 to 150 frames while the light changes slowly."""
    lengths = scenes(rng, count, 30, 150)
    noise = rng.uniform(0.005, 0.03)
    parts = []
    for image, length in _scenes(source, rng, lengths):
        light = 1 + 0.15 * np.sin(np.linspace(0, rng.uniform(1, 6), length) + rng.uniform(0, 6))
        parts.append(image[None] * light[:, None, None, None] + rng.normal(0, noise, (length, *image.shape)))
    return flat(np.concatenate(parts))


def shifted(source: Source, rng: Random, count: int) -> Floats:
    """Own another camera: always the same rotation, scale, shift, light, noise and blur."""
    return flat(_view(rng)(source.images(source.draw(rng, count)), rng))


def drift(source: Source, rng: Random, count: int) -> Floats:
    """Let a lens and its light age: from no change to a strong one over the client's life."""
    images = source.images(source.draw(rng, count))
    age = np.linspace(0, 1, count)[:, None, None, None]
    blurred = ndimage.gaussian_filter(images, (0, _size(images, 1.0), _size(images, 1.0), 0))
    dull = images + rng.uniform(0.3, 0.9) * age * (blurred - images)
    return flat(dull * (1 - age * rng.uniform(0.1, 0.4)) + age * rng.uniform(0, 0.15))


def augmented(source: Source, rng: Random, count: int) -> Floats:
    """Average over test-time augmentation: 4 to 10 slightly turned, moved or mirrored copies of each image."""
    lengths = scenes(rng, count, 4, 10)
    mirror = rng.random() < _HALF
    parts = [_augmentations(image, length, mirror=mirror, rng=rng) for image, length in _scenes(source, rng, lengths)]
    return flat(np.concatenate(parts))


def stress(source: Source, rng: Random, count: int) -> Floats:
    """Test how the model bears noise, darkness, blur, rotation, occlusion or flatness that rises in 5 to 9 steps."""
    tools = [STRESSES[at] for at in rng.permutation(len(STRESSES))[: int(rng.integers(2, len(STRESSES) + 1))]]
    parts = []
    for image, length in _scenes(source, rng, scenes(rng, count, 5, 9)):
        tool = tools[int(rng.integers(len(tools)))]
        parts += [tool(image, float(degree), rng)[None] for degree in np.linspace(0.1, 1, length)]
    return flat(np.concatenate(parts))


def what_if(source: Source, rng: Random, count: int) -> Floats:
    """Sweep one region of an image through all brightnesses, in order or shuffled, image after image."""
    height, width = source.data.shape[:2]
    tall, wide = max(1, height // 5), max(1, width // 5)
    top, left = int(rng.integers(0, height - tall)), int(rng.integers(0, width - wide))
    shuffled, parts = rng.random() < _HALF, []
    for image, length in _scenes(source, rng, scenes(rng, count, 10, 30)):
        copies = np.repeat(image[None], length, axis=0)
        values = np.linspace(0, 1, length)
        copies[:, top : top + tall, left : left + wide] = (rng.permutation(values) if shuffled else values)[
            :, None, None, None
        ]
        parts.append(copies)
    return flat(np.concatenate(parts))


def new_domain(source: Source, rng: Random, count: int) -> Floats:
    """Be a new customer with old equipment: half the resolution, another tone curve, thicker strokes.

    Thicker by a fourteenth of the side: two pixels of 28, none of 8.
    """
    images = source.images(source.draw(rng, count))
    factor = rng.uniform(1.3, 2.2)
    height, width = images.shape[1:3]
    small = ndimage.zoom(images, (1, 1 / factor, 1 / factor, 1), order=1)
    back = ndimage.zoom(small, (1, height / small.shape[1], width / small.shape[2], 1), order=1)
    pen = max(1, round(height / 14))
    grown = ndimage.grey_dilation(back, (1, pen, pen, 1)) if rng.random() < _HALF else back
    return flat(np.clip(grown, 0, 1) ** rng.uniform(0.6, 1.6) * rng.uniform(0.75, 1.0))


def mixed(source: Source, rng: Random, count: int) -> Floats:
    """Collect from several pipelines: three to six cameras, each query from one of them."""
    views = [_view(rng) for _ in range(int(rng.integers(3, 7)))]
    images = source.images(source.draw(rng, count))
    which = rng.integers(0, len(views), count)
    for at, view in enumerate(views):
        rows = np.flatnonzero(which == at)
        if len(rows):
            images[rows] = view(images[rows], rng)
    return flat(images)


def quantised(source: Source, rng: Random, count: int) -> Floats:
    """Send what half floats, few grey levels or JPEG leave of an image."""
    images = source.images(source.draw(rng, count))
    how = int(rng.integers(3))
    if how == 0:
        return flat(images.astype(np.float16).astype(np.float32))
    if how == 1:
        levels = float(rng.choice([8, 16, 32, 64]))
        return flat(np.round(images * levels) / levels)
    return flat(_compressed(images, rng.uniform(0.02, 0.12)))


def _scenes(source: Source, rng: Random, lengths: list[int]) -> list[tuple[Floats, int]]:
    images = source.images(source.draw(rng, len(lengths)))
    return list(zip(images, lengths, strict=True))


def _size(images: Images, sigma: float) -> float:
    """Return a blur for this resolution: sigma is for a side of 28 pixels."""
    return float(sigma * images.shape[-3] / 28)


def _moved(images: Images, turn: float, scale: float, shift: tuple[float, float]) -> Images:
    """Return images [n, H, W, C] turned (rad), scaled and shifted (shares of the side) about their middle."""
    height, width = images.shape[1:3]
    cosine, sine = np.cos(turn) / scale, np.sin(turn) / scale
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    offset = middle - matrix @ (middle + np.array([shift[0] * height, shift[1] * width]))
    whole = np.eye(4)
    whole[1:3, 1:3] = matrix
    return np.asarray(ndimage.affine_transform(images, whole, (0, *offset, 0), order=1, mode="nearest"))


class _view:  # noqa: N801  # used as a function that remembers its camera
    """One camera: what it does to images is drawn once."""

    def __init__(self, rng: Random) -> None:
        self.turn, self.scale = rng.uniform(-0.25, 0.25), rng.uniform(0.85, 1.15)
        self.shift = (rng.uniform(-0.08, 0.08), rng.uniform(-0.08, 0.08))
        self.gain, self.offset = rng.uniform(0.6, 1.1), rng.uniform(-0.05, 0.12)
        self.noise, self.blur = rng.uniform(0, 0.06), rng.uniform(0, 0.8) * (rng.random() < _HALF)

    def __call__(self, images: Images, rng: Random) -> Images:
        seen = _moved(images, self.turn, self.scale, self.shift)
        size = _size(images, self.blur)
        if size > 0:
            seen = ndimage.gaussian_filter(seen, (0, size, size, 0))
        return np.clip(seen * self.gain + self.offset + rng.normal(0, self.noise, seen.shape), 0, 1)


def _filmed(image: Images, length: int, rng: Random) -> Images:
    steps = rng.normal(0, 0.008, (length, 2)).cumsum(axis=0)
    frames = [_moved(image[None], 0.0, 1.0, (float(down), float(right)))[0] for down, right in steps]
    return np.stack(frames) + rng.normal(0, 0.02, (length, *image.shape))


def _augmentations(image: Images, length: int, *, mirror: bool, rng: Random) -> Images:
    copies = [image]
    for _ in range(length - 1):
        shift = (rng.uniform(-0.05, 0.05), rng.uniform(-0.05, 0.05))
        moved = _moved(image[None], rng.uniform(-0.1, 0.1), rng.uniform(0.93, 1.07), shift)[0]
        copies.append(moved[:, ::-1] if mirror and rng.random() < _HALF else moved * rng.uniform(0.9, 1.1))
    return np.stack(copies)


def _noisy(image: Images, degree: float, rng: Random) -> Images:
    return image + rng.normal(0, 0.45 * degree, image.shape)


def _speckled(image: Images, degree: float, rng: Random) -> Images:
    hit = rng.random(image.shape[:2]) < 0.3 * degree
    return np.asarray(np.where(hit[:, :, None], rng.integers(0, 2, image.shape[:2])[:, :, None], image))


def _dark(image: Images, degree: float, _: Random) -> Images:
    return np.asarray(image * (1 - 0.85 * degree))


def _blurred(image: Images, degree: float, _: Random) -> Images:
    size = _size(image, 3 * degree)
    return np.asarray(ndimage.gaussian_filter(image, (size, size, 0)))


def _turned(image: Images, degree: float, rng: Random) -> Images:
    return np.asarray(_moved(image[None], float(rng.choice([-1, 1])) * 1.2 * degree, 1.0, (0, 0))[0])


def _hidden(image: Images, degree: float, rng: Random) -> Images:
    height, width = image.shape[:2]
    tall, wide = int(0.7 * degree * height), int(0.7 * degree * width)
    top, left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
    covered = image.copy()
    covered[top : top + tall, left : left + wide] = rng.random()
    return covered


def _flat_contrast(image: Images, degree: float, _: Random) -> Images:
    return np.asarray(image.mean() + (image - image.mean()) * (1 - 0.9 * degree))


STRESSES: Final = (_noisy, _speckled, _dark, _blurred, _turned, _hidden, _flat_contrast)


def _compressed(images: Images, step: float) -> Images:
    """Return images whose 8x8 blocks lost the fine part of their cosine transform, as in JPEG."""
    out = images.copy()
    weight = step * (1 + np.add.outer(np.arange(8), np.arange(8)) / 2)[:, :, None]
    height, width = images.shape[1] // 8 * 8, images.shape[2] // 8 * 8
    for top in range(0, height, 8):
        for left in range(0, width, 8):
            block = fft.dctn(images[:, top : top + 8, left : left + 8], axes=(1, 2), norm="ortho")
            kept = np.round(block / weight) * weight
            out[:, top : top + 8, left : left + 8] = fft.idctn(kept, axes=(1, 2), norm="ortho")
    return out
