"""Each signal's compiled loop beside the same rule in numpy, on queries of which much is unknown."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from detector.clients import Table
from detector.compiled import by_client
from detector.population import Population
from detector.signals import ROW, SIGNALS, novelty
from detector.signals.base import Batch, Flags, Outcomes
from tests.detector import build

COUNT, CLIENTS = 3_000, 20
HOLES = 0.15  # share of each reading that is unknown
LOST = ("m015", "sm02", "dc97", "res997", "for96", "tex998", "label_entropy02")  # numbers that a population may lack
SIGNAL = {signal.name: signal for signal in SIGNALS}

Pairs = list[tuple[Any, Any]]


def _known(*values: Any) -> Any:
    return np.all([~np.isnan(np.broadcast_to(value, np.shape(values[0]))) for value in values], axis=0)


def _disagree(batch: Batch, usual: Callable[[str], float]) -> Pairs:
    seen, against = batch.fresh & _known(batch.sm), batch.sm < 0
    far = (batch.dc > usual("dc97")) | (batch.res > usual("res97"))
    apart = (batch.dc > usual("dc75")) | (batch.res > usual("res75"))
    near = seen & _known(batch.dc, usual("dc97"), usual("dc75"))
    return [
        (against, seen),
        (batch.sm < usual("sm05"), seen & _known(batch.sm, usual("sm05"))),
        (batch.sm < usual("sm02"), seen & _known(batch.sm, usual("sm02"))),
        (against & far, near),
        (against & apart & (batch.margin_low > np.float32(0.9)), near & _known(batch.margin_low)),
        (against & (batch.foreign > usual("for96")), seen & _known(batch.foreign)),
    ]


def _low(batch: Batch, usual: Callable[[str], float]) -> Pairs:
    at_05, at_015, margin = usual("m05"), usual("m015"), batch.margin_high
    new = ~batch.repeat
    return [
        (margin < at_05, new & _known(margin, at_05)),
        (margin < at_015, new & _known(margin, at_015)),
        (margin < at_05, _known(margin, at_05)),
    ]


def _probe(batch: Batch, usual: Callable[[str], float]) -> Pairs:
    radius = np.float32(usual("r")) * batch.sc
    asked = batch.has_input & (batch.label >= 0) & _known(batch.dflip)
    flip, low = batch.dflip < radius, batch.margin_high < usual("m05")
    told = _known(batch.margin_high, usual("m05"))
    tight = (batch.dflip < np.float32(0.35) * radius) & (low | ~told)
    once = asked & batch.trial
    return [(flip, once), (flip & low, once & told), (tight, once), (flip, asked)]


def _texture(batch: Batch, usual: Callable[[str], float]) -> Pairs:
    seen = ~batch.repeat & batch.has_input & _known(batch.tex)
    return [(batch.tex > usual(name), seen & _known(batch.tex, usual(name))) for name in ("tex99", "tex998")]


def _unlike(batch: Batch, usual: Callable[[str], float]) -> Pairs:
    far: Pairs = [
        (
            (batch.dc > usual(f"dc{at}")) | (batch.res > usual(f"res{at}")),
            batch.fresh & _known(batch.dc, batch.res, usual(f"dc{at}"), usual(f"res{at}")),
        )
        for at in ("97", "997")
    ]
    return far + [
        (batch.foreign > usual(name), batch.fresh & _known(batch.foreign, usual(name))) for name in ("for96", "for995")
    ]


def _lattice(batch: Batch, _: Callable[[str], float]) -> Pairs:
    return [(batch.lattice, batch.has_input & ~batch.repeat), (batch.tinted, batch.has_input)]  # 64 numbers, an image


def _stencil(batch: Batch, usual: Callable[[str], float]) -> Pairs:
    near = (batch.dmin > np.float32(1e-4)) & (batch.dmin < np.float32(0.35 * usual("r")) * batch.sc)
    small = near & batch.base_same & (batch.changed <= np.float32(0.05))
    hit, before = np.zeros(COUNT, np.bool_), dict[int, tuple[int, Any]]()
    for row in np.flatnonzero(small).tolist():
        slot, base, step = int(batch.slot[row]), int(batch.base[row]), batch.step[row].astype(np.float64)
        other, earlier = before.get(slot, (None, step))
        size = np.linalg.norm(earlier) * np.linalg.norm(step)
        hit[row] = other == base and abs(earlier @ step) < 0.7 * size
        before[slot] = base, step
    return [(hit, batch.has_input)]


def _entropy(rows: npt.NDArray[np.float32], usual: Callable[[str], float]) -> Pairs:
    found: Pairs = []
    for column, of in ((-3, "label"), (-2, "cell")):
        low, high = usual(f"{of}_entropy02"), usual(f"{of}_entropy98")
        spread = rows[:, column]
        found.append(((spread < low) | (spread > high), _known(spread, low, high)))
    return found


FOLDS = {
    "disagree": _disagree,
    "low": _low,
    "probe": _probe,
    "texture": _texture,
    "unlike": _unlike,
    "lattice": _lattice,
    "stencil": _stencil,
}


@pytest.fixture(scope="module", params=["whole", "lacking"])
def population(request: pytest.FixtureRequest) -> Population:
    """Return one that knows all numbers, and one that lacks some."""
    whole = build.population()
    if request.param == "whole":
        return whole
    return replace(whole, numbers={name: value for name, value in whole.numbers.items() if name not in LOST})


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Return queries with readings around the population's own, unknown here and there."""
    random = np.random.default_rng(7)
    slot = random.integers(0, CLIENTS, COUNT)

    def around(*names: str) -> npt.NDArray[np.float32]:
        at = [build.population().numbers[name] for name in names]
        values = np.asarray(random.uniform(-0.3, 1.5, COUNT) * max(at, key=abs), np.float32)
        exact = random.random(COUNT) < 0.1
        values[exact] = np.float32(at[0])  # on the threshold itself
        values[random.random(COUNT) < HOLES] = np.nan
        return values

    flags = {
        name: random.random(COUNT) < 0.7
        for name in ("has_input", "repeat", "trial", "fresh", "lattice", "tinted", "related", "base_same", "chained")
    }
    margin = around("m05", "m015")
    return Batch(
        slot=slot,
        order=by_client(slot),
        label=random.integers(-1, 3, COUNT),
        margin_low=random.uniform(0, 1, COUNT).astype(np.float32),
        margin_high=margin,
        z=np.zeros((COUNT, 48), np.float32),
        c=np.zeros((COUNT, 64), np.int16),
        sc=random.uniform(0.25, 1, COUNT).astype(np.float32),
        tex=around("tex99", "tex998"),
        cell=np.zeros(COUNT, np.int32),
        dc=around("dc97", "dc997"),
        res=around("res97", "res997"),
        sm=around("sm05", "sm02"),
        foreign=around("for96", "for995"),
        dflip=around("r"),
        dmin=around("r") * np.float32(0.4),
        base=random.integers(0, 2, COUNT),
        step=random.normal(size=(COUNT, 48)).astype(np.float32),
        changed=random.choice(np.array([0.01, 0.05, 0.2, np.nan], np.float32), COUNT),
        halfway=np.full(COUNT, np.nan, np.float32),
        name=np.zeros((COUNT, 5), np.int64),
        beside=np.zeros((COUNT, 3, 5), np.int64),
        ends=np.zeros((COUNT, 2, 5), np.int64),
        part=np.full(COUNT, np.nan, np.float32),
        **flags,
    )


