"""Examples: the strongest hits by name, the same however the stream is cut, and true."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector import examples, names
from detector.clients import Table
from detector.detector import Detector
from detector.evidence import Example
from detector.policy import Policy, parse
from detector.query import Queries
from detector.signals import SIGNALS, SPANS
from detector.signals.base import Hit, Signal
from detector.verdict import Verdict
from detector.wire import id_bytes
from detector.wire.ids import OPAQUE
from gamekeeper.demo.clients import Kind
from tests.detector import build

ULID = "01JDC6Q0V8R4T2M7N5K3H1G9FE"
WRITTEN = int.from_bytes(id_bytes(ULID)[:6], "big") * 1_000  # µs
HALVINGS = 6
LINE = SPANS["line"][0]


def bisection() -> tuple[Queries, dict[int, tuple[int, int]]]:
    """Return a client that bisects between images, and the numbers of the two ends of each of its halvings."""
    pool = build.parts().seeds.images.reshape(-1, build.SIZE)
    inputs: list[np.ndarray] = []
    ends: dict[int, tuple[int, int]] = {}
    for at in range(0, 80, 2):
        if len(set(_labels(pool[at : at + 2]))) > 1:
            _bisect([pool[at], pool[at + 1]], inputs, ends)
    asked = np.array(inputs, np.float32)
    return build.queries("bisecting", asked, _labels(asked)), ends


def _bisect(pair: list[np.ndarray], inputs: list[np.ndarray], ends: dict[int, tuple[int, int]]) -> None:
    """Ask both images and then halfway between the latest two that have different answers."""
    inputs += pair
    low, high = len(inputs) - 1, len(inputs)
    first = _labels(np.array(pair))[0]
    for _ in range(HALVINGS):
        inputs.append((inputs[low - 1] + inputs[high - 1]) / 2)
        ends[len(inputs)] = (low, high)
        same = _labels(np.array(inputs[-1:]))[0] == first
        low, high = (len(inputs), high) if same else (low, len(inputs))


def _labels(images: np.ndarray) -> np.ndarray:
    return build.answer(images.reshape(-1, 8, 8)).labels


def verdicts(queries: Queries, policy: Policy | None = None) -> list[Verdict]:
    """Return what one client's queries lead to."""
    return Detector(policy or Policy(), {build.MODEL: build.population()}).assess(queries)


def shown(verdict: Verdict, signal: str) -> tuple[Example, ...]:
    """Return a verdict's examples of one signal."""
    return next((reading.examples for reading in verdict.evidence if reading.signal == signal), ())


def test_a_bisecting_clients_examples_name_the_true_ends() -> None:
    """Each example of a line is a halving that the thief made, between the ends that it made it from."""
    queries, ends = bisection()
    [verdict] = [one for one in verdicts(queries) if one.standing == "confirmed"]
    told = shown(verdict, "line")

    assert len(told) == examples.KEPT
    for example in told:
        query, *partners = example.queries
        assert tuple(sorted(partner.number for partner in partners)) == tuple(sorted(ends[query.number]))
        for name in example.queries:
            row = name.number - 1
            assert (name.time, name.label) == (queries.time[row], queries.label[row])
            assert name.id.replace("-", "") == queries.id[row].tobytes().hex()
        assert f"query {query.number} (" in example.says
        assert "lies halfway between query" in example.says


def test_numbers_count_what_was_not_scored() -> None:
    """Refused queries have numbers too: an example's number is the place in the client's log."""
    queries, ends = bisection()
    refused = replace(queries, id=queries.id + np.uint64(1), scored=np.zeros(len(queries), np.bool_)).take(slice(0, 5))
    detector = Detector(Policy(), {build.MODEL: build.population()})
    reached = [*detector.assess(refused), *detector.assess(queries)]

    assert {example.queries[0].number - 5 for example in shown(reached[-1], "line")} <= ends.keys()


