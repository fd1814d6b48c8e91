"""Models and versions from a folder: what is found, loaded, swapped, refused, and that no request is lost by it."""

import dataclasses
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from gateway.serving import BadModel, Models, folder
from gateway.serving.lineup import Lineup
from gateway.settings import GatewaySettings
from tests.gateway.build import ALICE, CLASSES, SHAPE, Running, images, save_model, serving, until

KEY = {"X-API-Key": ALICE}


def _models(source: Path) -> Models:
    models = Models(source)
    models.load()
    return models


def _answer(lineup: Lineup, version: str | None = None) -> list[float]:
    model = lineup.find("m", version)
    assert model is not None
    row: list[float] = model.predict(images()).result(20)[0].tolist()
    return row


def _touch(folder_: Path, *names: str) -> None:
    for name in names:
        path = folder_ / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_finds_versions(tmp_path: Path) -> None:
    """A flat file is version 1; in a model's folder files and SavedModels are versions by their number."""
    _touch(
        tmp_path, "a.keras", "b/2.keras", "b/010.keras", "b/3/saved_model.pb", "README.md", ".c.keras", "b/notes.txt"
    )
    found, wrong = folder.look(tmp_path)
    assert found.keys() == {("a", "1"), ("b", "2"), ("b", "10"), ("b", "3")}
    assert wrong == []
    assert folder.look(tmp_path / "a.keras")[0].keys() == {("a", "1")}
    assert folder.look({"other": tmp_path / "a.keras"})[0].keys() == {("other", "1")}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a.h5", r"a\.h5: files of this kind are not served .* model\.save\('a\.keras'\)"),
        ("a/1.pkl", "files of this kind are not served"),
        ("a/saved_model.pb", r"needs a version: move it to .*/a/1$"),
        ("a/latest.keras", "'latest' is no version"),
        ("a/1/weights.bin", "holds no saved_model"),
        ("a b.keras", "'a b' is no model's name"),
        ("b/01.keras", r"b/01\.keras is version 1 of 'b' too"),
    ],
)
def test_says_what_cannot_be_served(tmp_path: Path, name: str, why: str) -> None:
    """What looks like a model and cannot be served is named, and stops a gateway that starts."""
    _touch(tmp_path, "b/1.keras", name)
    found, wrong = folder.look(tmp_path)
    assert ("b", "1") in found
    assert len(wrong) == 1
    with pytest.raises(BadModel, match=why):
        Models(tmp_path).load()


def test_nothing_to_serve(tmp_path: Path) -> None:
    """An empty folder, one that is not there and a file that is not there stop a gateway that starts."""
    for source, why in (
        (tmp_path, "no model to serve"),
        (tmp_path / "none", "cannot be read"),
        ({"a": tmp_path / "none.keras"}, "no such file"),
    ):
        with pytest.raises(BadModel, match=why):
            Models(source).load()


def test_versions_come_and_go(tmp_path: Path) -> None:
    """A new version serves when its file has held still for a look; one that goes is ended, and the next serves."""
    models = _models(save_model(tmp_path / "m" / "1.keras", seed=1).parents[1])
    with models.using() as lineup:
        first = _answer(lineup)
    save_model(tmp_path / "m" / "2.keras", seed=2)
    models.look()
    assert models.served["m"].version == "1"
    models.look()
    with models.using() as lineup:
        assert list(lineup.versions("m")) == ["1", "2"]
        assert _answer(lineup) == _answer(lineup, "2") != first
        assert _answer(lineup, "1") == first
        old = lineup.find("m", "2")
        (tmp_path / "m" / "2.keras").unlink()
        models.look()
        models.look()
        assert models.served["m"].version == "1"
        assert old is not None
        assert _answer(lineup, "2") != first  # who asks it just now still gets its answer
    assert old.ready
    models.look()
    until(lambda: not old.ready)
    models.stop()


def test_a_changed_file_is_loaded_anew(tmp_path: Path) -> None:
    """The same name with another content takes its place; told to look, it does not wait for a second look."""
    path = save_model(tmp_path / "m.keras", seed=1)
    models = _models(tmp_path)
    with models.using() as lineup:
        first = _answer(lineup)
    save_model(path, seed=2)
    models.look(settled=True)
    with models.using() as lineup:
        assert _answer(lineup) != first
    models.stop()


def test_looks_by_itself(tmp_path: Path) -> None:
    """The folder is looked at every so often, and at once when told; it ends when it is told."""
    models = _models(save_model(tmp_path / "m" / "1.keras").parents[1])
    models.start(0.05)
    save_model(tmp_path / "m" / "2.keras")
    until(lambda: models.served["m"].version == "2")
    models.stop()
    assert models._thread is not None
    assert not models._thread.is_alive()
    assert not models.ready
    models = _models(tmp_path)
    models.start(3600)
    (tmp_path / "m" / "2.keras").unlink()
    models.look_soon()
    until(lambda: models.served["m"].version == "1")
    models.stop()


