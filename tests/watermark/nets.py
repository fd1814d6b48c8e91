"""Small models that train in a second."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits

from gateway.watermark.embed import answers
from gateway.watermark.verify import Ask

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def digits() -> tuple[Floats, Labels]:
    """Return scikit-learn's digits, f4[1797, 64] in 0..1, shuffled, and their classes."""
    held = load_digits()
    order = np.random.default_rng(0).permutation(len(held.target))
    return (held.data[order] / 16).astype(np.float32), held.target[order].astype(np.int64)


def net(inputs: Floats, target: npt.NDArray[Any], epochs: int = 15, seed: int = 0) -> Any:
    """Return a dense Keras net trained on classes i8[n], or on probabilities f4[n, K]."""
    import keras  # noqa: PLC0415  # five seconds, only for tests that need it

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    soft = target if target.ndim > 1 else np.eye(10, dtype=np.float32)[target]
    model = keras.Sequential(
        [layers.Input((64,)), layers.Dense(96, activation="relu"), layers.Dense(10, activation="softmax")]
    )
    model.compile("adam", "categorical_crossentropy")
    model.fit(inputs, soft, batch_size=32, epochs=epochs, verbose=0)
    return model


def asking(model: Any) -> Ask:
    """Return a way to ask it."""
    return lambda inputs: answers(model, inputs)


def right(model: Any, inputs: Floats, label: Labels) -> float:
    """Return the share of inputs that it names rightly."""
    return float(np.mean(answers(model, inputs).argmax(axis=1) == label))
