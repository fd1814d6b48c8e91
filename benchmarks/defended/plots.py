"""Plots: agreement against queries, one panel an attack, one line a defence. PNG files."""

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.defended.catalogue import DEFENCES, FLOOR, UNDEFENDED
from benchmarks.defended.report import Rows, mean

mpl.use("Agg")  # no screen
_DOTS: Final = 130  # an inch
_STYLES: Final[dict[str, dict[str, Any]]] = {
    UNDEFENDED: {"color": "black", "linewidth": 2.5},
    FLOOR: {"color": "black", "linestyle": "--"},
}


def draw(found: dict[str, Any], folder: Path) -> Path:
    """Write the plot of a run into a folder, which is made if need be, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = [row for row in found["taken"] if not row["trick"]]
    attacks = list(dict.fromkeys(row["attack"] for row in plain))
    figure = Figure(figsize=(4.2 * len(attacks), 4.6), layout="constrained")
    panels = figure.subplots(1, len(attacks), sharey=True, squeeze=False)[0]
    for panel, attack in zip(panels, attacks, strict=True):
        _attack(panel, [row for row in plain if row["attack"] == attack])
        panel.set_title(attack)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right upper", fontsize="small")
    figure.supxlabel("queries asked", fontsize="medium")
    panels[0].set_ylabel(f"% of test inputs on which copy and model agree ({found['dataset']})")
    path = folder / f"{found['dataset']}-defences.png"
    figure.savefig(path, dpi=_DOTS)
    return path


def _attack(panel: Axes, rows: Rows) -> None:
    budgets = sorted({row["budget"] for row in rows})
    for at, defence in enumerate(dict.fromkeys(row["defence"] for row in rows)):
        values = [100 * (mean(rows, "agreement", defence=defence, budget=budget) or 0) for budget in budgets]
        mark = "s" if DEFENCES[defence].marks else "o"
        style = _STYLES.get(defence, {"color": f"C{at % 10}", "linewidth": 1.2})
        panel.plot(budgets, values, marker=mark, markersize=4, label=defence, **style)
    panel.set_xscale("log")
    panel.set_xticks(budgets, [f"{budget:,}" for budget in budgets])
    panel.minorticks_off()
    panel.grid(axis="y", color="0.9")
