"""Real Keras models behind the worker: batches, refusals of files, answers that are no probabilities."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from gateway.serving import QUEUE_MAX, BadAnswer, BadModel, Busy, Served, load
from tests.gateway.build import ALICE, CLASSES, SHAPE, Running, images, save_model, until


def save(folder: Path, layers: Any, shape: tuple[int | None, ...] = SHAPE) -> Path:
    """Save a sequential model of these layers."""
    import keras  # noqa: PLC0415  # five seconds, only for tests that need it

    path = folder / "model.keras"
    keras.Sequential([keras.layers.Input(shape), *layers(keras.layers)]).save(path)
    return path


def test_loads_and_batches(models: Path) -> None:
    """Questions that wait together are answered by few calls, each with its own rows."""
    served = load("digits", models / "digits.keras")
    assert (served.shape, served.classes, served.calls) == (SHAPE, CLASSES, 0)
    batches = [images(rows=1 + number % 3, seed=number) for number in range(40)]
    waiting = [served.predict(batch) for batch in batches]
    assert not served.ready
    served.start()
    answers = [future.result(10) for future in waiting]
    assert served.calls == 1
    for batch, answer in zip(batches, answers, strict=True):
        assert answer.shape == (len(batch), CLASSES)
        np.testing.assert_allclose(answer, served.predict(batch).result(10), atol=1e-5)
    served.stop()
    assert not served.ready


def test_refuses_code_in_a_model(tmp_path: Path) -> None:
    """A Lambda layer would run here, and so would a SavedModel within: the file is refused, and the message says so."""
    path = save(tmp_path, lambda layers: [layers.Lambda(lambda x: x * 2), layers.Flatten(), layers.Dense(3)])
    with pytest.raises(BadModel, match=r"model\.keras: refused: it holds a Lambda layer"):
        load("bad", path)
    inner = save_model(tmp_path / "inner")
    path = save(tmp_path, lambda layers: [layers.TFSMLayer(str(inner), call_endpoint="serving_default")])
    with pytest.raises(BadModel, match=r"model\.keras: refused: it holds a Lambda layer or other code"):
        load("bad", path)


@pytest.mark.parametrize("content", [b"", b"not a zip file", b"PK\x03\x04 broken"])
def test_refuses_unreadable_files(tmp_path: Path, content: bytes) -> None:
    """A file that is no Keras model is refused in one line that names it."""
    path = tmp_path / "bad.keras"
    path.write_bytes(content)
    with pytest.raises(BadModel, match=r"bad\.keras: not a readable Keras model") as refused:
        load("bad", path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("layers", "shape", "why"),
    [
        (lambda layers: [layers.Flatten(), layers.Dense(30)], SHAPE, "softmax"),
        (lambda layers: [layers.Conv2D(3, 3)], (8, 8, 1), "the answer's shape"),
        (lambda layers: [layers.Conv2D(3, 3), layers.GlobalMaxPooling2D()], (None, None, 1), "not fixed"),
    ],
)
def test_refuses_models_it_cannot_serve(tmp_path: Path, layers: Any, shape: tuple[int | None, ...], why: str) -> None:
    """Logits, images as answers and open shapes are refused when the model is loaded, not when it is asked."""
    with pytest.raises(BadModel, match=why):
        load("bad", save(tmp_path, layers, shape))


def test_bad_answer_fails_its_own_question_only() -> None:
    """Of questions answered together only those fail whose answer is no probability."""
    served = Served("echo", (1,), 1, "input", "output", lambda batch: batch)
    good = served.predict(np.array([[0.25]], np.float32))
    bad = served.predict(np.array([[7.0]], np.float32))
    nan = served.predict(np.array([[np.nan]], np.float32))
    served.start()
    assert good.result(5).tolist() == [[0.25]]
    for future in (bad, nan):
        with pytest.raises(BadAnswer, match="other than probabilities"):
            future.result(5)
    served.stop()


def test_a_cancelled_question_is_not_asked() -> None:
    """Who has gone away costs no call."""
    served = Served("echo", (1,), 1, "input", "output", lambda batch: batch)
    gone = served.predict(np.array([[0.5]], np.float32))
    gone.cancel()
    served.start()
    until(lambda: served.ready)
    assert served.predict(np.array([[0.5]], np.float32)).result(5).tolist() == [[0.5]]
    assert served.calls == 1
    served.stop()


def test_too_many_waiting() -> None:
    """A queue that is full refuses at once."""
    served = Served("echo", (1,), 1, "input", "output", lambda batch: batch)
    for _ in range(QUEUE_MAX):
        served.predict(np.array([[0.5]], np.float32))
    with pytest.raises(Busy, match="wait for model echo"):
        served.predict(np.array([[0.5]], np.float32))


def test_many_clients_share_calls(shared_gateway: Running) -> None:
    """Over HTTP, 64 clients at once are answered by fewer calls than they ask, and each gets its own answer."""
    batches = [images(seed=seed).tolist() for seed in range(64)]
    before = shared_gateway.calls

    async def ask_all() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(base_url=shared_gateway.url, timeout=60, limits=limits) as http:
            asked = [
                http.post("/v1/models/digits:predict", json={"instances": batch}, headers={"X-API-Key": ALICE})
                for batch in batches * 4
            ]
            return await asyncio.gather(*asked)

    answers = asyncio.run(ask_all())
    assert {answer.status_code for answer in answers} == {200}
    assert shared_gateway.calls - before < len(answers)
    for seed in (0, 31, 63):
        alone = shared_gateway.ask(seed=seed).json()["predictions"][0]
        for answer in answers[seed::64]:
            assert answer.json()["predictions"][0] == pytest.approx(alone, abs=1e-6)
