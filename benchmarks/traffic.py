"""Traffic of a small linear model, as a gateway logs it: ordinary clients, and thieves who bisect between classes."""

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from detector import wire
from detector.learning import learn
from detector.population import Population
from detector.records import Input, Output, Record, encode_record
from detector.times import format_time

MODEL = "plane"
SHAPE = (8, 8)
SIZE = 64
CLASSES = 4
START = 1_795_000_000_000_000  # µs, in 2026: the first query
STEP = 250_000  # µs between a client's queries
KNOWN, QUERIES = 110, 56  # ordinary clients, enough that a population is not cold, and queries of each

Floats = npt.NDArray[np.float32]

_PLANES = np.random.default_rng(1).normal(size=(SIZE, CLASSES)).astype(np.float32)
_CENTRES = np.random.default_rng(2).uniform(0.2, 0.8, size=(12, SIZE)).astype(np.float32)


def answer(inputs: Floats) -> Floats:
    """Return the model's probabilities."""
    logits = (inputs - 0.5) @ _PLANES * 2
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def ordinary(client: str, queries: int) -> Floats:
    """Return what an ordinary client asks: noisy views of a few things of its own liking."""
    chance = _chance(client)
    liking = chance.dirichlet(np.ones(len(_CENTRES)))
    chosen = chance.choice(len(_CENTRES), size=queries, p=liking)
    return np.clip(_CENTRES[chosen] + chance.normal(0, 0.15, (queries, SIZE)), 0, 1).astype(np.float32)


def bisecting(client: str, queries: int) -> Floats:
    """Return what a thief asks who walks along lines to the edge between two classes."""
    chance = _chance(client)
    asked: list[Floats] = []
    while len(asked) < queries:
        low, high = (np.clip(_CENTRES[k] + chance.normal(0, 0.1, SIZE), 0, 1).astype(np.float32)
                     for k in chance.choice(len(_CENTRES), 2, replace=False))  # fmt: skip
        if answer(low[None]).argmax() == answer(high[None]).argmax():
            continue
        asked += [low, high]
        for _ in range(12):
            middle = ((low + high) / 2).astype(np.float32)
            asked.append(middle)
            same = answer(middle[None]).argmax() == answer(low[None]).argmax()
            low, high = (middle, high) if same else (low, middle)
    return np.stack(asked[:queries])


def records(client: str, inputs: Floats) -> Iterator[bytes]:
    """Return the records that a gateway writes for one client's queries."""
    for number, (one, probabilities) in enumerate(zip(inputs, answer(inputs), strict=True)):
        yield encode_record(
            Record(
                id=hashlib.blake2b(f"{client} {number}".encode(), digest_size=16).hexdigest(),
                time=format_time(START + number * STEP),
                model=MODEL,
                client=client,
                input=Input(shape=list(SHAPE), dtype="float32", data=one.tobytes()),
                output=Output(probabilities=probabilities.tolist()),
            )
        )


def population() -> Population:
    """Learn what the model's ordinary clients look like together."""
    names = [f"known-{number}" for number in range(KNOWN)]
    written = [record for name in names for record in records(name, ordinary(name, QUERIES))]
    raw = [wire.RawRecord(record, None, None, place) for place, record in enumerate(written)]
    return learn(wire.decode(raw, {MODEL: SHAPE}).queries, SHAPE)


def _chance(client: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(client.encode()).digest()[:8], "little"))
