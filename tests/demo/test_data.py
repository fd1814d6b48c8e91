"""The demo's images: disjoint, in range, the same each time."""

import numpy as np

from gamekeeper.demo import data


def _rows(pool: data.Pool) -> set[bytes]:
    return {image.tobytes() for image in pool.images}


def test_parts_hold_every_image_once() -> None:
    """No image is in two parts, and none is lost."""
    parts = data.load()
    pools = (parts.training, parts.warm_up, parts.honest, parts.seeds, parts.test)
    assert sum(map(len, pools)) == 1797
    assert len(set().union(*map(_rows, pools))) == sum(len(_rows(pool)) for pool in pools)


def test_images_are_what_the_model_takes() -> None:
    """Every image, a camera's too, is float32, 8x8 and within 0..1."""
    rng = np.random.default_rng(0)
    seen = data.Camera((0.4, -0.3), noise=0.1, gain=1.2, offset=0.1).take(data.load().seeds.images, rng)
    assert seen.dtype == np.float32
    assert seen.shape[1:] == data.SHAPE
    assert seen.min() >= 0.0
    assert seen.max() <= 1.0


def test_patches_are_no_digits() -> None:
    """Patches of photographs fill the whole range and differ from one another."""
    patches = data.patches(200)
    assert patches.shape == (200, *data.SHAPE)
    assert len({patch.tobytes() for patch in patches}) == 200
    assert patches.mean() > 0.2
