"""Plots: how long thieves last, whom it hits falsely, and what a copy is worth at the block. PNG files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.arena.records import OURS, Record
from benchmarks.arena.statistics import interval, lasting

mpl.use("Agg")  # no screen
_COLUMNS: Final = 4  # panels in a row of a figure
_SPAN: Final = (10, 4_000)  # queries of a client that are drawn
_DOTS: Final = 130  # an inch
_GREEN, _ORANGE, _RED = "tab:green", "tab:orange", "tab:red"


def draw(records: Sequence[Record], result: dict[str, Any], folder: Path) -> list[Path]:
    """Write all plots of a run into a folder, which is made if need be, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    ours = [record for record in records if record.judge == OURS]
    paths = []
    for setting in sorted({record.setting for record in ours if record.group == "attack"}):
        stem = f"{result['dataset']}-{setting}"
        own = [record for record in ours if record.setting == setting]
        figures = {"survival": _survival(own), "copies": _copies(_of(result["attacks"], setting))}
        figures["honest"] = _honest(_of(result["honest"], setting))
        for name, figure in figures.items():
            paths.append(folder / f"{stem}-{name}.png")
            figure.savefig(paths[-1], dpi=_DOTS, bbox_inches="tight")
    return paths


def _of(rows: Sequence[dict[str, Any]], setting: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["setting"] == setting]


def _survival(records: Sequence[Record]) -> Figure:
    """Draw the share of thieves not yet blocked against their queries, one panel an attack, one curve a variant."""
    thieves = [record for record in records if record.group == "attack"]
    attacks = list(dict.fromkeys(record.kind for record in thieves))
    height = -(-len(attacks) // _COLUMNS)
    figure = Figure(figsize=(4 * _COLUMNS, 2.6 * height), layout="constrained")
    panels = figure.subplots(height, _COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    styles = {variant: f"C{at}" for at, variant in enumerate(dict.fromkeys(record.variant for record in thieves))}
    for panel, attack in zip(panels, attacks, strict=False):
        _last(panel, [record for record in thieves if record.kind == attack], styles)
        panel.set(title=attack, ylim=(-0.03, 1.03), xscale="log", xlim=_SPAN)
    for panel in panels[len(attacks) :]:
        panel.set_axis_off()
    handles = [Line2D([], [], color=colour, label=variant) for variant, colour in styles.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    figure.supxlabel("queries of the client")
    figure.supylabel("share not blocked")
    return figure


def _last(panel: Axes, thieves: Sequence[Record], styles: dict[str, str]) -> None:
    """Draw one attack's curves; later ones are thinner, so that equal ones show all."""
    for at, variant in enumerate(dict.fromkeys(record.variant for record in thieves)):
        held = [record for record in thieves if record.variant == variant]
        queries, share = lasting([record.blocked for record in held], [record.queries for record in held])
        wide = max(3 - 0.35 * at, 0.8)
        panel.step(np.maximum(queries, 1), share, where="post", color=styles[variant], linewidth=wide)


def _honest(rows: Sequence[dict[str, Any]]) -> Figure:
    """Draw the share falsely suspected and blocked of each honest kind, with 95 % intervals."""
    figure = Figure(figsize=(8, 0.32 * len(rows) + 1.2), layout="constrained")
    panel, place = figure.subplots(), np.arange(len(rows))
    for what, colour, aside in (("suspected", _ORANGE, -0.15), ("blocked", _RED, 0.15)):
        share = np.array([row[what] / row["clients"] for row in rows])
        ends = np.array([interval(row[what], row["clients"]) for row in rows])
        reach = np.abs(ends.T - share)
        panel.errorbar(100 * share, place + aside, xerr=100 * reach, fmt="o", ms=4, color=colour, label=what)
    names = [row["kind"] + ("" if row["seen"] else " (unseen)") for row in rows]
    panel.set_yticks(place, names)
    panel.invert_yaxis()
    panel.set_xlabel("% of honest clients, with 95 % intervals")
    panel.legend()
    return figure


def _copies(rows: Sequence[dict[str, Any]]) -> Figure:
    """Draw how often a copy agrees with the victim: at the block, and had the thief not been blocked."""
    known = [row for row in rows if row["agreement_undefended"] is not None]
    figure = Figure(figsize=(8, 0.3 * len(known) + 1.2), layout="constrained")
    panel, place = figure.subplots(), np.arange(len(known))
    at_block = [100 * row["agreement_at_block"] for row in known]
    undefended = [100 * row["agreement_undefended"] for row in known]
    panel.hlines(place, at_block, undefended, color="lightgrey")
    panel.plot(undefended, place, "o", color=_RED, label="undefended")
    panel.plot(at_block, place, "o", color=_GREEN, label="at the block")
    panel.set_yticks(place, [f"{row['attack']} ({row['variant']})" for row in known])
    panel.invert_yaxis()
    panel.set(xlabel="% of test inputs on which copy and victim agree", xlim=(0, 100))
    panel.legend()
    return figure
