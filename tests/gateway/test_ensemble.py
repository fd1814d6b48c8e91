"""Ensembles: how members answer together, which clients meet which, and what happens when members change."""

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import Policy
from gateway.serving import BadAnswer, BadModel, Busy, Ensemble, Ensembled, Floats, Models, Served
from gateway.settings import GatewaySettings
from tests.gateway.build import ALICE, images, save_model, serving, until

SECRET = b"a secret of the gateway's"
KEY = {"X-API-Key": ALICE}


def _member(name: str, answer: Callable[[Floats], Floats], classes: int = 2) -> Served:
    return Served(name, (1,), classes, "input", "output_0", answer)


def _constant(name: str, probability: float) -> Served:
    row = np.array([probability, 1 - probability], np.float32)
    return _member(name, lambda batch: np.repeat(row[None], len(batch), axis=0))


def _ensembled(mode: Any, subset: int = 1, secret: bytes = SECRET, count: int = 4) -> Ensembled:
    members = tuple(_constant(f"m{at}", at / 10) for at in range(count))
    for member in members:
        member.start()
    names = tuple(member.name for member in members)
    return Ensembled("both", Ensemble(names, mode, subset), members, secret)


def _rows(count: int) -> Floats:
    return np.zeros((count, 1), np.float32)


def test_average() -> None:
    """The mean of all members, each called once."""
    ensembled = _ensembled("average")
    answer = ensembled.predict(_rows(3), "alice").result(5)
    np.testing.assert_allclose(answer, [[0.15, 0.85]] * 3, atol=1e-6)
    assert answer.dtype == np.float32
    assert ensembled.calls == 4


def test_random_draws_for_each_query() -> None:
    """Each row is one member's own answer; over many rows every member answers, and asking again draws anew."""
    ensembled = _ensembled("random")
    first = ensembled.predict(_rows(400)).result(5)[:, 0]
    counts = {value: int((first == value).sum()) for value in np.unique(first)}
    assert sorted(counts) == pytest.approx([0, 0.1, 0.2, 0.3])
    assert all(60 < count < 140 for count in counts.values())  # 100 each, 4.6 standard deviations about it
    assert not np.array_equal(first, ensembled.predict(_rows(400)).result(5)[:, 0])


@pytest.fixture(scope="module")
def gateways() -> tuple[Ensembled, Ensembled]:
    """Return the same ensemble in two gateways with one secret."""
    return _ensembled("sticky", subset=2), _ensembled("sticky", subset=2)


@given(client=st.text(), rows=st.integers(1, 5))
def test_sticky_is_always_the_same(gateways: tuple[Ensembled, Ensembled], client: str, rows: int) -> None:
    """A client meets the same members whenever, however and in whatever gateway with this secret it asks."""
    one, other = gateways
    np.testing.assert_array_equal(
        one.predict(_rows(1), client).result(5), other.predict(_rows(rows), client).result(5)[-1:]
    )


def test_sticky_spreads_clients() -> None:
    """All subsets are met, about equally often; another secret deals them anew."""
    pairs = [(a + b) / 20 for a, b in itertools.combinations(range(4), 2)]
    dealt = [_ensembled("sticky", 2, secret) for secret in (SECRET, b"another")]
    met = [[float(one.predict(_rows(1), str(at)).result(5)[0, 0]) for at in range(300)] for one in dealt]
    assert set(np.round(met[0], 3)) == set(np.round(pairs, 3))
    assert met[0] != met[1]
    alone = _ensembled("sticky", 1)
    shares = np.bincount([round(10 * alone.predict(_rows(1), str(at)).result(5)[0, 0]) for at in range(400)])
    assert shares.min() > 60  # of 100


def test_sticky_needs_a_secret() -> None:
    """Without a secret everyone could work out who meets whom."""
    with pytest.raises(BadModel, match="ensemble both: mode sticky needs the gateway's secret"):
        _ensembled("sticky", secret=b"")


def test_members_must_agree() -> None:
    """Members of another shape or with other classes are refused by name."""
    with pytest.raises(BadModel, match=r"a takes \(1,\) and knows 2 classes, b takes \(1,\) and knows 3"):
        Ensembled("x", Ensemble(("a", "b"), "average"), (_constant("a", 0.5), _member("b", lambda batch: batch, 3)))


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"members": [], "mode": "average"}, "length >= 1"),
        ({"members": ["a", "a"], "mode": "average"}, "named twice"),
        ({"members": ["a"], "mode": "sticky", "subset": 2}, "2 of 1 members"),
        ({"members": ["a"], "mode": "sticky", "subset": 0}, ">= 1"),
        ({"members": ["a"], "mode": "vote"}, "Invalid enum value 'vote'"),
        ({"members": ["a"], "mode": "random", "sub": 2}, "unknown field `sub`"),
    ],
)
def test_refuses_bad_tables(table: object, why: str) -> None:
    """A policy that makes no sense is refused when it is read."""
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(table, Ensemble)


