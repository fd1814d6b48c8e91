"""Inputs in reports: thumbnails that another reader decodes to the right pixels, and what differs in other inputs."""

import base64
import io

import matplotlib.image
import numpy as np
import pytest

from consumers.report.inputs import SIDE_MAX, differing, thumbnail
from consumers.report.png import encode
from detector.population import Population
from detector.query import Shape

RANDOM = np.random.default_rng(5)


def population(shape: Shape, low: float = -1.0, high: float = 3.0) -> Population:
    """Return a population that knows no more than the range of its inputs."""
    size = int(np.prod(shape))
    arrays = {"offset": np.full(size, low, np.float32), "scale": np.full(size, 1 / (high - low), np.float32)}
    return Population("m", shape, 0, 0, 0, 0, 0, 0, True, {}, {}, {}, arrays)


def read(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a PNG's pixels as an independent reader sees them."""
    seen = np.atleast_3d(matplotlib.image.imread(io.BytesIO(data), "png"))
    return np.asarray(np.rint(seen[:, :, :3] * 255), np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_come_through(channels: int) -> None:
    """What is written is what another reader reads."""
    pixels = RANDOM.integers(0, 256, (7, 5, channels), np.uint8)
    assert np.array_equal(read(encode(pixels)), pixels)


@pytest.mark.parametrize("shape", [(8, 6), (8, 6, 1), (8, 6, 3), (3, 8, 6), (8, 6, 4)])
def test_images_of_every_layout_are_shown(shape: Shape) -> None:
    """Height by width, channels last or first, the population's range from black to white, beyond it cut off."""
    channels_first = shape[0] == 3
    image = RANDOM.uniform(-2, 4, shape).astype(np.float32)
    uri = thumbnail(population(shape), image.ravel())
    assert uri is not None
    assert uri.startswith("data:image/png;base64,")
    seen = read(base64.b64decode(uri.partition(",")[2]))
    laid = image.transpose(1, 2, 0) if channels_first else image.reshape(8, 6, -1)
    expected = np.rint(np.clip((laid[:, :, :3] + 1) / 4, 0, 1) * 255).astype(np.uint8)
    assert np.abs(seen.astype(int) - expected).max() <= 1  # float32 may fall to the other side of a half


def test_large_images_are_made_smaller() -> None:
    """No side is longer than SIDE_MAX, and a grey area stays as grey as it was."""
    uri = thumbnail(population((250, 101, 3), 0, 1), np.full(250 * 101 * 3, 0.5, np.float32))
    assert uri is not None
    seen = read(base64.b64decode(uri.partition(",")[2]))
    assert max(seen.shape) <= SIDE_MAX
    assert set(seen.ravel().tolist()) == {128}


def test_other_inputs_tell_what_differs() -> None:
    """A table is no image: the values that differ most, weighed by how much each varies, and no equal ones."""
    held = population((4,))
    held.arrays["scale"][:] = (1, 1, 100, 1)
    one, other = np.array([1, 2, 3, 4], np.float32), np.array([1, 5, 3.5, 3], np.float32)
    assert thumbnail(held, one) is None
    assert [(found.place, found.one, found.other) for found in differing(held, one, other)] == [
        (2, 3.0, 3.5),
        (1, 2.0, 5.0),
        (3, 4.0, 3.0),
    ]
