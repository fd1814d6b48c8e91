"""Leakage: the estimate beside the truth, for clients of many kinds.

Truth: how often a neural network (scikit-learn's MLPClassifier, 128 hidden units) trained on a client's raw queries
with the model's labels agrees with the model on the owner's held-out traffic. The population is learnt from 150
honest clients with images of their own.
"""

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks import leakage_clients as clients
from benchmarks.leakage_clients import Images, Labels, World
from detector.learning import learn
from detector.population import Population
from detector.query import Queries
from detector.windows import Watch

PAST_CLIENTS, PAST_LIFE = 150, 160
PAST_KINDS = (clients.usual, clients.skewed, clients.usual, clients.camera, clients.usual, clients.one_class)
TWICE = 1_600  # up to so many queries two clients of a kind are looked at
Row = dict[str, Any]


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--dataset", choices=("mnist", "gtsrb", "digits"), default="digits")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write a plot here")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Compare estimate and truth for all kinds of clients of one data set."""
    world = clients.world(chosen.dataset)
    started = time.perf_counter()
    population = learnt(world)
    seconds = time.perf_counter() - started
    rows = [row for kind, sizes in clients.KINDS for size in sizes for row in _rows(world, population, kind, size)]
    truth, estimate = (np.array([row[name] for row in rows]) for name in ("truth", "estimate"))
    summary = {
        "dataset": world.name,
        "correlation": round(float(np.corrcoef(truth, estimate)[0, 1]), 3),
        "mean_error": round(float(np.mean(np.abs(truth - estimate))), 3),
        "learn_seconds": round(seconds, 1),
    }
    if chosen.plots:
        _plot(chosen.plots, summary, rows)
    told = ", ".join(f"{name} {value}" for name, value in summary.items())
    return {"rows": [{name: _shown(value) for name, value in row.items()} for row in rows], "note": told, **summary}


def learnt(world: World) -> Population:
    """Return the population that honest clients with images of their own teach."""
    past = clients.World(world.name, world.shape, world.answer, world.past, world.past, world.held_out, world.foreign)
    rng = np.random.default_rng(1)
    lives = [PAST_KINDS[at % len(PAST_KINDS)](past, rng, PAST_LIFE) for at in range(PAST_CLIENTS)]
    names = tuple(f"past {at:03}" for at in range(PAST_CLIENTS))
    inputs = np.concatenate(lives)
    owner = np.repeat(np.arange(PAST_CLIENTS, dtype=np.int32), PAST_LIFE)
    return learn([queries(world, names, owner, inputs, world.answer(inputs))], world.shape)


def queries(world: World, names: tuple[str, ...], owner: Any, inputs: Images, label: Labels) -> Queries:
    """Return queries with labels only."""
    count, place = len(label), np.arange(len(label), dtype=np.int64)
    unknown, yes = np.full(count, np.nan, np.float32), np.ones(count, np.bool_)
    return Queries(
        model=world.name,
        clients=names,
        tenants=(None,) * len(names),
        client=owner,
        time=place * 1_000_000,
        id=np.stack([place, place + 1], axis=1).astype(np.uint64),
        scored=yes,
        has_input=yes,
        input=inputs,
        label=label,
        margin_low=unknown,
        margin_high=unknown,
        place=place,
        row=np.zeros(count, np.int32),
    )


def estimate(world: World, population: Population, inputs: Images, label: Labels) -> float:
    """Return what the detector says that a client has learnt."""
    watch = Watch(population, 16)
    watch.fold(queries(world, ("client",), np.zeros(len(label), np.int32), inputs, label))
    return watch.leakage(watch.table.slots["client"])


def truth(world: World, inputs: Images, label: Labels) -> float:
    """Return how often a copy trained on the queries agrees with the model on held-out traffic."""
    tested = world.held_out
    if len(np.unique(label)) == 1:
        return float(np.mean(tested.label == label[0]))
    copy = MLPClassifier((128,), max_iter=200 if len(label) < TWICE else 60, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of passes is meant
        copy.fit(inputs, label)
    return float(np.mean(copy.predict(tested.images) == tested.label))


def _rows(world: World, population: Population, kind: clients.Kind, size: int) -> list[Row]:
    rows = []
    for number in range(2 if size <= TWICE else 1):
        inputs = kind(world, np.random.default_rng([number, size]), size)
        label = world.answer(inputs)
        found = estimate(world, population, inputs, label), truth(world, inputs, label)
        rows.append({"client": kind.__name__, "queries": size, "estimate": found[0], "truth": found[1]})
    return rows


def _shown(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value


def _plot(folder: Path, summary: Row, rows: list[Row]) -> None:
    import matplotlib as mpl  # noqa: PLC0415  # only plots need it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(6, 6))
    for kind, _ in clients.KINDS:
        own = [row for row in rows if row["client"] == kind.__name__]
        axes.scatter([row["truth"] for row in own], [row["estimate"] for row in own], label=kind.__name__, s=18)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axes.set(xlabel="true agreement of a trained copy", ylabel="estimated leakage", xlim=(0, 1), ylim=(0, 1))
    axes.set_title(f"{summary['dataset']}: correlation {summary['correlation']}, mean error {summary['mean_error']}")
    axes.legend(fontsize="small")
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"leakage-{summary['dataset']}.png", dpi=120)
    plt.close(figure)
