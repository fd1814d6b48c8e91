"""The loop of the signal `line` beside the same rule in numpy, on searches of many clients, batch after batch."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from detector.clients import Table
from detector.compiled import by_client
from detector.geometry import COORDS, SKETCH
from detector.names import NUMBER, WIDTH
from detector.population import Population
from detector.query import Shape
from detector.signals import line
from detector.signals.base import Batch, Outcomes

COUNT, CLIENTS = 1_500, 8
EVENTS = len(line.SIGNAL.events)
RADIUS = 4.0
LATEST = 16  # queries among which the ends are looked for
CLOSE = 1e-5  # what the loop's single precision may change of a share of the way

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query among the latest ones, which may be an end."""

    z: Floats
    c: npt.NDArray[np.int16]
    label: int
    number: int
    middle: bool  # it lay halfway between two others itself


@dataclass(frozen=True, slots=True)
class _Line:
    """Two ends with different answers between which a query lies."""

    ends: frozenset[int]  # their numbers
    part: float  # of the way from the end with the smaller number
    length: float
    chained: bool  # one of the ends was a middle

    @property
    def halfway(self) -> bool:
        return abs(self.part - 0.5) <= 0.03


@dataclass(frozen=True, slots=True)
class _Told:
    """What the rule says of a query."""

    hits: tuple[bool, bool, bool] = (False, False, False)
    trial: bool = False
    remembered: bool = False  # it lies halfway between two that `memory` found
    lines: tuple[_Line, ...] = ()


def _lines(z: Floats, latest: list[_Asked], coords: int) -> tuple[_Line, ...]:
    """Return all lines on which a query lies: the ends are seen in opposite directions and differ in many coordinates.

    In float64 and from the inputs themselves, where the loop keeps squared distances.
    """
    label, c = np.array([one.label for one in latest]), np.array([one.c[:coords] for one in latest])
    ways = np.array([one.z for one in latest]).reshape(-1, SKETCH) - z
    length = np.linalg.norm(ways, axis=1)
    with np.errstate(invalid="ignore"):  # the query is one of the ends: there is no direction
        cosine = ways @ ways.T / np.outer(length, length)
    pairs = np.argwhere(np.triu(cosine < -0.99) & (label[:, None] != label))
    found = []
    for one, other in pairs.tolist():
        whole = float(length[one] + length[other])
        ends = (latest[one], latest[other])
        part = float(length[one]) / whole
        if 0.1 <= part <= 0.9 and np.count_nonzero(c[one] != c[other]) >= max(0.12 * coords, 3):
            numbers = frozenset(end.number for end in ends)
            found.append(_Line(numbers, part, whole, any(end.middle for end in ends)))
    return tuple(found)


def _told(batch: Batch, coords: int) -> list[_Told]:
    """Return what the rule says of each query."""
    latest: dict[int, list[_Asked]] = {}
    told = []
    for row in range(COUNT):
        label, number = int(batch.label[row]), int(batch.name[row, NUMBER])
        if not batch.has_input[row] or label < 0:
            told.append(_Told())
            continue
        held = latest.setdefault(int(batch.slot[row]), [])
        z, radius = batch.z[row].astype(np.float64), RADIUS * float(batch.sc[row])
        lines = _lines(z, held[-LATEST:], coords)
        remembered = not np.isnan(batch.halfway[row])
        hits = (
            remembered or bool(lines),
            any(one.length < 2 * radius for one in lines),
            bool(batch.chained[row]) or any(one.halfway and one.chained for one in lines),
        )
        told.append(_Told(hits, bool(batch.dmin[row] > 1e-3 * radius), remembered, lines))
        held.append(_Asked(z, batch.c[row], label, number, remembered or any(one.halfway for one in lines)))
    return told


def _point(random: np.random.Generator, earlier: Floats) -> Floats:
    """Return a new input, an old one, or one on the way between two, more or less on the line."""
    if len(earlier) < 2 or random.random() < 0.3:
        return random.normal(scale=random.choice([0.1, 1.0]), size=SKETCH)
    one, other = earlier[random.choice(len(earlier), 2, replace=False)]
    part = random.choice([0.0, 0.5, random.uniform(0.45, 0.55), random.uniform(0, 1)], p=[0.1, 0.4, 0.2, 0.3])
    aside = random.normal(size=SKETCH) * random.choice([0.0, random.uniform(0, 0.1)])
    beside: Floats = one + part * (other - one) + aside * np.linalg.norm(other - one) / np.sqrt(SKETCH)
    return beside


def _inputs(random: np.random.Generator, slot: npt.NDArray[np.int64], coords: int) -> tuple[Any, Any]:
    """Return z and c of clients who go on from their latest twenty; what lies beyond `coords` means nothing."""
    z, c = np.zeros((COUNT, SKETCH)), random.integers(0, 100, (COUNT, COORDS)).astype(np.int16)
    for row in range(COUNT):
        mine = np.flatnonzero(slot[:row] == slot[row])[-20:]
        z[row] = _point(random, z[mine])
        if len(mine):
            kept = random.permutation(coords)[random.integers(0, 10) :]  # of one that was asked before
            c[row, kept] = c[random.choice(mine), kept]
    return z.astype(np.float32), c


