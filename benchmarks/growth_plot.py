"""What a client's first n queries cost on average, by n: ours, and PRADA's, whose growing sets are searched whole.

PRADA (Juuti et al., EuroS&P 2019) is the arena's own, with a check at every tenth query. Both see the same queries.
"""

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from benchmarks.arena.peers import prada
from benchmarks.world import World

mpl.use("Agg")  # no screen
NAME: Final = "growth.png"
AGES: Final = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
PRADA_AGES: Final = tuple(age for age in AGES if age <= 10_000)  # noqa: PLR2004  # beyond, a minute and more
_DOTS: Final = 130  # an inch


def draw(ours: Callable[[int], float], floats: int, folder: Path) -> Path:
    """Write the plot into a folder, which is made if need be. `ours` returns the CPU seconds of so many queries."""
    curves = {
        "Gamekeeper": [(age, 1e6 * ours(age) / age) for age in AGES],
        "PRADA": [(age, 1e6 * _prada(age, floats) / age) for age in PRADA_AGES],
    }
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    panel = figure.subplots()
    for name, points in curves.items():
        panel.plot(*zip(*points, strict=True), marker="o", label=name)
    panel.set(xscale="log", yscale="log", xlabel="queries of one client", ylabel="CPU µs a query, mean of all so far")
    panel.grid(visible=True, color="0.9")
    panel.legend()
    figure.suptitle(f"What a client's age costs: {floats} numbers a query, one core", fontsize="medium")
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / NAME, dpi=_DOTS)
    return folder / NAME


def _prada(queries: int, floats: int) -> float:
    """Return the CPU seconds of PRADA over one client's queries."""
    world = World(np.random.default_rng(0), floats)
    inputs = world.inputs(np.ones(queries, np.int32))
    label = world.probabilities(inputs).argmax(axis=1)
    begun = time.process_time()
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of p-values, which PRADA does not read
        prada.checks(inputs, label)
    return time.process_time() - begun
