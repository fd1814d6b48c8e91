"""The map and the examples, from made-up places: what lies far out, many answers, hostile ones, bounded pictures."""

import re

import numpy as np

from consumers.report import examples
from consumers.report.charts.map import NAMED, OTHER, map_, said
from consumers.report.examples import PICTURES_MAX, Example
from consumers.report.places import HELD, Places, _region
from consumers.report.recalled import Pair
from tests.report.test_inputs import population

RANDOM = np.random.default_rng(3)
ORDINARY = RANDOM.normal((2, -1), (4, 1), (400, 2))
OWN = np.array([(2.0, -1.0), (2.5, -1.0), (1_000.0, 0.0)])
PLACES = Places(ORDINARY, OWN, _region(ORDINARY))
PAIRS = [Pair(0, 1, 0.02, True)]


def ordinary(drawn: str) -> str:
    """Return how the ordinary queries and their region are drawn."""
    return "".join(re.findall(r'<ellipse.*?/>|<path class="ordinary".*?/>', drawn))


def test_the_sentence_tells_what_is_seen() -> None:
    """The share within the region, near pairs, and what lies beyond the frame."""
    assert np.mean(PLACES.region.holds(ORDINARY)) == HELD
    told = said(PLACES, PAIRS)
    assert "67% of the 3 remembered queries lie where 95 % of ordinary ones do" in told
    assert "near pairs among them: 1, with different answers: 1. 1 lie beyond the frame" in told
    assert told in map_(PLACES, ["1", "2", "3"], PAIRS)


def test_two_clients_are_drawn_on_one_plane() -> None:
    """What the client asked moves neither frame nor ordinary queries; the same memory is the same picture."""
    other = Places(ORDINARY, OWN[:1] * 7, PLACES.region)
    one, two = map_(PLACES, ["1", "2", "3"], PAIRS), map_(other, ["1"], [])
    assert ordinary(one) == ordinary(two) != ""
    assert one == map_(PLACES, ["1", "2", "3"], PAIRS)


def test_answers_are_told_apart() -> None:
    """Each named answer has its own shape and colour, the rest share one; names are escaped."""
    labels = [f"<b>{number}" for number in range(NAMED + 3)]
    places = Places(ORDINARY, np.zeros((len(labels), 2)), PLACES.region)
    drawn = map_(places, labels, [])
    assert "<b>" not in drawn
    assert OTHER in drawn
    legend = re.findall(r'<path class="mark (c\d)" [^>]*? d="([^"]+)"/><text', drawn)
    assert len(set(legend)) == len(legend) == NAMED + 1


def test_pictures_are_bounded() -> None:
    """So many thumbnails at most, each example's once, and none where nothing was found; tables tell what differs."""

    def asked(number: int) -> Example:
        queries = [{"query": at, "label": None, "id": f"{number} {at}"} for at in (1, 2)]
        return Example(f"example {number}", queries)

    many = [asked(number) for number in range(PICTURES_MAX)]
    inputs = {("m", query["id"]): RANDOM.random(64, np.float32) for one in many for query in one.queries}
    shown = list(examples.illustrated("m", [asked(-1), *many, many[0]], inputs, population((8, 8))))
    assert [len(one.pictures) for one in shown] == [0] + [2] * (PICTURES_MAX // 2) + [0] * (PICTURES_MAX // 2 + 1)
    assert shown[1].pictures[0].caption == "query 1"
    [table] = examples.illustrated("m", many[:1], inputs, population((64,)))
    assert (len(table.pictures), len(table.differing)) == (0, 5)
