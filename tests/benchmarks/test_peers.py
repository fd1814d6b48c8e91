"""The published detectors, held against plain transcriptions of what was published and against other libraries."""

import warnings
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, shapiro
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import NearestNeighbors

from benchmarks.arena.data import Floats, Labels
from benchmarks.arena.peers import PEERS, blacklight, hoda, mmd, prada, seat
from benchmarks.arena.peers.peer import Checks, Fitted, calibrated, judged, sample
from benchmarks.arena.stream import Stream, World
from tests.benchmarks import build
from tests.benchmarks.build import asked


@pytest.fixture(scope="module", name="world")
def small_world() -> World:
    """Return the digits with a small model that learnt some of them."""
    return build.world()


@pytest.fixture(scope="module")
def past(world: World) -> list[Stream]:
    """Return honest clients, who draw at random."""
    rng, pool = np.random.default_rng(5), world.data.past.inputs
    return [asked(world, f"past {at}", pool[rng.integers(len(pool), size=220)]) for at in range(20)]


@pytest.fixture(scope="module")
def fitted(world: World, past: list[Stream]) -> dict[str, Fitted]:
    """Return every peer, calibrated."""
    return {name: calibrated(peer, world, past) for name, peer in PEERS.items()}


def foreign(world: World) -> Floats:
    """Return the queries of a thief who has none of the model's domain."""
    return world.data.foreign[:300]


def jittered(world: World) -> Floats:
    """Return the queries of a thief who asks around five inputs."""
    rng = np.random.default_rng(6)
    near = world.data.seeds.inputs[rng.integers(5, size=300)]
    return np.clip(near + rng.normal(0, 0.01, near.shape), 0, 1).astype(np.float32)


def stepped(world: World) -> Floats:
    """Return the queries of a thief who asks for own inputs, then for a step away from each in every number."""
    own = world.data.seeds.inputs[:150]
    step = np.random.default_rng(13).choice([-0.1, 0.1], own.shape)
    return np.concatenate([own, own + step]).astype(np.float32)


def published(inputs: Floats, label: Labels) -> Checks:
    """Follow the paper's algorithm query by query, in plain Python."""
    grown: dict[int, list[list[float]]] = {}
    kept: dict[int, list[float]] = {}
    threshold: dict[int, float] = {}
    all_distances: dict[int, list[float]] = {}
    found = []
    for count, (row, one) in enumerate(zip(inputs.tolist(), label.tolist(), strict=True)):
        if one not in grown:
            grown[one], kept[one], threshold[one] = [row], [0.0], 0.0
        else:
            nearest = min(sqrt(sum((a - b) ** 2 for a, b in zip(row, other, strict=True))) for other in grown[one])
            all_distances.setdefault(one, []).append(nearest)
            if nearest > threshold[one]:
                grown[one].append(row)
                kept[one].append(nearest)
                threshold[one] = max(threshold[one], float(np.mean(kept[one]) - np.std(kept[one])))
        pooled = np.array([value for many in all_distances.values() if len(many) >= 10 for value in many])
        if count % 10 == 0 and len(pooled):
            pooled = pooled[abs(pooled - np.mean(pooled)) < 3 * np.std(pooled)]
            if len(pooled) > 100:
                found.append((count + 1, shapiro(pooled).statistic))
    return Checks(np.array([at for at, _ in found], np.int64), np.array([-value for _, value in found], np.float64))


