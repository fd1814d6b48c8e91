"""Copies: the networks that good thieves train on whole answers, one compiled training for all of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from benchmarks.arena.data import Data, Floats, Labels
from gateway.serving.loading import import_tensorflow

BATCH: Final = 32
_PEAKS: Final = (
    5e-3,
    1e-3,
)  # learning rate of Adam, falling to nothing along a cosine; the second where the first fails
_SEEN: Final = 500  # of its own questions, that a thief looks at
_SMALL: Final = 16  # pixels a side, below which an image is not halved twice


@dataclass(frozen=True, slots=True)
class Workshop:
    """Trains one network again and again from the same start, so that only questions and answers make a difference."""

    net: Any
    variables: Sequence[Any]
    start: Sequence[Any]
    fit: Any
    patience: float
    held: dict[bytes, Floats] = field(default_factory=dict)

    def copy(self, inputs: Floats, answers: Floats, tested: Floats) -> Floats:
        """Return what a copy trained on answers f4[n, K] to inputs f4[n, D] says to `tested` f4[m, D], f4[m, K].

        The same training is not done twice: thieves who saw the same have the same copy.
        """
        seen = hashlib.blake2b(digest_size=16)
        for part in (inputs, answers, tested):
            seen.update(np.ascontiguousarray(part).data)
        key = seen.digest()
        if key not in self.held:
            self.held[key] = self._trained(inputs, answers, tested)
        return self.held[key]

    def _trained(self, inputs: Floats, answers: Floats, tested: Floats) -> Floats:
        shares = answers / np.maximum(answers.sum(1, keepdims=True), np.float32(1e-6))
        order = _order(len(inputs), round(self.patience * steps(len(inputs))))
        for peak in _PEAKS:
            for variable, value in zip(self.variables, self.start, strict=True):
                variable.assign(value)
            self.fit(inputs, shares, order, peak)
            if len(np.unique(self._said(inputs[:_SEEN]).argmax(1))) > 1:
                break  # else it says one label to all: no thief would take that for a copy
        return self._said(tested)

    def _said(self, inputs: Floats) -> Floats:
        parts = [self.net(inputs[at : at + 1_024]) for at in range(0, len(inputs), 1_024)]
        scores = np.concatenate([part.numpy() for part in parts])
        grown = np.exp(scores - scores.max(1, keepdims=True))
        return np.asarray(grown / grown.sum(1, keepdims=True), np.float32)


def workshop(data: Data, seed: int, patience: float = 1.0, *, wide: bool = False) -> Workshop:
    """Return a workshop for images of this form.

    It is the victim's architecture, with half its filters where images are large, which halves the cost; `wide` keeps
    them all. `patience` multiplies the steps. `python -m benchmarks defences` tells what either would add.
    """
    import_tensorflow()
    import keras  # noqa: PLC0415  # seconds that only who trains should pay
    import tensorflow as tf  # noqa: PLC0415

    keras.utils.set_random_seed(seed + 1_001)
    net = _network(keras, data, wide)
    optimizer = keras.optimizers.Adam(_PEAKS[0])
    optimizer.build(net.trainable_variables)
    variables = [*net.variables, *optimizer.variables]
    start = [variable.numpy() for variable in variables]
    return Workshop(net, variables, start, _training(tf, net, optimizer), patience)


def steps(count: int) -> int:
    """Return how many batches a copy of so many answers is trained with; four times as many are tried beside it."""
    return int(np.clip(27 * np.sqrt(count), 300, 1_600))


def sure(answers: Floats) -> Floats:
    """Return the labels of answers f4[n, K] as one-hot rows."""
    certain: Floats = np.eye(answers.shape[1], dtype=np.float32)
    return np.asarray(certain[answers.argmax(1)])


def agreement(answers: Floats, labels: Labels) -> float:
    """Return on which share of f4[n, K] the largest is at `labels` i8[n]."""
    return float(np.mean(answers.argmax(1) == labels))


def _network(keras: Any, data: Data, wide: bool) -> Any:
    layers, small = keras.layers, min(data.shape[:2]) < _SMALL
    channels = data.shape[2] if len(data.shape) > 2 else 1  # noqa: PLR2004  # a third axis holds colours
    filters = 32 if wide or small else 16
    return keras.Sequential(
        [
            keras.Input((int(np.prod(data.shape)),)),
            layers.Reshape((*data.shape[:2], channels)),
            layers.Rescaling(2, offset=-1),  # of 0..1
            layers.Conv2D(filters, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(2 * filters, 3, activation="relu"),
            *([] if small else [layers.MaxPooling2D()]),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(data.classes),
        ]
    )


def _training(tf: Any, net: Any, optimizer: Any) -> Any:
    """Return the compiled training: inputs f4[n, D], shares f4[n, K], order i4[steps, batch], learning rate."""
    width, classes = net.input_shape[1], net.output_shape[1]
    signature = [tf.TensorSpec((None, width)), tf.TensorSpec((None, classes)), tf.TensorSpec((None, BATCH), tf.int32)]
    signature.append(tf.TensorSpec(()))

    def fit(inputs: Any, shares: Any, order: Any, peak: Any) -> None:
        count = tf.shape(order)[0]
        for at in tf.range(count):
            part = tf.cast(at, tf.float32) / tf.cast(count, tf.float32)
            optimizer.learning_rate.assign(peak * (1 + tf.cos(np.pi * part)) / 2)
            with tf.GradientTape() as tape:
                scores = net(tf.gather(inputs, order[at]), training=True)
                loss = tf.nn.softmax_cross_entropy_with_logits(tf.gather(shares, order[at]), scores)
                loss = tf.reduce_mean(loss)
            optimizer.apply(tape.gradient(loss, net.trainable_variables), net.trainable_variables)

    return tf.function(fit, input_signature=signature)


def _order(count: int, steps: int) -> Any:
    """Return which rows each batch takes, i4[steps, batch]: passes over all rows, each in an order of its own."""
    rng = np.random.default_rng(count)
    passes = -(-steps * BATCH // count)
    rows = np.concatenate([rng.permutation(count) for _ in range(passes)])[: steps * BATCH]
    return rows.reshape(steps, BATCH).astype(np.int32)
