"""A curve of shares, 0..1, that hold from one verdict to the next, over the client's queries."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from consumers.report.charts.steps import steps

LEFT, RIGHT, TOP, BOTTOM = 48, 628, 24, 180  # the plot's edges in user units


class Mark(NamedTuple):
    """A share that means something, as a broken line with a name."""

    name: str
    share: float


def curve(
    name: str,
    points: Sequence[tuple[int, float]],
    end: int,
    marks: Sequence[Mark] = (),
    usual: Sequence[tuple[float, float]] = (),
) -> Markup:
    """Return steps through (queries, share), oldest first, drawn to `end` queries; `usual` is a dotted line beside."""
    last = max(end, points[-1][0], 1)
    spots = [(_x(queries, last), _y(share)) for queries, share in points]
    dots = Markup("").join(Markup('<circle cx="{}" cy="{}" r="4"/>').format(f"{x:.1f}", f"{y:.1f}") for x, y in spots)
    said = ", ".join(f"{share:.2f} at query {queries:,}" for queries, share in points)
    meant = "".join(f" {mark.name} at {mark.share:.2f}." for mark in marks)
    beside = f" Ordinary questions: {usual[-1][1]:.2f} at query {last:,}." if usual else ""
    return Markup(
        '<svg viewBox="0 0 640 216" role="img" aria-label="{}: {}.{}{}">{}{}{}<polyline points="{}"/>{}</svg>'
    ).format(
        name, said, meant, beside, _axes(last), Markup("").join(_line(mark) for mark in marks), _dotted(usual, last),
        steps(spots, RIGHT), dots,
    )  # fmt: skip


def _axes(last: int) -> Markup:
    levels = Markup("").join(
        Markup('<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/><text x="8" y="{}">{}</text>').format(
            LEFT, RIGHT, _y(share) + 5, share, y=_y(share)
        )
        for share in (0.0, 0.5, 1.0)
    )
    return levels + Markup(
        '<text x="{}" y="208">query 0</text><text class="end" x="{}" y="208">query {}</text>'
    ).format(LEFT, RIGHT, f"{last:,}")


def _line(mark: Mark) -> Markup:
    return Markup(
        '<line class="bound" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
        '<text class="end" x="{1}" y="{3:.1f}">{4}</text>'
    ).format(LEFT, RIGHT, _y(mark.share), _y(mark.share) - 5, mark.name)


def _dotted(usual: Sequence[tuple[float, float]], last: int) -> Markup:
    if not usual:
        return Markup("")
    points = " ".join(f"{_x(queries, last):.1f},{_y(share):.1f}" for queries, share in usual)
    return Markup('<polyline class="usual" points="{}"/>').format(points)


def _x(queries: float, last: int) -> float:
    return LEFT + (RIGHT - LEFT) * queries / last


def _y(share: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * min(max(share, 0.0), 1.0)
