"""Inputs as people can look at them: images as thumbnails, of other inputs the values that differ most."""

import base64
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from consumers.report.png import encode
from detector.geometry import Layout, layout
from detector.population import Population

SIDE_MAX = 96  # pixels: larger images are made smaller, so that a report stays a file to pass on
DIFFERING = 5  # values that are told of two inputs
_RGB = 3

Input: TypeAlias = npt.NDArray[np.float32]
"""An input f4[D], as a model's population has it."""
Key: TypeAlias = tuple[str, str]
"""A query's model, and its id as `names.id_text` writes it."""
Inputs: TypeAlias = Mapping[Key, Input]
"""Inputs that were found in a log of predictions; they are shown, and stored nowhere."""


class Differing(NamedTuple):
    """One value that two inputs do not share."""

    place: int  # in the flat input
    one: float
    other: float


def thumbnail(population: Population, given: Input) -> str | None:
    """Return an input f4[D] as a data URI; None where the model's inputs are no images."""
    shape = layout(population.shape)
    if not shape.image or not {"offset", "scale"} <= population.arrays.keys():
        return None
    scaled = np.clip((given - population.arrays["offset"]) * population.arrays["scale"], 0, 1)
    pixels = np.rint(_shrunk(_square(shape, scaled)) * 255).astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(encode(pixels)).decode()


def differing(population: Population, one: Input, other: Input) -> list[Differing]:
    """Return where two inputs differ most, each value weighed by how much it varies in the population."""
    weighed = np.abs(one - other) * population.arrays.get("scale", np.ones(1, np.float32))
    order = np.argsort(-weighed, kind="stable")[:DIFFERING]
    return [Differing(int(at), float(one[at]), float(other[at])) for at in order if one[at] != other[at]]


def _square(shape: Layout, scaled: Input) -> Input:
    """Return an image f4[height, width, 1 or 3]; a fourth channel, whatever it means, is left out."""
    if shape.channels_first:
        image = scaled.reshape(shape.channels, shape.height, shape.width).transpose(1, 2, 0)
    else:
        image = scaled.reshape(shape.height, shape.width, shape.channels)
    return image[:, :, :_RGB]


def _shrunk(image: Input) -> Input:
    """Return the image averaged in blocks until both sides are at most SIDE_MAX."""
    block = -(-max(image.shape[:2]) // SIDE_MAX)
    for axis in (0, 1):
        starts = np.arange(0, image.shape[axis], block)
        counts = np.diff([*starts, image.shape[axis]]).reshape([-1 if at == axis else 1 for at in range(3)])
        image = np.asarray(np.add.reduceat(image, starts, axis=axis) / counts, np.float32)
    return image
