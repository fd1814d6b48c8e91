"""Plots: agreement against queries, one panel an attack, one line a defence. PNG files.

Below the line of the labels lies what only a thief gets who does not think of taking the labels: it is shaded.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.defended.catalogue import DEFENCES, FLOOR, POLICY, UNDEFENDED
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
    figure = Figure(figsize=(4.2 * len(attacks), 5), layout="constrained")
    panels = figure.subplots(1, len(attacks), sharex=True, sharey=True, squeeze=False)[0]
    colours = _colours(list(dict.fromkeys(row["defence"] for row in plain if row["defence"] != POLICY)))
    for panel, attack in zip(panels, attacks, strict=True):
        _attack(panel, [row for row in plain if row["attack"] == attack], colours)
        panel.set_title(attack)
    panels[0].set_ylim(max(100 * min(row["agreement"] for row in plain) - 5, 0), 101)
    budgets = sorted({row["budget"] for row in plain})
    panels[0].set_xticks(budgets, [f"{budget:,}" for budget in budgets])
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right upper", fontsize="small")
    figure.supxlabel("queries asked", fontsize="medium")
    figure.suptitle(f"{found['dataset']}: % of test inputs on which copy and model agree", fontsize="medium")
    path = folder / f"{found['dataset']}-defences.png"
    figure.savefig(path, dpi=_DOTS)
    return path


def _colours(defences: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return a style for each defence; past ten colours, lines are dotted."""
    plain = [name for name in defences if name not in _STYLES]
    styles = {name: {"color": f"C{at % 10}", "linestyle": ":" if at > 9 else "-"} for at, name in enumerate(plain)}  # noqa: PLR2004  # matplotlib's colours
    return {name: {"linewidth": 1.3} | (_STYLES | styles)[name] for name in defences}


def _attack(panel: Axes, rows: Rows, styles: dict[str, dict[str, Any]]) -> None:
    budgets = sorted({row["budget"] for row in rows})
    for defence, style in styles.items():
        values = [100 * (mean(rows, "agreement", defence=defence, budget=budget) or 0) for budget in budgets]
        if defence == FLOOR:
            panel.fill_between(budgets, 0, values, color="0.95")
        mark = "s" if DEFENCES[defence].marks else "o"
        panel.plot(budgets, values, marker=mark, markersize=4, label=defence, **style)
    panel.set_xscale("log")
    panel.minorticks_off()
    panel.grid(axis="y", color="0.9")
