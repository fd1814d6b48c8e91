"""Stages: one pass from ordinary queries to a population; `making` decides how many passes and on whom.

A  one scale for inputs   B  axes, cells, surrogate, thresholds   C  windows: quantiles, rows, ceilings
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detector import evidence, features, geometry, leakage, windows
from detector.learning import boosting, ceilings, drift, fitting, kinds, plane, virtual
from detector.learning.answers import Model
from detector.learning.ceilings import Ceilings, Lives
from detector.learning.fitting import Training
from detector.learning.kinds import Kinds
from detector.learning.past import Rows, generator, sample, seed
from detector.learning.reference import Reference
from detector.learning.virtual import Pool, Stock
from detector.policy import Policy
from detector.population import Population
from detector.query import Queries
from detector.signals import EVENTS, KINDS, novelty
from detector.signals.base import Event

PLACES: Final = 32  # of the input space, for virtual clients who are at home in a few
POOL_MAX: Final = 8_000  # ordinary queries that virtual clients are made from
SAFE_ROWS: Final = 1_500  # copies of each label-safe virtual kind that train the geometry
WINDOW_ROWS: Final = 8_000  # window rows kept for HalfSpaceTrees
BLOCK: Final = 8_192  # queries folded at once: bounds scratch memory
VIEWS_NUMBERS: Final = 1 << 24  # input numbers looked at at once

Progress = Callable[[str, float], None]
"""Called with what is being done and how far it is, 0..1."""


@dataclass(frozen=True, slots=True)
class Pass:
    """How one pass learns."""

    policy: Policy
    spare: float = 0  # see `ceilings.choose`
    model: Model | None = None  # gives virtual copies their answers; None: they keep their parents'
    reference: Reference | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What one pass learnt."""

    population: Population  # without the description that only `making` knows
    ceilings: Ceilings
    kinds: Kinds
    virtual: tuple[str, ...]  # virtual kinds that could be made
    moves: tuple[tuple[int, int], ...] = ()  # columns of the window rows that drifted, and when; see `drift`


def run(past: Queries, blank: Population, how: Pass, progress: Progress) -> Draft:
    """Return what the clients of `past` teach. `blank` says model and shape."""
    policy = how.policy
    progress("looking at inputs", 0.1)
    rows = sample(past)
    population, trained = _geometry(past, blank, rows, how)
    progress("following clients", 0.5)
    closed, client, time = follow(past, population, policy.window)
    population = _windows(past, population, closed.rows, trained.rows)
    judged = windows.judge(population, closed)
    own = ceilings.lives("past", client, judged.hits, judged.trials)
    progress("following virtual clients", 0.7)
    copies = _virtual(trained.stock, how)
    groups = [_group(kind.name, made, population, policy.window) for kind, made in copies]
    bound = evidence.thresholds(policy.alpha, 1, len(KINDS)).pair / 2
    chosen = ceilings.choose(_calibrated(how.model), own, groups, bound, how.spare)
    names = tuple(group.group for group in groups)
    population = replace(
        population,
        ceilings=chosen.p0,
        strong=chosen.strong,
        gated=not names and trained.kinds.separate < kinds.KINDS,
    )
    return Draft(population, chosen, trained.kinds, names, tuple(drift.moves(closed.rows, time)))


def _calibrated(model: Model | None) -> tuple[ceilings.Event, ...]:
    """Return which events virtual kinds calibrate.

    Copies that keep their parent's answer say nothing true of *changes* of the answer (line, probe).
    """
    return tuple(
        ceilings.Event(event.name, event.floor, event.strong, model is not None or _answer_free(event))
        for event in EVENTS
    )


def _answer_free(event: Event) -> bool:
    return event.group != "P" or event.name in {"lat", "sten"}


