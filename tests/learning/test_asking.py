"""Asking a model over HTTP: both predict forms, batches, retries, refusals."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from consumers import asking
from consumers.asking import Unanswered, over_http
from tests.learning.endpoint import serving

INPUTS = np.random.default_rng(0).random((600, 4), np.float32)
SHAPE = (2, 2)
V1 = ["/v1/models/m", "/v1/models/m:predict"]
V2 = ["/v2/models/m", "/v2/models/m/infer", "/below/v2/models/m/versions/3/infer"]


def say(inputs: npt.NDArray[Any]) -> list[list[float]]:
    """Answer two classes by the first number, bit for bit."""
    assert inputs.shape[1:] == SHAPE
    return [[float(row[0, 0]), 1 - float(row[0, 0])] for row in inputs]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PAUSE_SECONDS", 0.001)


@pytest.mark.parametrize("path", [*V1, *V2])
def test_asks_in_batches_with_the_key(path: str) -> None:
    """Every form of the address works; no request is larger than its bound; answers come in order."""
    with serving(say) as server, over_http(server.url(path), "s3cret") as made:
        answers = made(SHAPE)(INPUTS)
    np.testing.assert_array_equal(answers[:, 0], INPUTS[:, 0])
    assert server.batches == [256, 256, 88]
    assert set(server.keys) == {"Bearer s3cret"}


def test_large_inputs_go_in_small_batches() -> None:
    """Numbers are bounded too: gateways bound a body."""
    with serving(lambda inputs: [[0.5, 0.5]] * len(inputs)) as server:
        with over_http(server.url("/v1/models/m")) as made:
            made((150, 1000))(np.zeros((3, 150_000), np.float32))
        assert server.batches == [1, 1, 1]
        assert server.keys == [None] * 3


def test_binary_scores_may_come_flat() -> None:
    """One number an input is a binary score."""
    with serving(lambda inputs: [0.25] * len(inputs)) as server, over_http(server.url("/v1/models/m")) as made:
        assert made(SHAPE)(INPUTS[:3]).tolist() == [[0.25]] * 3


def test_asks_again_when_told_to_wait() -> None:
    """A busy or throttling gateway is asked again, as late as it says."""
    refusals = [(503, {}), (429, {"Retry-After": "0"}), (502, {"Retry-After": "soon"})]
    with serving(say, *refusals) as server, over_http(server.url("/v1/models/m")) as made:
        assert len(made(SHAPE)(INPUTS[:5])) == 5
        assert len(server.keys) == 4


@pytest.mark.parametrize(
    ("status", "tries", "why"),
    [
        (401, 1, "GAMEKEEPER_MODEL_KEY"),
        (403, 1, "gamekeeper allow CLIENT"),
        (302, 1, "answers 302"),
        (429, asking.TRIES, "rate limit"),
    ],
)
def test_a_refusal_is_one_line_that_says_what_to_do(status: int, tries: int, why: str) -> None:
    """Tries are bounded, redirects are not followed, and the key is in no message."""
    refusals = [(status, {"Location": "http://127.0.0.1:1/"} if status == 302 else {})] * 9
    with serving(say, *refusals) as server, over_http(server.url("/v1/models/m"), "s3cret") as made:
        with pytest.raises(Unanswered, match=why) as refused:
            made(SHAPE)(INPUTS)
        assert len(server.keys) == tries
    assert "\n" not in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "answer", [[[0.5, 0.5]], {"a": 1}, "text", None, [[0.1, 0.9], [1.0]], [["a", "b"]] * 5, [[[0.5]]] * 5]
)
def test_garbage_is_refused(answer: Any) -> None:
    """Too few rows, ragged ones, words: named with the address."""
    refused = pytest.raises(Unanswered, match=r"/v1/models/m:predict: answers")
    with serving(lambda _: answer) as server, over_http(server.url("/v1/models/m")) as made, refused:
        made(SHAPE)(INPUTS[:5])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://host/v1/models/m", "not an address"),
        ("http://host/predict", "neither /v1"),
        ("http://host/v1/models/m?key=1", "not an address"),
        ("http://me:s3cret@host/v1/models/m", "no password in the address"),
    ],
)
def test_addresses_are_checked(url: str, why: str) -> None:
    """What is no predict address is refused before anything is sent, and a password is not repeated."""
    with pytest.raises(Unanswered, match=why) as refused, over_http(url):
        pass
    assert "s3cret" not in str(refused.value)


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is not there is named after a few tries."""
    monkeypatch.setattr(asking, "TRIES", 2)
    with over_http("http://127.0.0.1:1/v1/models/m") as made, pytest.raises(Unanswered, match="no answer"):
        made(SHAPE)(INPUTS)