def test_a_new_episode_has_examples_of_its_own() -> None:
    """After an expiry no query from before it is an example."""
    policy = parse("[durations]\nwatched = 20\nsuspected = 20\nconfirmed = 40\n")
    queries, _ = bisection()
    reached = verdicts(queries, policy)
    over = [verdict.queries for verdict in reached if verdict.standing == "clear"]
    later = [verdict for verdict in reached if verdict.episode == 2 and verdict.standing != "clear"]

    assert later
    for verdict in later:
        numbers = [example.queries[0].number for reading in verdict.evidence for example in reading.examples]
        assert numbers
        assert min(numbers) > over[0]


@pytest.mark.parametrize("kind", build.THIEVES, ids=lambda kind: kind.name)
def test_every_reading_has_examples(kind: Kind) -> None:
    """What a verdict tells of a thief is shown by queries up to the deciding one, the strongest first."""
    for verdict in verdicts(build.life(kind, 0, 208)):
        for reading in verdict.evidence:
            assert reading.examples
            assert all(1 <= name.number <= verdict.queries for one in reading.examples for name in one.queries)
            assert "nan" not in " ".join(one.says for one in reading.examples)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_the_strongest_stay(hits: list[tuple[int, int]], stops: list[int]) -> None:
    """Of (client, strength) in any parts the strongest stay, of equals the earliest: a plain sort says the same."""
    table = Table(16)
    slots = [table.slot("one"), table.slot("other")]
    waiting = examples.Waiting(table.columns["examples"], [_told(hits)])
    for stop in [*sorted(stops), len(hits)]:
        waiting.keep(stop)

    for slot in slots:
        own = [(-strength, 1 + row) for row, (client, strength) in enumerate(hits) if client == slot]
        kept = table.columns["examples"]["names"][slot, LINE, :, 0, names.NUMBER]
        assert sorted(kept[kept > 0].tolist()) == sorted(number for _, number in sorted(own)[: examples.KEPT])


def _told(hits: list[tuple[int, int]]) -> tuple[examples.Told, examples.Hits]:
    count = len(hits)
    called, begin = names.blank(count), np.zeros(len(SIGNALS) + 1, np.int64)
    called[:, names.NUMBER] = 1 + np.arange(count)
    begin[LINE + 1 :] = count
    told = examples.Told(np.arange(count), np.array([client for client, _ in hits], np.int64), called)
    strength = np.array([strength for _, strength in hits], np.float32)
    numbers, partners = np.zeros((count, 2), np.float32), names.blank(count, 2)
    return told, examples.Hits(begin, np.arange(count), partners, numbers, strength)


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_words_have_no_gaps(signal: Signal) -> None:
    """A signal's words follow "query 132 (12:00:03)", with a number or a partner in them, and end without a period."""
    words = signal.words(Hit((0.5, 0.5), ("query 1", "query 2 (label 3)"), build.population(), 16))

    assert any(sign.isdigit() for sign in words)
    assert words[0].islower()
    assert words[-1] != "."
    assert "nan" not in words


@pytest.mark.parametrize(
    ("id", "text"),
    [
        (ULID, ULID),
        (ULID.lower(), ULID),
        ("0A4F3F0E-9C53-5D7A-8C11-2F6F4A3F9B10", "0a4f3f0e-9c53-5d7a-8c11-2f6f4a3f9b10"),
        ("0a4f3f0e9c535d7a8c112f6f4a3f9b10", "0a4f3f0e-9c53-5d7a-8c11-2f6f4a3f9b10"),
        ("request 1", id_bytes("request 1").hex()),
    ],
)
def test_ids_read_as_they_were_written(id: str, text: str) -> None:  # noqa: A002  # it is one
    """ULIDs and UUIDs come back in their canonical form, other ids as their hash."""
    assert names.id_text(id_bytes(id), WRITTEN) == text


def test_opaque_labels_are_not_told() -> None:
    """The text of an opaque label is not kept, so no number is shown in its place."""
    row = np.array([7, WRITTEN, OPAQUE | 5, 0, 0])

    assert (names.read(row).label, str(names.read(row))) == (None, "query 7")
