"""A curve of shares, 0..1, that hold from one verdict to the next, over the client's queries."""

from collections.abc import Sequence

from markupsafe import Markup

from consumers.report.charts.steps import steps

LEFT, RIGHT, TOP, BOTTOM = 48, 628, 12, 168  # the plot's edges in user units


def curve(name: str, points: Sequence[tuple[int, float]], end: int) -> Markup:
    """Return steps through (queries, share), oldest first, drawn to `end` queries."""
    last = max(end, points[-1][0], 1)
    spots = [(_x(queries, last), _y(share)) for queries, share in points]
    dots = Markup("").join(Markup('<circle cx="{}" cy="{}" r="4"/>').format(f"{x:.1f}", f"{y:.1f}") for x, y in spots)
    said = ", ".join(f"{share:.2f} at query {queries:,}" for queries, share in points)
    return Markup(
        '<svg viewBox="0 0 640 204" role="img" aria-label="{}: {}.">{}<polyline points="{}"/>{}</svg>'
    ).format(name, said, _axes(last), steps(spots, RIGHT), dots)


def _axes(last: int) -> Markup:
    levels = Markup("").join(
        Markup('<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/><text x="8" y="{}">{}</text>').format(
            LEFT, RIGHT, _y(share) + 5, share, y=_y(share)
        )
        for share in (0.0, 0.5, 1.0)
    )
    return levels + Markup(
        '<text x="{}" y="194">query 0</text><text class="end" x="{}" y="194">query {}</text>'
    ).format(LEFT, RIGHT, f"{last:,}")


def _x(queries: int, last: int) -> float:
    return LEFT + (RIGHT - LEFT) * queries / last


def _y(share: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * min(max(share, 0.0), 1.0)