def _searches(seed: int, coords: int) -> Batch:
    """Return many clients' queries, of which something is unknown here and there."""
    random = np.random.default_rng(seed)
    slot = random.integers(0, CLIENTS, COUNT)
    z, c = _inputs(random, slot, coords)
    sc = random.uniform(0.25, 1, COUNT).astype(np.float32)
    remembered = random.random(COUNT) < 0.05
    name = random.integers(0, 1 << 40, (COUNT, WIDTH))
    name[:, NUMBER] = np.arange(1, COUNT + 1)
    unread: Any = dict.fromkeys(Batch._fields, np.zeros(COUNT, np.float32))
    return Batch(
        **unread
        | {
            "slot": slot,
            "label": random.choice([-1, 0, 1, 2], COUNT, p=[0.1, 0.3, 0.3, 0.3]),
            "has_input": random.random(COUNT) < 0.9,
            "z": z,
            "c": c,
            "sc": sc,
            "dmin": random.choice(np.array([0, 9e-4, 1.1e-3, 1, np.inf, np.nan], np.float32), COUNT) * RADIUS * sc,
            "halfway": np.where(remembered, random.uniform(0.47, 0.53, COUNT), np.nan).astype(np.float32),
            "chained": remembered & (random.random(COUNT) < 0.5),
            "name": name,
            "ends": np.zeros((COUNT, 2, WIDTH), np.int64),
            "part": np.full(COUNT, np.nan, np.float32),
        }
    )


def _population(coords: int, shape: Shape = (8, 8), **numbers: float) -> Population:
    arrays = {"coords": np.arange(coords, dtype=np.int32)}
    return Population("m", shape, 0, 0, 0, 0, 0, 0, False, numbers, {}, {}, arrays)


def _folded(batch: Batch, population: Population, seed: int) -> Outcomes:
    """Return what the loop finds in the stream, which comes in batches of all sizes; ends and parts go to `batch`."""
    fold, table = line.SIGNAL.fold, Table(16)
    assert fold is not None
    for client in range(CLIENTS):
        table.slot(f"client {client}")
    hit, trial = np.zeros((2, COUNT, EVENTS), np.bool_)
    cuts = np.random.default_rng(seed).integers(0, COUNT, 12).tolist()
    for first, last in pairwise([0, *sorted(cuts), COUNT]):
        rows = slice(first, last)
        few = Batch._make(column[rows] for column in batch)
        told = Outcomes(hit[rows], trial[rows], 0)
        fold(few._replace(order=by_client(few.slot)), table.columns["line"], population, told)
    return Outcomes(hit, trial, 0)


def _assert_shown(batch: Batch, row: int, told: _Told) -> None:
    """People are shown the ends between which the query lies nearest to halfway, those of `memory` last."""
    part, numbers = float(batch.part[row]), batch.ends[row, :, NUMBER].tolist()
    if not told.lines:
        assert numbers == [0, 0]
        assert part == 0.5 if told.remembered else np.isnan(part)
        return
    nearest = min(abs(one.part - 0.5) for one in told.lines)
    assert np.array_equal(batch.ends[row], batch.name[np.array(numbers) - 1])
    [shown] = [one for one in told.lines if one.ends == set(numbers)]
    assert abs(shown.part - 0.5) <= nearest + CLOSE
    along = part if numbers[0] < numbers[1] else 1 - part
    assert along == pytest.approx(shown.part, abs=CLOSE)


@pytest.mark.parametrize("coords", [64, 30, 4])
@pytest.mark.parametrize("seed", range(2))
def test_lines_are_found_by_the_rule(seed: int, coords: int) -> None:
    """Each event is found where the rule finds it, and each is found somewhere and missed somewhere."""
    batch = _searches(seed, coords)
    rule = _told(batch, coords)
    hit, trial = np.array([one.hits for one in rule]), np.array([one.trial for one in rule])
    out = _folded(batch, _population(coords, (coords,), r=RADIUS), seed)

    assert np.array_equal(out.trial, np.repeat(trial[:, None], EVENTS, axis=1))
    for event in range(EVENTS):
        assert np.array_equal(out.hit[:, event] & trial, hit[:, event] & trial), event
        assert 10 < np.count_nonzero(hit[:, event] & trial) < np.count_nonzero(trial) / 2, event
    searched = np.array([not one.remembered for one in rule])
    assert np.any(hit[:, 2] & trial & searched)
    for row, told in enumerate(rule):
        _assert_shown(batch, row, told)


@pytest.mark.parametrize(
    "population",
    [_population(64), _population(3, (3,), r=RADIUS)],
    ids=["no radius", "three columns"],
)
def test_where_lines_mean_nothing_none_is_looked_for(population: Population) -> None:
    """Without a radius nothing is near or far, and in three dimensions any three points may lie on a line."""
    assert not _folded(_searches(0, 3), population, 0).trial.any()