def answered(inputs: Floats, label: Labels, classes: int) -> Stream:
    """Return a stream with these answers."""
    return Stream("client", "test", inputs, np.eye(classes, dtype=np.float32)[label])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    classes=st.integers(1, 12),
    count=st.integers(0, 260),
    spread=st.sampled_from(["normal", "repeated", "stepped"]),
)
def test_prada_is_the_published_algorithm(seed: int, classes: int, count: int, spread: str) -> None:
    """The same checks and the same statistic as query by query."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, 5)).astype(np.float32)
    if spread == "repeated":
        inputs = inputs[rng.integers(max(1, count // 2), size=count)]
    if spread == "stepped":
        inputs = np.cumsum(inputs, axis=0, dtype=np.float32) * np.float32(0.1)
    label = rng.integers(classes, size=count)
    ours, theirs = prada.scores(answered(inputs, label, classes)), published(inputs, label)
    np.testing.assert_array_equal(ours.queries, theirs.queries)
    np.testing.assert_allclose(ours.score, theirs.score, rtol=1e-9)


def test_prada_looks_at_the_first_queries_only() -> None:
    """A longer stream costs no more."""
    rng = np.random.default_rng(0)
    inputs, label = rng.normal(size=(2_100, 3)).astype(np.float32), rng.integers(4, size=2_100)
    assert prada.scores(answered(inputs, label, 4)).queries[-1] == 1_991


def test_prada_finds_no_fault_in_equal_distances() -> None:
    """Distances that are all alike are no deviation from the normal: outliers are dropped, all of them."""
    rows = np.zeros((300, 3), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(prada.scores(answered(rows, np.zeros(300, np.int64), 1)).score) == 0


def test_hardness_is_the_first_state_that_never_changed_its_mind(world: World) -> None:
    """Against a loop over the states of the training."""
    inputs = np.concatenate([world.data.honest.inputs[:60], world.data.foreign[:60]])
    label = world.victim.ask(inputs).argmax(1)
    answers = [*world.victim.early(inputs).argmax(2).tolist(), label.tolist()]
    expected = [
        min(state for state in range(len(answers)) if len({later[at] for later in answers[state:]}) == 1)
        for at in range(len(inputs))
    ]
    assert hoda.hardness(world.victim, inputs, label).tolist() == expected
    assert len(set(expected)) > 1


def test_histograms_are_compared_by_pearsons_correlation() -> None:
    """As scipy reckons it; a flat histogram has none."""
    rng = np.random.default_rng(7)
    found, ordinary = rng.random((20, 4)), rng.random(4)
    expected = [1 - pearsonr(one, ordinary).statistic for one in found]
    np.testing.assert_allclose(hoda.distance(found, ordinary), expected)
    assert hoda.distance(np.ones((1, 4)), ordinary).tolist() == [1.0]


def test_nearest_earlier_is_what_a_search_among_earlier_rows_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is compared at once."""
    monkeypatch.setattr(seat, "BLOCK", 7)
    rows = np.random.default_rng(8).normal(size=(40, 3)).astype(np.float32)
    expected = [
        NearestNeighbors(n_neighbors=1).fit(rows[:at]).kneighbors(rows[at : at + 1])[0].item() for at in range(1, 40)
    ]
    found = seat.nearest_earlier(rows)
    assert np.isinf(found[0])
    np.testing.assert_allclose(found[1:], expected, rtol=1e-6)


def test_blacklight_finds_a_near_copy_and_no_stranger(fitted: dict[str, Fitted]) -> None:
    """A copy with one number changed shares most hashes; other inputs share none."""
    rows = np.random.default_rng(9).random((30, 64), np.float32)
    copy = rows[3].copy()
    copy[0] = 1 - copy[0]
    found = fitted["Blacklight"].scores(answered(np.vstack([rows, copy]), np.zeros(31, np.int64), 2))
    assert found.score[30] > 0.9
    assert found.score[:30].max() < 0.1
    assert found.first(0.5) == 31


def test_a_fingerprint_is_the_highest_of_salted_quantised_windows(world: World) -> None:
    """Two inputs have a hash in common exactly where they have a quantised window in common."""
    glass = blacklight.Glass.of(world.data, np.random.default_rng(10))
    first, second = world.data.honest.inputs[:2]
    second = np.concatenate([first[:30], second[30:]])
    windows = [_windows(glass, row) for row in (first, second)]
    prints = [set(blacklight.fingerprint(glass, row).tolist()) for row in (first, second)]
    assert [len(one) for one in prints] == [len(one) for one in windows]  # at most 45 windows: all are kept
    assert len(prints[0] & prints[1]) == len(windows[0] & windows[1]) >= 11


def _windows(glass: blacklight.Glass, row: Floats) -> set[tuple[int, ...]]:
    levels = [
        round(float(value) / 50) for value in (row * np.float32(255) + glass.salt.astype(np.float64)) % 255
    ]  # low is 0 and high is 1
    return {tuple(levels[at : at + 20]) for at in range(len(levels) - 19)}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sets(st.integers(0, 30), min_size=1, max_size=8), min_size=1, max_size=12))
def test_shares_are_the_largest_overlap_with_one_earlier_fingerprint(prints: list[set[int]]) -> None:
    """Against sets of Python."""
    expected = [
        max((len(one & earlier) for earlier in prints[:at]), default=0) / len(one) for at, one in enumerate(prints)
    ]
    found = blacklight.shares([np.array(sorted(one), np.uint64) for one in prints])
    np.testing.assert_allclose(found, expected)


