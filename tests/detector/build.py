"""What the detector's tests stand on: a real classifier of real digits, honest clients and thieves, a population."""

import functools
import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from detector.learning import learn
from detector.population import Population
from detector.query import Queries
from gamekeeper.demo import honest, thieves
from gamekeeper.demo.clients import Answers, Conversation, Kind, drive
from gamekeeper.demo.data import Images, Parts, load

MODEL = "digits"
SIZE = 64
SECOND = 1_000_000  # µs
START = 1_700_000_000 * SECOND
PLAIN = honest.KINDS[:6]  # usual, skewed and few classes, retries, frames, health checks
PAST_CLIENTS = 108
PAST_QUERIES = 128


@functools.cache
def parts() -> Parts:
    """Return disjoint images for model, population, honest clients and thieves."""
    return load()


@functools.cache
def victim() -> MLPClassifier:
    """Return the model that is asked."""
    pool = parts().training
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # good enough to be stolen
        return MLPClassifier((64,), max_iter=120, random_state=0).fit(pool.images.reshape(-1, SIZE), pool.digits)


def answer(images: Images) -> Answers:
    """Return the model's answers."""
    probabilities = victim().predict_proba(images.reshape(-1, SIZE)).astype(np.float32)
    return Answers(probabilities.argmax(axis=1).astype(np.int64), probabilities)


def seed(*words: object) -> int:
    """Return a number that only the words decide."""
    return int.from_bytes(hashlib.blake2b(repr(words).encode(), digest_size=4).digest(), "little")


def queries(
    client: str, inputs: npt.NDArray[np.float32] | None, label: Sequence[int] | npt.NDArray[np.int64], **columns: object
) -> Queries:
    """Return one client's queries, a second apart, with unknown margins; `columns` replace what is given here."""
    count = len(label)
    random = np.random.default_rng(seed(client, count))
    return replace(
        Queries(
            model=MODEL,
            clients=(client,),
            tenants=(None,),
            client=np.zeros(count, np.int32),
            time=START + SECOND * np.arange(count, dtype=np.int64),
            id=random.integers(0, 2**63, (count, 2)).astype(np.uint64),
            scored=np.ones(count, np.bool_),
            has_input=np.full(count, inputs is not None),
            input=inputs,
            label=np.asarray(label, np.int64),
            margin_low=np.full(count, np.nan, np.float32),
            margin_high=np.full(count, np.nan, np.float32),
            place=np.arange(count, dtype=np.int64),
            row=np.zeros(count, np.int32),
        ),
        **columns,  # type: ignore[arg-type]  # names of columns, written by the tests
    )


@functools.cache
def life(kind: Kind, number: int, count: int, past: bool = False) -> Queries:
    """Return the queries of one client of a kind, the honest ones in the past on images of their own."""
    images = replace(parts(), honest=parts().warm_up) if past else parts()
    random = np.random.default_rng(seed(kind.name, number, past))
    learnt = drive(Conversation(kind.start(images, random)), answer, count)
    ranked = np.sort(learnt.answers.probabilities, axis=1)
    margin = (ranked[:, -1] - ranked[:, -2]).astype(np.float32)
    name = f"{kind.name} {number}{' past' if past else ''}"
    inputs = np.ascontiguousarray(learnt.inputs.reshape(len(learnt), SIZE), np.float32)
    whole = queries(name, inputs, learnt.answers.labels, margin_low=margin, margin_high=margin)
    return whole.take(slice(0, count))  # the last request may have held more


@functools.cache
def population() -> Population:
    """Return what ordinary clients of the plainest kinds teach."""
    lives = [life(PLAIN[at % len(PLAIN)], at, PAST_QUERIES, past=True) for at in range(PAST_CLIENTS)]
    return learn(lives, (8, 8))


THIEVES = tuple(kind for kind in thieves.KINDS if not kind.control and kind.name != "natural patches")
"""All but the pool thief, whose photographs only TensorFlow opens."""
