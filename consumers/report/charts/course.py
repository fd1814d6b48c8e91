"""The course of a standing over event time: steps, with the number of queries at each verdict."""

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from consumers.report.charts.steps import steps
from detector.standing import Standing

LEFT, RIGHT, FLOOR, STEP = 120, 600, 150, 40  # the plot's edges, and from one standing to the next, in user units


def course(moves: Sequence[tuple[datetime, str, int]], end: datetime) -> Markup:
    """Return steps through (time, standing, queries), oldest first, drawn to `end`."""
    times = [at for at, _, _ in moves] + [end]
    first, span = min(times), max((max(times) - min(times)).total_seconds(), 1e-6)
    spots = [(LEFT + (RIGHT - LEFT) * (at - first).total_seconds() / span, _y(to), n) for at, to, n in moves]
    line = steps([(x, y) for x, y, _ in spots], LEFT + (RIGHT - LEFT) * (end - first).total_seconds() / span)
    said = ", ".join(f"{standing} at {at:%F %T}Z after {queries:,} queries" for at, standing, queries in moves)
    return Markup(
        '<svg viewBox="0 0 640 186" role="img" aria-label="Standing: {}.">{}<polyline points="{}"/>{}</svg>'
    ).format(said, _axes(first, max(times)), line, Markup("").join(_dot(x, y, queries) for x, y, queries in spots))


def _dot(x: float, y: int, queries: int) -> Markup:
    anchor = "start" if x < (LEFT + RIGHT) / 2 else "end"  # into the plot, away from what stands beside it
    return Markup('<circle cx="{0}" cy="{1}" r="4"/><text class="{4}" x="{0}" y="{2}">{3}</text>').format(
        f"{x:.1f}", y, y - 8, f"{queries:,}", anchor
    )


def _axes(first: datetime, last: datetime) -> Markup:
    levels = Markup("").join(
        Markup('<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/><text x="0" y="{}">{}</text>').format(
            LEFT, RIGHT, _y(standing) + 5, standing, y=_y(standing)
        )
        for standing in Standing
    )
    return levels + Markup('<text x="{}" y="178">{}</text><text class="end" x="{}" y="178">{}</text>').format(
        LEFT, f"{first:%F %T}", RIGHT, f"{last:%F %T}"
    )


def _y(standing: str) -> int:
    return FLOOR - STEP * Standing(standing).rank
