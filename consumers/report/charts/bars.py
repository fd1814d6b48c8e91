"""Bars: each reading against the bound at which one kind alone makes a client suspected."""

from collections.abc import Sequence

from markupsafe import Markup

WIDTH, ROW, SPAN = 640, 44, 560  # user units; a bar may be SPAN long, what is left is for its number


def bars(values: Sequence[tuple[str, float]], bound: float | None) -> Markup:
    """Return a bar for each (name, nats), and a line at the bound where it is known."""
    top = max([value for _, value in values] + [bound or 0.0, 1.0])
    drawn = Markup("").join(_bar(row, name, value, top) for row, (name, value) in enumerate(values))
    said = ", ".join(f"{name} {value:.1f}" for name, value in values)
    limit = "not known" if bound is None else f"{bound:.1f} nats"
    height = ROW * len(values) + 8
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="Evidence in nats: {}. Bound of suspicion: {}.">{}{}</svg>'
    ).format(WIDTH, height, said, limit, drawn, _line(bound, top, height))


def _bar(row: int, name: str, value: float, top: float) -> Markup:
    length, y = round(SPAN * max(value, 0.0) / top, 1), row * ROW
    return Markup(
        '<text x="0" y="{}">{}</text><rect class="bar" x="0" y="{}" width="{}" height="16"/>'
        '<text x="{}" y="{}">{}</text>'
    ).format(y + 16, name, y + 22, length, length + 8, y + 36, f"{value:.1f}")


def _line(bound: float | None, top: float, height: int) -> Markup:
    if bound is None:
        return Markup("")
    x = round(SPAN * bound / top, 1)
    return Markup('<line class="bound" x1="{0}" x2="{0}" y1="0" y2="{1}"/>').format(x, height)