def test_a_bad_member_fails_the_question_only() -> None:
    """A member that answers nonsense fails what it was asked, and nothing else."""
    bad = _member("bad", lambda batch: np.full((len(batch), 2), np.nan, np.float32))
    good = _constant("good", 0.5)
    for member in (bad, good):
        member.start()
    with pytest.raises(BadAnswer, match="model bad"):
        Ensembled("x", Ensemble(("bad", "good"), "average"), (bad, good)).predict(_rows(1)).result(5)
    assert good.predict(_rows(1)).result(5).tolist() == [[0.5, 0.5]]


def test_who_goes_away_asks_no_member() -> None:
    """A question that is cancelled, or that one member has no room for, is taken back from the others."""
    first, second = _constant("a", 0.5), _constant("b", 0.5)
    ensembled = Ensembled("x", Ensemble(("a", "b"), "average"), (first, second))
    ensembled.predict(_rows(1)).cancel()
    second._jobs.maxsize = 1
    with pytest.raises(Busy):
        ensembled.predict(_rows(1))
    for member in (first, second):
        member.start()
    until(lambda: first._jobs.empty() and second._jobs.empty())
    assert ensembled.predict(_rows(1)).result(5).shape == (1, 2)
    assert (first.calls, second.calls) == (1, 1)


def test_only_the_ensemble_is_seen(alone: GatewaySettings, tmp_path: Path) -> None:
    """Its members are not served by name, unless asked for; it answers in both protocols like any model."""
    for seed in (1, 2):
        save_model(tmp_path / f"m{seed}.keras", seed=seed)
    hidden = Ensemble(("m1", "m2"), "average")
    settings = dataclasses.replace(alone, models=tmp_path, policy=Policy(ensembles={"digits": hidden}))
    with serving(settings) as running:
        assert running.ask(rows=2).status_code == 200
        assert running.calls == 2
        assert running.http.get("/v2/models/digits/versions/1", headers=KEY).json()["outputs"][0]["shape"] == [-1, 10]
        assert running.http.get("/v1/models/m1", headers=KEY).status_code == 404
        assert running.http.post("/v1/models/m1:predict", json={}, headers=KEY).status_code == 404
        assert running.http.get("/healthz").json()["models"] == ["digits"]
    shown = {"digits": Ensemble(("m1", "m2"), "average", by_name=True)}
    models = Models(tmp_path, ensembles=shown)
    models.load()
    assert models.served.keys() == {"digits", "m1", "m2"}
    models.stop()


def test_members_change_together(tmp_path: Path) -> None:
    """While new members do not agree the ensemble goes on as it was, and says so; when they do, it changes."""
    for name in ("a", "b"):
        save_model(tmp_path / f"{name}.keras", seed=1)
    models = Models(tmp_path, ensembles={"x": Ensemble(("a", "b"), "average")})
    models.load()
    former = models.served["x"]
    save_model(tmp_path / "a.keras", seed=2, classes=3)
    models.look(settled=True)
    assert "members must agree" in models.wrong[0]
    (tmp_path / "b.keras").unlink()
    models.look(settled=True)
    assert list(models.wrong) == ["ensemble x: there is no model 'b'"]
    assert models.served["x"] is former
    assert former.ready
    assert former.predict(images()).result(20).shape == (1, 10)
    save_model(tmp_path / "b.keras", seed=2, classes=3)
    models.look(settled=True)
    assert not models.wrong
    assert models.served["x"].classes == 3
    models.look()
    until(lambda: not former.ready)
    models.stop()


def test_starts_only_with_whole_ensembles(tmp_path: Path) -> None:
    """A gateway does not start with an ensemble that cannot be made, nor with a model of its name beside it."""
    save_model(tmp_path / "a.keras")
    for members, why in ((("a", "c"), "there is no model 'c'"), (("a",), "a model has this name too")):
        with pytest.raises(BadModel, match=why):
            Models(tmp_path, ensembles={"x": Ensemble(members, "average")}).load()
        save_model(tmp_path / "x.keras")