def _blank(name: str, rows: int) -> Outcomes:
    hit, trial = np.zeros((2, rows, len(SIGNAL[name].events)), np.bool_)
    return Outcomes(hit, trial, 0)


def _usual(population: Population) -> Callable[[str], float]:
    return lambda name: float(population.numbers.get(name, np.nan))


def _assert_alike(found: Outcomes, rule: Pairs) -> None:
    """Hits count in trials only."""
    for event, (hit, trial) in enumerate(rule):
        trials: Flags = np.asarray(trial, np.bool_)
        assert np.array_equal(found.trial[:, event].astype(np.bool_), trials), event
        assert np.array_equal((found.hit[:, event] > 0) & trials, np.asarray(hit, np.bool_) & trials), event


@pytest.mark.parametrize("name", FOLDS)
def test_queries_are_judged_by_the_rule(name: str, batch: Batch, population: Population) -> None:
    """The loop finds what the rule says, and something of each event that can be tried."""
    fold, table, out = SIGNAL[name].fold, Table(16), _blank(name, COUNT)
    assert fold is not None
    for client in range(CLIENTS):
        table.slot(f"client {client}")
    rule = FOLDS[name](batch, _usual(population))
    fold(batch, table.columns[name], population, out)

    _assert_alike(out, rule)
    if set(LOST) <= population.numbers.keys():
        assert all(np.any(hit & trial) and not np.all(hit | ~trial) for hit, trial in rule)


def test_windows_are_judged_by_the_rule(population: Population) -> None:
    """Entropy by its quantiles; novelty where nearly all is known, by the trees' own scores."""
    random = np.random.default_rng(3)
    rows = random.uniform(0, 1.2, (500, len(ROW))).astype(np.float32)
    rows[random.random(rows.shape) < random.uniform(0, 0.9, (len(rows), 1))] = np.nan
    read, told = SIGNAL["entropy"].read, _blank("entropy", len(rows))
    odd, found = SIGNAL["novelty"].read, _blank("novelty", len(rows))
    assert read is not None
    assert odd is not None
    read(rows, population, told)
    odd(rows, population, found)

    _assert_alike(told, _entropy(rows, _usual(population)))
    score = np.where(np.mean(~np.isnan(rows), axis=1) >= novelty.KNOWN, novelty.scores(population, rows), np.nan)
    limits = [novelty._thresholds(population)[at] for at in range(2)]  # from the trees where none is told
    _assert_alike(found, [(score > limit, ~np.isnan(score)) for limit in limits])
    assert 0 < found.trial[:, 0].sum() < len(rows)
