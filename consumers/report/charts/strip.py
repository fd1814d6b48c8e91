"""A strip: one client's share of something on the scale on which ordinary clients' windows lie."""

from markupsafe import Markup

from consumers.report.usual import Usual

LEFT, RIGHT, TOP, DEEP = 8, 632, 30, 22  # the strip's edges in user units
ROOM = 1.1  # times the largest share that is drawn
LEAST = 0.05  # a scale that ends below would blow up nothing


def strip(usual: Usual) -> Markup:
    """Return the strip: bands to the 90 % and 99 % quantiles of ordinary windows, the ceiling, and the client."""
    end = min(max(usual.own, usual.ceiling, *(usual.levels or ()), LEAST) * ROOM, 1.0)
    scale = (RIGHT - LEFT) / end
    bands = Markup("") if usual.levels is None else _bands(usual.levels, scale)
    return Markup(
        '<svg class="strip" viewBox="0 0 640 92" role="img" aria-label="{}">'
        '<rect class="whole" x="{left}" y="{}" width="{}" height="{}"/>{}{}{}'
        '<text x="{left}" y="84">0%</text><text class="end" x="{}" y="84">{:.0%}</text></svg>'
    ).format(
        said(usual), TOP, RIGHT - LEFT, DEEP, bands, _ceiling(usual.ceiling, scale), _own(usual.own, scale),
        RIGHT, end, left=LEFT,
    )  # fmt: skip


def said(usual: Usual) -> str:
    """Return the strip in words."""
    if usual.levels is None:
        usually = "How ordinary windows lie is not known"
    else:
        half, most, nearly = (f"{level:.0%}" for level in usual.levels)
        usually = (
            f"Ordinary windows: half at most {half}, 90 % at most {most}, 99 % at most {nearly} (of {usual.windows:,})"
        )
    return f"This client: {usual.own:.1%}. {usually}. Ceiling of ordinary clients: {usual.ceiling:.1%}."


def _bands(levels: tuple[float, ...], scale: float) -> Markup:
    half, most, nearly = (LEFT + scale * level for level in levels)
    return Markup(
        '<rect class="nearly" x="{0}" y="{1}" width="{4:.1f}" height="{2}"/>'
        '<rect class="most" x="{0}" y="{1}" width="{3:.1f}" height="{2}"/>'
        '<line class="half" x1="{5:.1f}" x2="{5:.1f}" y1="{1}" y2="{6}"/>'
    ).format(LEFT, TOP, DEEP, max(most - LEFT, 1), max(nearly - LEFT, 1), half, TOP + DEEP)


def _ceiling(ceiling: float, scale: float) -> Markup:
    return Markup('<line class="bound" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(
        LEFT + scale * ceiling, TOP - 6, TOP + DEEP + 6
    )


def _own(own: float, scale: float) -> Markup:
    x = LEFT + scale * own
    anchor = "start" if x < (LEFT + RIGHT) / 2 else "end"
    return Markup(
        '<path class="own" d="M{0:.1f} {1}l8 11-8 11-8-11z"/><text class="{2}" x="{0:.1f}" y="{3}">{4:.1%}</text>'
    ).format(x, TOP, anchor, TOP - 8, own)
