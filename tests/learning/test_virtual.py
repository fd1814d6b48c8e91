"""Virtual kinds: every registered one keeps the same contract."""

from dataclasses import replace

import numpy as np
import pytest

from detector import warm
from detector.geometry import layout
from detector.learning.past import generator
from detector.learning.virtual import Pool, Stock, kinds_of, queries_of
from detector.learning.virtual.images import IMAGES
from detector.learning.virtual.pool import QUERIES, Copies, VirtualKind
from detector.learning.virtual.tables import TABLES
from detector.population import Population
from detector.query import Shape

ROWS = 300
SHAPES: tuple[Shape, ...] = ((8, 8), (3, 12, 10), (32, 32, 3), (1,), (20,))
CASES = [(shape, kind) for shape in SHAPES for kind in kinds_of(layout(shape))]


def _pool(shape: Shape) -> Pool:
    rng = np.random.default_rng(0)
    seen = layout(shape)
    inputs = rng.random((ROWS, seen.size), np.float32)
    if not seen.image:
        inputs = ((inputs - 0.5) * 3.4).astype(np.float64)
    margin = rng.random(ROWS, np.float32)
    numeric = np.arange(seen.size) % 3 != 2
    return Pool(seen, inputs, rng.integers(0, 4, ROWS), margin, rng.integers(0, 32, ROWS), numeric)


def _made(shape: Shape, kind: VirtualKind) -> Copies:
    copies = kind.make(_pool(shape), generator(kind.name, "m"))
    assert copies is not None
    return copies


@pytest.mark.parametrize(("shape", "kind"), CASES, ids=lambda value: getattr(value, "name", str(value)))
def test_contract(shape: Shape, kind: VirtualKind) -> None:
    """A virtual client has QUERIES queries of the right size on the right scale, with parents, always the same."""
    copies, size = _made(shape, kind), layout(shape).size
    assert copies.inputs.shape == (QUERIES, size)
    assert copies.inputs.dtype == (np.float32 if layout(shape).image else np.float64)
    assert np.isfinite(copies.inputs).all()
    assert copies.parent.shape == (QUERIES,)
    assert (copies.parent >= 0).all()
    assert (copies.parent < ROWS).all()
    if layout(shape).image:
        assert copies.inputs.min() >= 0
        assert copies.inputs.max() <= 1
    again = _made(shape, kind)
    assert np.array_equal(copies.inputs, again.inputs)


@pytest.mark.parametrize(("shape", "kind"), CASES, ids=lambda value: getattr(value, "name", str(value)))
def test_real_kinds_change_nothing_and_others_do(shape: Shape, kind: VirtualKind) -> None:
    """Only kinds that say so send their parents as they are: those keep the parents' margins."""
    copies = _made(shape, kind)
    same = np.allclose(copies.inputs, _pool(shape).inputs[copies.parent], atol=1e-6)
    assert same == kind.real


def test_label_safe_copies_stay_near_their_parents() -> None:
    """A copy that may train the surrogate is nearer to its parent than to a stranger, so it deserves the label."""
    for shape, kinds in (((8, 8), IMAGES), ((20,), TABLES)):
        for kind in (kind for kind in kinds if kind.safe and kind.name != "ramp"):
            pool, copies = _pool(shape), _made(shape, kind)
            own = np.linalg.norm(copies.inputs - pool.inputs[copies.parent], axis=1)
            other = np.linalg.norm(copies.inputs - pool.inputs[np.roll(copies.parent, 7)], axis=1)
            assert np.median(own) < np.median(other), kind.name


def test_names_are_unique() -> None:
    """A note names the kind that binds a ceiling, so no two kinds share a name."""
    for shape in ((8, 8), (5,)):
        names = [kind.name for kind in kinds_of(layout(shape))]
        assert len(names) == len(set(names))


def test_a_stock_holds_what_is_made_anew() -> None:
    """Clients that are kept, or the first of them, are those that are made again."""
    population = _scaled((8, 8))
    pool, kind = _pool((8, 8)), IMAGES[0]
    stock = Stock(pool, population, most=10)
    for count in (10, 8, 10, 8):
        kept, made = stock.queries(kind, count), queries_of(pool, kind, population, count)
        assert kept is not None
        assert made is not None
        assert kept.clients == made.clients
        assert kept.input is not None
        assert made.input is not None
        assert np.array_equal(kept.input, made.input)
        assert np.array_equal(kept.client, made.client)
    assert stock.queries(kind, 10) is stock.queries(kind, 10)


def _scaled(shape: Shape) -> Population:
    size = layout(shape).size
    arrays = {"offset": np.zeros(size, np.float32), "scale": np.ones(size, np.float32)}
    return replace(warm._population((8, 8)), arrays=arrays)
