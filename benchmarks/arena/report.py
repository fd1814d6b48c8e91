"""Report: the tables that people read, from the rows that JSON holds."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from rich.table import Table

from benchmarks.arena.statistics import interval

Rows: TypeAlias = Sequence[dict[str, Any]]
_LOST: Final = 0.05  # share blocked that a signal's absence must cost to be worth a line


def tables(result: dict[str, Any]) -> list[Table]:
    """Return every table of a run."""
    settings = sorted({row["setting"] for row in result["honest"]})
    honest = [_honest(f"honest clients, {setting}", _in(result["honest"], setting)) for setting in settings]
    found = [_worlds(result), *honest]
    for setting in sorted({row["setting"] for row in result["attacks"]}):
        found.append(_attacks(f"thieves, {setting}: share blocked @ median", _in(result["attacks"], setting)))
        found.append(_agreement(f"what thieves take away, {setting}", _in(result["attacks"], setting)))
        found.append(_ablation(f"each signal out, {setting}", result, setting))
        found += [_peer(name, rows, setting) for name, rows in result["peers"].items()]
    found.append(_honest("honest clients of long lives", result["old"]))
    return found


def _in(rows: Rows, setting: str) -> Rows:
    return [row for row in rows if row["setting"] == setting]


def _table(title: str, names: str, numbers: str) -> Table:
    """Return an empty table; columns are named in one string each, parted by bars."""
    table = Table(title=title, title_justify="left")
    for name in names.split("|"):
        table.add_column(name)
    for name in numbers.split("|"):
        table.add_column(name, justify="right")
    return table


def _worlds(result: dict[str, Any]) -> Table:
    cost = result["microseconds_a_query"]
    title = f"{result['dataset']}: {cost:.0f} µs of CPU a query to judge"
    table = _table(title, "setting|population", "seed|victim's accuracy|clients|queries|learnt in s")
    for row in result["worlds"]:
        counts = f"{row['clients']:,}", f"{row['queries']:,}", f"{row['learn_seconds']:.0f}"
        table.add_row(row["setting"], row["population"], str(row["seed"]), f"{row['accuracy']:.1%}", *counts)
    return table


def _honest(title: str, rows: Rows) -> Table:
    table = _table(title, "kind|seen", "clients|suspected|95 %|blocked|95 %")
    for row in rows:
        table.add_row(row["kind"], "yes" if row["seen"] else "", *_shares(row))
    for name, seen in (("all seen", True), ("all unseen", False)):
        held = [row for row in rows if row["seen"] is seen]
        if held:
            total = {what: sum(row[what] for row in held) for what in ("clients", "suspected", "blocked")}
            table.add_row(name, "", *_shares(total), style="bold")
    worst = max(rows, key=_harm)
    table.caption = f"worst kind: {worst['kind'] if any(_harm(worst)) else 'none'}"
    return table


def _harm(row: dict[str, Any]) -> tuple[float, float]:
    return row["blocked"] / row["clients"], row["suspected"] / row["clients"]


def _shares(row: dict[str, Any]) -> tuple[str, ...]:
    cells = [f"{row['clients']:,}"]
    for what in ("suspected", "blocked"):
        low, high = interval(row[what], row["clients"])
        cells += [str(row[what]), f"{low:.1%} to {high:.1%}"]
    return tuple(cells)


def _attacks(title: str, rows: Rows) -> Table:
    names = list(dict.fromkeys(row["variant"] for row in rows))
    table = _table(title, "attack", "|".join(names))
    for attack in dict.fromkeys(row["attack"] for row in rows):
        cells = {row["variant"]: _blocked(row) for row in rows if row["attack"] == attack}
        table.add_row(attack, *(cells.get(name, "") for name in names))
    table.caption = "in brackets: share suspected, where it is larger"
    return table


def _blocked(row: dict[str, Any]) -> str:
    blocked, suspected = row["blocked"] / row["clients"], row["suspected"] / row["clients"]
    median = "" if row["median_queries_to_block"] is None else f"@{row['median_queries_to_block']:.0f}"
    return f"{blocked:.2g}{median}" + (f" ({suspected:.2g})" if suspected > blocked else "")


def _agreement(title: str, rows: Rows) -> Table:
    table = _table(title, "attack|variant", "clients|blocked|median|p90|copy at block|undefended")
    for row in (row for row in rows if row["agreement_undefended"] is not None):
        table.add_row(
            row["attack"],
            row["variant"],
            str(row["clients"]),
            f"{row['blocked'] / row['clients']:.2g}",
            *(_number(row[what], "{:.0f}") for what in ("median_queries_to_block", "p90")),
            *(_number(row[what], "{:.1%}") for what in ("agreement_at_block", "agreement_undefended")),
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _ablation(title: str, result: dict[str, Any], setting: str) -> Table:
    table = _table(title, "", "suspected|blocked|who gains")
    whole = [row for row in _in(result["attacks"], setting) if row["variant"] == "pure"]
    table.add_row("whole", f"{_share(whole, 'suspected'):.3f}", f"{_share(whole, 'blocked'):.3f}", "")
    for name, rows in result["ablation"].items():
        lesser = _in(rows, setting)
        gains = "; ".join(_gains(whole, lesser))
        table.add_row(name, f"{_share(lesser, 'suspected'):.3f}", f"{_share(lesser, 'blocked'):.3f}", gains)
    return table


def _gains(whole: Rows, lesser: Rows) -> list[str]:
    """Return the attacks that are blocked less often, or half as late again."""
    before = {row["attack"]: row for row in whole}
    return [f"{row['attack']} {_blocked(row)}" for row in lesser if _worse(before[row["attack"]], row)]


def _worse(before: dict[str, Any], after: dict[str, Any]) -> bool:
    lost = (before["blocked"] - after["blocked"]) / before["clients"] > _LOST
    medians = before["median_queries_to_block"], after["median_queries_to_block"]
    return lost or (None not in medians and medians[1] > 1.5 * medians[0])


def _peer(name: str, rows: dict[str, Rows], setting: str) -> Table:
    """Return one peer's table: honest kinds and undisguised attacks below each other."""
    table = _table(f"{name}, {setting}", "honest kind or attack", "clients|suspected|blocked|median")
    for row in _in(rows["honest"], setting):
        table.add_row(row["kind"], *_peer_shares(row), "")
    table.add_section()
    for row in _in(rows["attacks"], setting):
        table.add_row(row["attack"], *_peer_shares(row), _number(row["median_queries_to_block"], "{:.0f}"))
    return table


def _peer_shares(row: dict[str, Any]) -> tuple[str, ...]:
    suspected, blocked = (f"{row[what] / row['clients']:.1%}" for what in ("suspected", "blocked"))
    return str(row["clients"]), suspected, blocked


def _share(rows: Rows, what: str) -> float:
    return float(sum(row[what] for row in rows) / max(sum(row["clients"] for row in rows), 1))
