"""The model that is worth stealing: a small Keras CNN, trained on the digits in seconds."""

from pathlib import Path
from typing import Any

import numpy as np

from gamekeeper.demo import data
from gamekeeper.demo.clients import Answers, Ask, as_answers
from gamekeeper.demo.data import CLASSES, SHAPE, Images, Pool, camera
from gateway.serving.loading import import_tensorflow

_COPIES = 8  # of each training image, each as another camera sees it
_EPOCHS = 8
_BATCH = 64
_SEED = 20


def train(pool: Pool) -> Any:
    """Return a trained Keras model: input (8, 8) in 0..1, output ten probabilities; about 97 % right."""
    keras = _keras()
    keras.utils.set_random_seed(_SEED)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(SHAPE, name="image"),
            layers.Reshape((*SHAPE, 1)),
            layers.Conv2D(24, 3, padding="same", activation="relu"),
            layers.Conv2D(48, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(64, activation="relu"),
            layers.Dense(CLASSES, activation="softmax", name="probabilities"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    images, digits = _augmented(pool)
    model.fit(images, digits, batch_size=_BATCH, epochs=_EPOCHS, verbose=0)
    return model


def make(path: Path) -> None:
    """Train the model and write it to `path`."""
    save(train(data.load().training), path)


def load(path: Path) -> Any:
    """Return the model that `path` holds."""
    return _keras().models.load_model(path)


def save(model: Any, path: Path) -> None:
    """Write the model as `.keras`; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"unfinished-{path.name}")
    model.save(unfinished)
    unfinished.replace(path)


def answers(model: Any, images: Images) -> Answers:
    """Return the model's own answers to images [n, 8, 8]."""
    return as_answers(np.asarray(model(images, training=False)))


def ask(model: Any) -> Ask:
    """Return a way to put batches to the model in process; it never refuses."""
    import tensorflow as tf  # noqa: PLC0415  # loaded already, by whoever has a Keras model

    signature = [tf.TensorSpec((None, *SHAPE), tf.float32)]
    forward = tf.function(lambda images: model(images, training=False), input_signature=signature)
    return lambda images: as_answers(forward(images).numpy())


def accuracy(model: Any, pool: Pool) -> float:
    """Return the share of the pool's images that the model names rightly."""
    return float((answers(model, pool.images).labels == pool.digits).mean())


def _augmented(pool: Pool) -> tuple[Images, Any]:
    rng = np.random.default_rng(_SEED)
    views = [pool.images] + [
        np.concatenate([camera(rng).take(part, rng) for part in np.array_split(pool.images, 50)])
        for _ in range(_COPIES - 1)
    ]
    return np.concatenate(views), np.tile(pool.digits, _COPIES)


def _keras() -> Any:
    import_tensorflow()
    import keras  # noqa: PLC0415  # five seconds that only those who train or ask in process should pay

    return keras
