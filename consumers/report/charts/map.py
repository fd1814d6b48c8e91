"""The map: a client's remembered queries among ordinary ones, on a plane that belongs to the population."""

from collections.abc import Sequence
from itertools import cycle, islice
from math import atan2, degrees, hypot

import numpy as np
from markupsafe import Markup

from consumers.report.places import Places, Spots
from consumers.report.recalled import Pair

WIDTH, HEIGHT, EDGE = 640, 440, 16  # user units
ROOM = 1.25  # times the ordinary queries' extent: what lies farther out is drawn at the edge
SHAPES = (  # around the origin; with as many colours as are no multiple of them, 42 marks differ
    "M0-6A6 6 0 1 0 0 6A6 6 0 1 0 0-6z",
    "M-5-5H5V5H-5z",
    "M0-7 6.5 5H-6.5z",
    "M0-7 7 0 0 7-7 0z",
    "M0 7 6.5-5H-6.5z",
    "M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2z",
)
COLOURS = 7  # classes c0 to c6 of the page: told apart by the colour-blind (Okabe and Ito 2008)
NAMED = 12  # labels with a mark of their own, the most frequent
OTHER = "other answers"


def map_(places: Places, labels: Sequence[str], pairs: Sequence[Pair]) -> Markup:
    """Return the map; `labels` are those of the client's queries, `pairs` are joined."""
    own, spots = _frame(places, places.own), _frame(places, places.ordinary)
    marks = _marks(labels)
    drawn = Markup("").join(
        _mark(own[at], marks[label if label in marks else OTHER]) for at, label in enumerate(labels)
    )
    near, flips = (_joined(own, pairs, flipped) for flipped in (False, True))
    dots = Markup("").join(Markup("M{:.1f} {:.1f}h0").format(x, y) for x, y in spots)
    return Markup(
        '<svg class="map" viewBox="0 0 {} {}" role="img" aria-label="{}"><rect class="frame" width="{}" height="{}"/>'
        '{}<path class="ordinary" d="{}"/>'
        '<path class="near" d="{}"/><path class="flip" d="{}"/>{}{}</svg>'
    ).format(
        WIDTH, HEIGHT + _legend_height(marks), said(places, pairs), WIDTH, HEIGHT, _ellipse(places), dots,
        near, flips, drawn, _legend(marks),
    )  # fmt: skip


def said(places: Places, pairs: Sequence[Pair]) -> str:
    """Return in a sentence what there is to be seen."""
    flipped = sum(pair.flipped for pair in pairs)
    beyond = int(_beyond(places).sum())
    edge = f" {beyond} lie beyond the frame and are drawn at its edge." if beyond else ""
    return (
        f"{places.inside:.0%} of the {len(places.own)} remembered queries lie where 95 % of ordinary ones do; "
        f"near pairs among them: {len(pairs)}, with different answers: {flipped}.{edge}"
    )


def _marks(labels: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Return a shape and a colour for each of the most frequent labels, no two alike."""
    often = sorted(set(labels), key=lambda label: (-labels.count(label), label))[:NAMED]
    kinds = zip(cycle(SHAPES), cycle(range(COLOURS)), strict=False)
    marks = dict(zip(sorted(often, key=_natural), islice(kinds, len(often)), strict=True))
    return marks if len(set(labels)) <= NAMED else marks | {OTHER: (SHAPES[0], COLOURS)}


def _natural(label: str) -> tuple[int, str]:
    return (int(label) if label.isdecimal() else 1 << 62, label)


def _window(places: Places) -> tuple[Spots, float]:
    """Return the middle of the frame and the user units of one unit; only the population decides them."""
    low, high = places.ordinary.min(axis=0), places.ordinary.max(axis=0)
    span = np.maximum(high - low, 1e-9) * ROOM
    return (low + high) / 2, float(min(WIDTH / span[0], HEIGHT / span[1]))


def _placed(places: Places, spots: Spots) -> Spots:
    middle, scale = _window(places)
    return (spots - middle) * (scale, -scale) + (WIDTH / 2, HEIGHT / 2)


def _frame(places: Places, spots: Spots) -> list[list[float]]:
    within: list[list[float]] = np.clip(_placed(places, spots), EDGE, (WIDTH - EDGE, HEIGHT - EDGE)).tolist()
    return within


def _beyond(places: Places) -> Spots:
    at = _placed(places, places.own)
    return np.asarray(((at < 0) | (at > (WIDTH, HEIGHT))).any(axis=1))


def _ellipse(places: Places) -> Markup:
    _, scale = _window(places)
    [[x, y]] = _placed(places, places.region.centre[None, :]).tolist()
    (ax, ay), (bx, by) = (places.region.axes * scale).tolist()
    return Markup('<ellipse class="region" cx="{:.1f}" cy="{:.1f}" rx="{:.1f}" ry="{:.1f}" {}/>').format(
        x, y, hypot(ax, ay), hypot(bx, by), Markup('transform="rotate({:.1f} {:.1f} {:.1f})"').format(
            -degrees(atan2(ay, ax)), x, y
        )
    )  # fmt: skip


def _mark(spot: Sequence[float], mark: tuple[str, int]) -> Markup:
    shape, colour = mark
    return Markup('<path class="mark c{}" transform="translate({:.1f} {:.1f})" d="{}"/>').format(colour, *spot, shape)


def _joined(own: Sequence[Sequence[float]], pairs: Sequence[Pair], flipped: bool) -> str:
    chosen = [pair for pair in pairs if pair.flipped == flipped]
    return "".join("M{:.1f} {:.1f}L{:.1f} {:.1f}".format(*own[pair.one], *own[pair.other]) for pair in chosen)


_COLUMNS, _ROW = 4, 34


def _legend_height(marks: dict[str, tuple[str, int]]) -> int:
    return _ROW * (-(-len(marks) // _COLUMNS)) + 8


def _legend(marks: dict[str, tuple[str, int]]) -> Markup:
    drawn = Markup("")
    for at, (label, mark) in enumerate(marks.items()):
        x, y = WIDTH / _COLUMNS * (at % _COLUMNS) + EDGE, HEIGHT + _ROW * (at // _COLUMNS) + 22
        drawn += _mark((x, y), mark)
        drawn += Markup('<text x="{:.0f}" y="{:.0f}">{}</text>').format(x + 14, y + 6, label)
    return drawn