def test_what_fails_leaves_the_old_one_serving(tmp_path: Path) -> None:
    """A broken file is reported until it is gone or mended, and tried again only when it changes, or when told."""
    path = save_model(tmp_path / "m.keras", seed=1)
    whole = path.read_bytes()
    models = _models(tmp_path)
    model = models.served["m"]
    path.write_bytes(whole[: len(whole) // 2])
    models.look()
    assert not models.wrong
    models.look()
    models.look()
    assert len(models.wrong) == 1
    assert "m.keras: not a readable Keras model" in models.wrong[0]
    assert models.served["m"] is model
    assert model.ready
    path.write_bytes(whole)
    models.look(settled=True)
    assert not models.wrong
    assert models.served["m"] is not model
    models.stop()


def test_a_folder_that_is_away_costs_nothing(tmp_path: Path) -> None:
    """While the folder cannot be read, what is loaded serves on, and health says so."""
    source = save_model(tmp_path / "models" / "m.keras").parent
    models = _models(source)
    source.rename(tmp_path / "elsewhere")
    for _ in range(3):
        models.look()
    assert "cannot be read" in models.wrong[0]
    assert models.ready
    (tmp_path / "elsewhere").rename(source)
    models.look()
    assert not models.wrong
    models.stop()


def test_serves_a_saved_model(tmp_path: Path) -> None:
    """A SavedModel answers as the Keras model that it was made of."""
    save_model(tmp_path / "m" / "1.keras", seed=3)
    save_model(tmp_path / "m" / "2", seed=3)
    models = _models(tmp_path)
    with models.using() as lineup:
        np.testing.assert_allclose(_answer(lineup, "2"), _answer(lineup, "1"), atol=1e-6)
        model = lineup.find("m", "2")
        assert model is not None
        assert (model.shape, model.classes) == (SHAPE, CLASSES)
    models.stop()


def test_refuses_a_saved_model_that_reads_files(tmp_path: Path) -> None:
    """A SavedModel whose operations reach outside of it is refused before anything of it is run."""
    import tensorflow as tf  # noqa: PLC0415  # five seconds, only for tests that need it

    class Reads(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])  # type: ignore[untyped-decorator]
        def __call__(self, x: object) -> object:
            secret = tf.strings.length(tf.io.read_file("/etc/hostname"))
            return tf.nn.softmax(x + tf.cast(secret, tf.float32))

    tf.saved_model.save(Reads(), str(tmp_path / "m" / "1"))
    with pytest.raises(BadModel, match="refused: its operations ReadFile reach outside"):
        Models(tmp_path).load()
    (tmp_path / "m" / "1" / "saved_model.pb").write_bytes(b"junk")
    with pytest.raises(BadModel, match="not a readable Keras model"):
        Models(tmp_path).load()


@pytest.fixture
def reloading(alone: GatewaySettings, models: Path, tmp_path: Path) -> GatewaySettings:
    """Return settings with a folder of their own."""
    shutil.copy(models / "digits.keras", tmp_path / "digits.keras")
    return dataclasses.replace(alone, models=tmp_path, reload_seconds=3600)


def test_versions_over_http(reloading: GatewaySettings, tmp_path: Path) -> None:
    """Both protocols answer for the version in the path, and tell which there are; health tells of failures."""
    save_model(tmp_path / "digits" / "3.keras", seed=7)
    with serving(reloading) as running:
        http, body = running.http, {"instances": images().tolist()}

        def v1(path: str) -> httpx.Response:
            return http.post(f"/v1/models/digits{path}:predict", json=body, headers=KEY)

        def v2(path: str) -> httpx.Response:
            tensor = {"name": "x", "shape": [1, *SHAPE], "datatype": "FP32", "data": images().tolist()}
            return http.post(f"/v2/models/digits{path}/infer", json={"inputs": [tensor]}, headers=KEY)

        assert v1("").json() == v1("/versions/3").json() != v1("/versions/1").json()
        assert v2("/versions/1").json()["model_version"] == "1"
        assert v2("").json()["model_version"] == "3"
        assert v1("/versions/2").status_code == v2("/versions/2").status_code == 404
        states = http.get("/v1/models/digits", headers=KEY).json()["model_version_status"]
        assert [state["version"] for state in states] == ["3", "1"]
        one = http.get("/v1/models/digits/versions/1", headers=KEY).json()["model_version_status"]
        assert [state["version"] for state in one] == ["1"]
        assert http.get("/v2/models/digits", headers=KEY).json()["versions"] == ["1", "3"]
        assert http.get("/v2/models/digits/versions/1/ready", headers=KEY).status_code == 200
        assert http.get("/v2/models/digits/versions/9/ready", headers=KEY).status_code == 404
        (tmp_path / "digits" / "4.keras").write_bytes(b"broken")
        running.parts.models.look(settled=True)
        health = http.get("/healthz").json()
        assert health["status"] == "degraded"
        assert health["why"] == "models: 1 not served, see the log"
        assert str(tmp_path) not in http.get("/healthz").text
        assert "4.keras: not a readable Keras model" in running.parts.models.wrong[0]
        assert "gamekeeper_gateway_models_wrong 1.0" in http.get("/metrics").text
        assert v1("").status_code == 200


def _ask_on(running: Running, stop: threading.Event) -> list[int]:
    statuses = []
    body = {"instances": images(2).tolist()}
    with httpx.Client(base_url=running.url, timeout=20, headers=KEY) as http:
        while not stop.is_set():
            statuses.append(http.post("/v1/models/digits:predict", json=body).status_code)
    return statuses


def test_swaps_lose_no_request(reloading: GatewaySettings, tmp_path: Path) -> None:
    """Clients that ask all the time while versions come, change and go get an answer to everything."""
    stop = threading.Event()
    with serving(reloading) as running, ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(_ask_on, running, stop) for _ in range(4)]
        for seed in range(4):
            path = save_model(tmp_path / "digits" / f"{2 + seed % 2}.keras", seed=seed)
            running.parts.models.look(settled=True)
            if seed % 2:
                path.unlink()
                running.parts.models.look(settled=True)
        stop.set()
        statuses = [status for one in asking for status in one.result(20)]
        running.parts.models.look()
        assert len(running.parts.models._running) == 2
    assert len(statuses) >= 4
    assert set(statuses) == {200}
