"""Victims: the Keras models that are worth stealing, one architecture for images and one for tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from benchmarks.arena.data import Data, Floats
from gateway.serving.loading import import_tensorflow

_HALVED_TWICE: Final = 16  # pixels a side, at least, for two poolings
CHUNK: Final = 2_048  # inputs answered at once
EPOCHS: Final = {"mnist": 4, "gtsrb": 14, "digits": 30, "tabular": 12, "cifar": 14, "affairs": 12}
_CHECKPOINTS: Final = (0.15, 0.4, 0.7)  # of the training, whose answers HODA compares


@dataclass(frozen=True, slots=True)
class Victim:
    """A trained model: `forward` answers f4[n, D] with probabilities f4[n, K]; `earlier` are states of its training."""

    forward: Callable[[Floats], Floats]
    earlier: Sequence[Callable[[Floats], Floats]]
    accuracy: float  # on the part `test`

    def ask(self, inputs: Floats) -> Floats:
        """Return the true answers f4[n, K] to inputs f4[n, D]."""
        return _in_chunks(self.forward, inputs)

    def early(self, inputs: Floats) -> Floats:
        """Return what the victim would have answered early in its training, f4[checkpoints, n, K]."""
        return np.stack([_in_chunks(state, inputs) for state in self.earlier])


def untrained(data: Data, seed: int) -> Any:
    """Return the Keras model of a data set with first weights, compiled for class numbers."""
    import_tensorflow()
    import keras  # noqa: PLC0415  # seconds that only who trains should pay

    keras.utils.set_random_seed(seed + 7)
    model = _cnn(keras, data) if data.image else _mlp(keras, data)
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    return model


def train(data: Data, seed: int) -> Victim:
    """Return a model trained on the part `training`."""
    model = untrained(data, seed)
    import keras  # noqa: PLC0415  # loaded by now

    epochs = EPOCHS[data.name]
    stops = sorted({max(1, round(part * epochs)) for part in _CHECKPOINTS})
    states, done = [], 0
    for stop in (*stops, epochs):
        model.fit(data.training.inputs, data.training.label, batch_size=64, epochs=stop - done, verbose=0)
        states.append(keras.models.clone_model(model))
        states[-1].set_weights(model.get_weights())
        done = stop
    forward = _compiled(model, data)
    answers = _in_chunks(forward, data.test.inputs)
    accuracy = float(np.mean(answers.argmax(1) == data.test.label))
    return Victim(forward, [_compiled(state, data) for state in states[:-1]], accuracy)


def _cnn(keras: Any, data: Data) -> Any:
    layers = keras.layers
    small = min(data.shape[:2]) < _HALVED_TWICE
    channels = data.shape[2] if len(data.shape) > 2 else 1  # noqa: PLR2004  # a third axis holds colours
    body = [layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(), layers.Conv2D(64, 3, activation="relu")]
    return keras.Sequential(
        [
            keras.Input((int(np.prod(data.shape)),)),
            layers.Reshape((*data.shape[:2], channels)),
            *body,
            *([] if small else [layers.MaxPooling2D()]),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(128, activation="relu"),
            layers.Dense(data.classes, activation="softmax"),
        ]
    )


def _mlp(keras: Any, data: Data) -> Any:
    layers = keras.layers
    scale = layers.Normalization()
    scale.adapt(data.training.inputs)
    return keras.Sequential(
        [
            keras.Input(data.shape),
            scale,
            layers.Dense(64, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(data.classes, activation="softmax"),
        ]
    )


def _compiled(model: Any, data: Data) -> Callable[[Floats], Floats]:
    import tensorflow as tf  # noqa: PLC0415  # loaded already, by whoever trained

    signature = [tf.TensorSpec((None, int(np.prod(data.shape))), tf.float32)]
    compiled = tf.function(lambda inputs: model(inputs, training=False), input_signature=signature)
    return lambda inputs: np.asarray(compiled(inputs), np.float32)


def _in_chunks(forward: Callable[[Floats], Floats], inputs: Floats) -> Floats:
    parts = [forward(inputs[at : at + CHUNK]) for at in range(0, len(inputs), CHUNK)]
    return np.concatenate(parts)