def test_blacklight_reads_rows_of_a_single_number(world: World) -> None:
    """A table may have one column."""
    glass = blacklight.Glass.of(world.data, np.random.default_rng(11))
    narrow = blacklight.Glass(glass.low[:1], glass.scale[:1], glass.salt[:1], glass.key)
    assert len(blacklight.fingerprint(narrow, np.array([0.5], np.float32))) == 1


def test_discrepancy_comes_near_the_kernels_own() -> None:
    """Against the exact kernel of scikit-learn, with many frequencies."""
    rng = np.random.default_rng(12)
    ordinary, window = rng.normal(size=(300, 6)).astype(np.float32), rng.normal(0.7, 1, (80, 6)).astype(np.float32)
    scale = mmd.width(ordinary)
    waves = mmd.frequencies(scale, 6, rng, count=4_000)
    found = mmd.discrepancy(mmd.features(window, waves), mmd.features(ordinary, waves).mean(0))
    gamma = 1 / (2 * scale**2)
    exact = (
        rbf_kernel(window, gamma=gamma).mean()
        - 2 * rbf_kernel(window, ordinary, gamma=gamma).mean()
        + rbf_kernel(ordinary, gamma=gamma).mean()
    )
    assert exact > 0.05
    assert found == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize("name", PEERS)
def test_no_client_of_the_past_exceeds_the_calibrated_threshold(
    name: str, fitted: dict[str, Fitted], past: list[Stream]
) -> None:
    """It is as strict as these clients can support, and no stricter: one of them reaches it."""
    outcomes = judged(fitted[name], past)[f"{name} calibrated"]
    assert [outcome.blocked for outcome in outcomes] == [None] * len(past)
    threshold = fitted[name].thresholds[f"{name} calibrated"]
    assert max(fitted[name].scores(stream).score.max() for stream in past) == threshold


@pytest.mark.parametrize("name", PEERS)
def test_a_stream_says_nothing_before_its_first_check(name: str, world: World, fitted: dict[str, Fitted]) -> None:
    """A client who asked nothing, or once, is not blocked; later queries do not change earlier checks."""
    whole = asked(world, "client", world.data.honest.inputs[:120])
    for count in (0, 1):
        assert all(outcomes[0].blocked is None for outcomes in judged(fitted[name], [whole.first(count)]).values())
    early, late = fitted[name].scores(whole.first(110)), fitted[name].scores(whole)
    shared = len(early.queries)
    np.testing.assert_array_equal(late.queries[:shared], early.queries)
    np.testing.assert_allclose(late.score[:shared], early.score, atol=1e-6)


CAUGHT = {
    "foreign": (foreign, {"HODA 50", "HODA 100", "MMD", "MMD calibrated"}),
    "jittered": (jittered, {"SEAT", "SEAT calibrated", "Blacklight", "MMD", "MMD calibrated"}),
    "stepped": (stepped, {"PRADA .95", "PRADA .90", "PRADA calibrated"}),
}


@pytest.mark.parametrize("thief", CAUGHT)
def test_thieves_are_caught_by_whom_they_should_be(thief: str, world: World, fitted: dict[str, Fitted]) -> None:
    """Foreign inputs are found by how hard and how far they are, near copies by how near, steps by their one length."""
    make, able = CAUGHT[thief]
    stream = asked(world, thief, make(world))
    caught = {
        name: outcomes[0].blocked
        for one in fitted.values()
        for name, outcomes in judged(one, [stream]).items()
        if outcomes[0].blocked is not None
    }
    assert able <= set(caught)


def test_seat_ends_an_account_at_the_fiftieth_similar_pair(world: World, fitted: dict[str, Fitted]) -> None:
    """One input again and again: from the second query on each resembles an earlier one."""
    again = asked(world, "again", np.tile(world.data.honest.inputs[:1], (80, 1)))
    assert judged(fitted["SEAT"], [again])["SEAT"][0].blocked == 51


def test_a_past_too_short_for_any_check_supports_no_alarm(world: World, past: list[Stream]) -> None:
    """PRADA needs more than 100 distances."""
    found = calibrated(PEERS["PRADA"], world, [stream.first(50) for stream in past])
    assert found.thresholds["PRADA calibrated"] == np.inf


def test_a_sample_holds_what_clients_asked_each_as_often(world: World, past: list[Stream]) -> None:
    """A long life weighs no more than a short one; an empty past is refused."""
    short = asked(world, "short", np.zeros((2, 64), np.float32))
    rows = sample(world, [past[0], short])
    assert 0.45 < np.mean(rows.sum(1) == 0) < 0.55
    with pytest.raises(ValueError, match="the past holds no query"):
        sample(world, [short.first(0)])
