"""`gateway.wrap`: the documented example runs, and guards."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gateway
from detector.decision import Action
from gateway.faults import Fault
from gateway.serving import BadModel
from gateway.settings import GatewaySettings
from tests.gateway.build import ALICE, decision, images, key_file

DOCUMENT = Path(__file__).parents[2] / "docs" / "middleware.md"


@pytest.fixture(scope="module")
def model(models: Path) -> Any:
    """Return the test model, in memory."""
    import keras  # noqa: PLC0415  # five seconds, only for tests that need it

    return keras.models.load_model(models / "digits.keras")


def test_documented_example(model: Any, tmp_path: Path) -> None:
    """The example of the documentation prints the model's own answers."""
    example = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[1]
    said: list[Any] = []
    names = {"model": model, "inputs": images(3), "key": ALICE, "print": said.append}
    exec(example.replace("keys.jsonl", str(key_file(tmp_path))), names)  # noqa: S102  # the example is ours
    np.testing.assert_allclose(said[0], model(images(3), training=False).numpy(), atol=1e-6)


def test_it_guards(model: Any, tmp_path: Path) -> None:
    """Keys, decisions and shapes are checked before the model is asked."""
    with gateway.wrap(model, GatewaySettings(keys_file=key_file(tmp_path)), "digits") as guarded:
        with pytest.raises(Fault, match="unknown API key"):
            guarded.predict(images(), "nobody")
        with pytest.raises(ValueError, match="the model takes"):
            guarded.predict(images()[0], ALICE)
        guarded.guard.table.apply(decision(1, Action.THROTTLE))
        assert set(guarded.predict(images(2), ALICE).ravel().tolist()) == {0.0, 1.0}
        guarded.guard.table.apply(decision(2, Action.BLOCK))
        with pytest.raises(Fault, match="suspended"):
            guarded.predict(images(), ALICE)


def test_only_classifiers() -> None:
    """A model that answers with something else than probabilities is refused by name."""
    import keras  # noqa: PLC0415

    line = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, bias_initializer="ones")])
    with pytest.raises(BadModel, match="softmax or sigmoid"):
        gateway.wrap(line, GatewaySettings(), "line")
