"""A population learnt beforehand: from records of honest clients who are simulated in process."""

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import numpy as np

from consumers import learn as learning
from consumers.learn import LearnOptions
from detector.policy import Policy
from detector.records import Input, Output, Record, encode_record
from detector.times import format_time
from gamekeeper.demo import data, honest, victim
from gamekeeper.demo.clients import Conversation, Kind, Learnt, drive
from gamekeeper.demo.data import Parts, Pool

CLIENTS_A_KIND = 25
QUERIES_A_CLIENT = 160
_SEED = 11
_STEP = 1_000_000  # µs between two queries
_AGO = 600_000_000  # µs before now, when they begin: what is learnt is young, and nothing of it lies ahead


def learn(model_path: Path, out: Path, say: Callable[[str], None]) -> None:
    """Write to `out` what honest clients of the model look like. Raises what `gamekeeper learn` raises."""
    say("asking the model as honest clients do")
    with tempfile.TemporaryDirectory(prefix="gamekeeper-") as folder:
        source = Path(folder) / "honest.jsonl"
        with source.open("wb") as file:
            file.writelines(line + b"\n" for line in lines(model_path, time.time_ns() // 1000 - _AGO))
        say("learning what honest clients look like")
        unfinished = out.with_suffix(".unfinished")
        with contextlib.redirect_stdout(sys.stderr):  # what it prints is for the log: stdout is for `say`
            learning.learn([str(source)], unfinished, LearnOptions(policy=Policy(), shape=data.SHAPE))
        unfinished.replace(out)


def lines(model_path: Path, start: int) -> Iterator[bytes]:
    """Yield the records of honest clients who begin to ask at `start` (µs), one after the other, as JSON."""
    parts = data.load()
    own = replace(parts, honest=_both(parts.warm_up, parts.honest))
    ask = victim.ask(victim.load(model_path))
    number = 0
    for kind in honest.KINDS:
        for at in range(CLIENTS_A_KIND):
            rng = np.random.default_rng((_SEED, number))
            learnt = drive(_start(kind, own, rng), ask, QUERIES_A_CLIENT)
            yield from _records(f"{kind.name}-{at}", number, start, learnt)
            number += 1


def _start(kind: Kind, parts: Parts, rng: np.random.Generator) -> Conversation:
    return Conversation(kind.start(parts, rng))


def _both(first: Pool, second: Pool) -> Pool:
    return Pool(np.concatenate([first.images, second.images]), np.concatenate([first.digits, second.digits]))


def _records(client: str, number: int, start: int, learnt: Learnt) -> Iterator[bytes]:
    for at, (image, probabilities) in enumerate(zip(learnt.inputs, learnt.answers.probabilities, strict=True)):
        record = Record(
            id=UUID(int=(number << 32) + at).hex,
            time=format_time(start + at * _STEP),
            model=data.MODEL,
            client=client,
            input=Input(list(data.SHAPE), "float32", image.astype("<f4").tobytes()),
            output=Output(probabilities=[float(share) for share in probabilities.clip(0.0, 1.0)]),
        )
        yield encode_record(record)
