"""A real theft of a real model, as the store tells it: verdicts, memory, population, and the log's records."""

import functools
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from consumers.store import policies, populations
from detector import names
from detector.detector import Detector
from detector.policy import Policy
from detector.population import Population, dump
from detector.query import Queries
from detector.records import Input, Output, Record, encode_record
from detector.times import format_time
from detector.verdict import Snapshot, Verdict
from tests.detector import build
from tests.store.given import saved

POLICY = Policy(alpha=0.002)  # not the built-in one: a report must find it by its version
ASKED = 208


@functools.cache
def population() -> Population:
    """Return what the thief was judged against."""
    return build.population()


@functools.cache
def queries() -> Queries:
    """Return what the thief asked, and the answers."""
    return build.life(build.THIEVES[0], 0, ASKED)


@functools.cache
def judged() -> tuple[tuple[Verdict, ...], Snapshot]:
    """Return the verdicts and the memory that the thief's queries lead to."""
    detector = Detector(POLICY, {build.MODEL: population()})
    verdicts = detector.assess(queries())
    [memory] = detector.changed()
    return tuple(verdicts), memory


def kept(engine: Engine) -> str:
    """Put all of it into the database and return the thief's name."""
    verdicts, memory = judged()
    populations.put(engine, dump([population()]), "test")
    policies.put(engine, POLICY)
    saved(engine, *verdicts, snapshots=[memory])
    return memory.client


def record(row: int) -> bytes:
    """Return the record of one of the thief's queries, as a gateway logs it."""
    asked = queries()
    given = np.asarray(asked.input)[row]
    time = int(asked.time[row])
    return encode_record(
        Record(
            id=names.id_text(asked.id[row].astype("<u8").tobytes(), time),
            time=format_time(time),
            model=asked.model,
            client=asked.clients[0],
            input=Input([8, 8], "float32", given.astype("<f4").tobytes()),
            output=Output(label=int(asked.label[row])),
        )
    )


def log(path: Path) -> Path:
    """Write the log of predictions and return where it is."""
    path.write_bytes(b"\n".join(record(row) for row in range(ASKED)))
    return path
