"""Past: which queries of which clients a population is learnt from. Every amount has a bound."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from detector.geometry import INPUT_MAX
from detector.query import Queries, join

CLIENTS_MAX: Final = 2_000  # clients looked at; the rest of the guarantee does not get better from more
LIFE_MAX: Final = 2_000  # queries of one client that are replayed: a patient thief cannot fill the past
NUMBERS_MAX: Final = 1 << 27  # input numbers held (512 MiB of float32)
SAMPLE_STEP: Final = 3  # every third query trains the geometry: neighbours in time are near copies
SAMPLE_MAX: Final = 100  # queries of one client that train the geometry
SAMPLES_MAX: Final = 40_000  # queries that train the geometry, over all clients

Rows = npt.NDArray[np.intp]


class LearnError(ValueError):
    """Past records from which no population can be learnt; the message says what they lack."""

    for_people = True  # the command line prints the message as it is


@dataclass(frozen=True, slots=True)
class Span:
    """What was read, before bounds and choices: for the population's own description."""

    queries: int
    since: int  # µs, event time
    until: int


def gather(parts: Sequence[Queries]) -> tuple[Queries, Span]:
    """Join the scored queries of one model, client after client, each client's in stream order.

    Clients come in the order of their names, so that the interleaving of clients in the records (which differs
    between a topic's partitions and a file) does not reach the result. Raises LearnError when nothing is left.
    """
    parts = [_looked_at(part) for part in parts]
    parts = [part.take(np.flatnonzero(part.scored)) for part in parts]
    parts = [part for part in parts if len(part)]
    if not parts:
        raise LearnError("no scored query of this model: nothing to learn from")
    if len({None if part.input is None else part.input.shape[1] for part in parts}) > 1:
        raise LearnError("inputs of different sizes for one model: state its shape")
    whole = join(parts)
    span = Span(len(whole), int(whole.time.min()), int(whole.time.max()))
    rank = np.argsort(np.argsort(np.array(whole.clients, dtype=object)))
    return whole.take(np.argsort(rank[whole.client], kind="stable")), span


def _looked_at(part: Queries) -> Queries:
    """Return a part without inputs that nothing looks at: else a few of them would fill the past."""
    if part.input is None or part.input.shape[1] <= INPUT_MAX:
        return part
    return replace(part, input=part.input[:, :0], has_input=np.zeros(len(part), np.bool_))


def bounded(past: Queries) -> Queries:
    """Keep the first LIFE_MAX queries of up to CLIENTS_MAX clients, within NUMBERS_MAX input numbers.

    Which clients stay is decided by a hash of model and client, which no client can aim at without knowing
    all the others, and which is the same in every run.
    """
    size = 1 if past.input is None else max(past.input.shape[1], 1)
    rows_max = NUMBERS_MAX // size
    lives = np.minimum(np.bincount(past.client, minlength=len(past.clients)), LIFE_MAX)
    asked = np.flatnonzero(lives)
    drawn = np.array(sorted(asked, key=lambda at: _draw(past.model, past.clients[at])), dtype=np.intp)
    fits = np.cumsum(lives[drawn]) <= rows_max
    fits[:1] = True
    kept = np.zeros(len(past.clients), np.bool_)
    kept[drawn[fits][:CLIENTS_MAX]] = True
    return past.take(np.flatnonzero(kept[past.client] & (position(past.client) < LIFE_MAX)))


def without(past: Queries, clients: Collection[str]) -> Queries:
    """Return the queries of all clients but these."""
    left_out = np.array([name in clients for name in past.clients], np.bool_)
    return past.take(np.flatnonzero(~left_out[past.client]))


def position(client: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return the place 0, 1, … of each query in its client's life; the rows of a client lie together."""
    begins = np.flatnonzero(np.r_[True, client[1:] != client[:-1]]) if len(client) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[begins, len(client)])
    return np.arange(len(client)) - np.repeat(begins, lengths)


def sample(past: Queries) -> Rows:
    """Return the rows that train the geometry: with an input, thinned, capped for each client and over all."""
    if past.input is None or past.input.shape[1] == 0:
        return np.zeros(0, np.intp)
    rows = np.flatnonzero(past.has_input)
    place = position(past.client[rows])
    clients = max(len(np.unique(past.client[rows])), 1)
    cap = max(1, min(SAMPLE_MAX, SAMPLES_MAX // clients))
    lives = np.bincount(past.client[rows], minlength=len(past.clients))[past.client[rows]]
    # A long life is sampled over its whole length, not only at its start.
    step = np.maximum(SAMPLE_STEP, np.ceil(lives / cap)).astype(np.int64)
    step[lives < SAMPLE_STEP * 4] = 1  # so short a life has nothing to thin
    chosen: Rows = rows[place % step == 0]
    return chosen


def generator(purpose: str, model: str) -> np.random.Generator:
    """Return a generator that only the purpose and the model's name decide."""
    return np.random.Generator(np.random.PCG64(_number(purpose, model)))


def seed(purpose: str, model: str) -> int:
    """Return a 32-bit seed for scikit-learn that only the purpose and the model's name decide."""
    return _number(purpose, model) % (1 << 32)


def _number(purpose: str, model: str) -> int:
    key = hashlib.blake2b(purpose.encode(), digest_size=32).digest()
    return int.from_bytes(hashlib.blake2b(model.encode(), digest_size=16, key=key).digest(), "little")


def _draw(model: str, client: str) -> bytes:
    return hashlib.blake2b(client.encode(), digest_size=16, key=hashlib.blake2b(model.encode()).digest()).digest()