def follow(
    past: Queries, population: Population, window: int
) -> tuple[windows.Closed, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return all closed windows, the client of each as places in `past.clients`, and when each closed."""
    watch = windows.Watch(population, window)
    parts, clients, times = [], [], []
    for begin in range(0, len(past), BLOCK):
        block = past.take(slice(begin, begin + BLOCK))
        closed = watch.fold(block)
        parts.append(closed)
        clients.append(block.client[closed.row].astype(np.int64))
        times.append(block.time[closed.row])
    whole = (np.concatenate([getattr(part, name) for part in parts]) for name in windows.Closed.__slots__)
    return windows.Closed(*whole), np.concatenate(clients), np.concatenate(times)


def lives_of(past: Queries, population: Population, policy: Policy) -> tuple[Lives, npt.NDArray[np.int64]]:
    """Return the windows of all clients under a finished population, and who they are."""
    closed, client, _ = follow(past, population, policy.window)
    return ceilings.lives("past", client, closed.hits, closed.trials), np.unique(client)


def profile(past: Queries, blank: Population) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return what each client with a sampled query is like (see `kinds.profiles`), and who they are."""
    rows = sample(past)
    if len(rows) == 0 or past.input is None:
        return _by_labels(past)
    inputs = past.input[rows]
    population = replace(blank, arrays=plane.fit(blank.model, blank.shape, inputs))
    profiled, client = np.unique(past.client[rows].astype(np.int64), return_inverse=True)
    ux = _preliminary(_views(population, inputs).u)
    return kinds.profiles(ux, past.label[rows], client, len(profiled)), profiled


@dataclass(frozen=True, slots=True)
class _Trained:
    stock: Stock | None
    kinds: Kinds
    rows: Rows


def _geometry(past: Queries, blank: Population, rows: Rows, how: Pass) -> tuple[Population, _Trained]:
    if len(rows) == 0 or past.input is None:
        return blank, _Trained(None, kinds.cluster(_by_labels(past)[0], past.model), rows)
    inputs = past.input[rows]
    population = replace(blank, arrays=plane.fit(blank.model, blank.shape, inputs))
    profiled, client = np.unique(past.client[rows], return_inverse=True)
    seen = _looked(population, inputs, past, rows)
    ux = _preliminary(seen.u)
    found = kinds.cluster(kinds.profiles(ux, seen.label, client, len(profiled)), blank.model)
    seen = replace(seen, kind=found.of[client].astype(np.int64))
    if how.reference is not None:
        inputs = np.concatenate([inputs, how.reference.inputs])
        seen = fitting.pooled([seen, _shown(population, how.reference, found.count)])
    pool = _pool(population, inputs, seen)
    stock = Stock(pool, population, _clients(how))
    copies = list(_copies(stock, population, how.model, found.count + 1))
    arrays, numbers = fitting.fit(population, fitting.pooled([seen, *copies]))
    population = replace(population, arrays={**population.arrays, **arrays}, numbers=numbers)
    return boosting.with_trees(population, stock, inputs), _Trained(stock, found, rows)


def _by_labels(past: Queries) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    profiled, client = np.unique(past.client.astype(np.int64), return_inverse=True)
    return kinds.profiles(np.zeros((len(past), 0), np.float32), past.label, client, len(profiled)), profiled


def _looked(population: Population, inputs: geometry.Floats, past: Queries, rows: Rows) -> Training:
    seen = _views(population, inputs)
    return Training(
        z=seen.z,
        u=seen.u,
        con=seen.con,
        tex=seen.tex,
        label=past.label[rows],
        margin=past.margin_high[rows],
        client=past.client[rows].astype(np.int64),
        kind=np.zeros(len(rows), np.int64),
    )


def _views(population: Population, inputs: geometry.Floats) -> features.Views:
    step = max(1, VIEWS_NUMBERS // max(inputs.shape[1], 1))
    parts = [features.views(population, inputs[at : at + step]) for at in range(0, len(inputs), step)]
    return features.Views(*(np.concatenate([getattr(part, name) for part in parts]) for name in _VIEWS))


_VIEWS: Final = ("z", "c", "u", "con", "tex")


def _preliminary(u: geometry.Floats) -> geometry.Floats:
    mean, axes = fitting.principal(u, np.ones(len(u)))
    return features.reduce(u, mean, axes)[0]


def _shown(population: Population, reference: Reference, kind: int) -> Training:
    """Return the reference as a kind of its own: it belongs to no client, and its margins set no threshold."""
    seen, count = _views(population, reference.inputs), len(reference)
    unknown, nobody = np.full(count, np.nan, np.float32), np.full(count, -1, np.int64)
    return Training(
        seen.z, seen.u, seen.con, seen.tex, reference.label, unknown, nobody, np.full(count, kind, np.int64)
    )


def _pool(population: Population, inputs: geometry.Floats, seen: Training) -> Pool:
    past, given = np.flatnonzero(seen.client >= 0), np.flatnonzero(seen.client < 0)
    drawn = generator("pool", population.model).permutation(past)[: POOL_MAX - len(given)]
    rows = np.sort(np.concatenate([drawn, given]))
    ux = _preliminary(seen.u)
    layout = geometry.layout(population.shape)
    exact = np.float32 if layout.image else np.float64
    scaled = (inputs[rows] - population.arrays["offset"].astype(exact)) * population.arrays["scale"].astype(exact)
    _, cell = kinds.centres_of(ux[rows], PLACES, seed("places", population.model))
    numeric = population.arrays.get("numeric", np.ones(layout.size, np.bool_))
    # What the surrogate learns from must be an answer: rows without a label are nobody's parents.
    known = seen.label[rows] >= 0
    scaled = np.clip(scaled, 0, 1) if layout.image else scaled
    return Pool(layout, scaled[known], seen.label[rows][known], seen.margin[rows][known], cell[known], numeric)


def _copies(stock: Stock, population: Population, model: Model | None, first: int) -> Iterator[Training]:
    """Yield the copies that train the geometry: all that are changed, or the label-safe where nobody can be asked.

    Measured on digits and a table with true answers: all of them, against the label-safe alone, halve the queries
    until noise is blocked and move no honest client.
    """
    changed = [kind for kind in virtual.kinds_of(stock.pool.layout) if not kind.real]
    for number, kind in enumerate(kind for kind in changed if kind.safe or model is not None):
        made = stock.queries(kind, virtual.CLIENTS)
        if made is None or made.input is None:
            continue
        step = max(1, len(made) // SAFE_ROWS)
        inputs, label = made.input[::step], made.label[::step]
        label = label if model is None else model.answers(inputs)[0]
        yield _shown(population, Reference(inputs, label, made.margin_high[::step]), first + number)


def _virtual(stock: Stock | None, how: Pass) -> Iterator[tuple[virtual.VirtualKind, Queries]]:
    for kind in virtual.kinds_of(stock.pool.layout) if stock is not None else ():
        made = stock.queries(kind, _clients(how)) if stock is not None else None
        if made is not None:
            yield kind, made if how.model is None or kind.real else how.model.answered(made)


def _clients(how: Pass) -> int:
    """Return how many virtual clients of each kind are followed."""
    return virtual.CLIENTS_FIRST if how.spare else virtual.CLIENTS


def _group(name: str, made: Queries, population: Population, window: int) -> Lives:
    closed, client, _ = follow(made, population, window)
    return ceilings.lives(name, client, closed.hits, closed.trials)


def _windows(past: Queries, population: Population, cut: npt.NDArray[np.float32], rows: Rows) -> Population:
    """Add stage C: what windows of ordinary clients are like, and the queries on which leakage is tested."""
    arrays, numbers = dict(population.arrays), dict(population.numbers)
    rng = generator("windows", population.model)
    if len(cut):
        # In random order: HalfSpaceTrees learns from the order, and clients lie one after the other here.
        arrays["rows"] = cut[rng.permutation(len(cut))[:WINDOW_ROWS]]
        asked, odd = novelty.learnt(arrays["rows"])
        arrays |= asked
        numbers |= _entropies(cut) | odd
    kept = np.sort(rng.permutation(rows[past.label[rows] >= 0])[: leakage.POINTS])
    if len(kept) and past.input is not None:
        found = features.extract(population, past.input[kept], past.label[kept])
        arrays |= {"reservoir_ux": found.ux, "reservoir_label": past.label[kept]}
    return replace(population, arrays=arrays, numbers=numbers)


def _entropies(rows: npt.NDArray[Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, column in (("label_entropy", -3), ("cell_entropy", -2)):
        known = rows[:, column][np.isfinite(rows[:, column])]
        if len(known):
            found |= {f"{name}02": float(np.quantile(known, 0.02)), f"{name}98": float(np.quantile(known, 0.98))}
    return found
