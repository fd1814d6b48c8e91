"""What people said of clients, heard at recorded points of the stream that is replayed."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from consumers.records import BadSource
from detector.decision import ANY_MODEL
from detector.query import Queries
from detector.times import parse_time
from detector.verdict import Feedback


class _Line(msgspec.Struct, frozen=True):
    client: str
    what: Literal["lift", "false-positive", "true-positive", "authorised-test"]
    at: str
    model: str = ANY_MODEL


_DECODER = msgspec.json.Decoder(_Line)


def read_feedback(path: Path) -> tuple[Feedback, ...]:
    """Return the feedback in a file of JSON lines {"client", "model", "what", "at"}. Raises BadSource."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise BadSource(f"{path}: {(error.strerror or str(error)).lower()}; give a file of JSON lines") from error
    return tuple(_feedback(path, number, line) for number, line in enumerate(lines, 1) if line.strip())


class Said:
    """Feedback that waits for its point: before the first query of its client and model at or after `at`.

    Feedback on all models is heard by each model at that model's own point, for a verdict may not depend on another
    model's records.
    """

    def __init__(self, feedback: Sequence[Feedback]) -> None:
        self._waiting: dict[str, list[Feedback]] = {}
        for one in sorted(feedback, key=lambda one: one.at):  # stable: equal times keep the file's order
            self._waiting.setdefault(one.client, []).append(one)
        self._heard: set[tuple[Feedback, str]] = set()
        self._models: dict[str, set[str]] = {}  # seen, of clients that feedback speaks of

    def before(self, queries: Queries) -> list[tuple[int, Feedback]]:
        """Return what is to be heard before which row of `queries`, in order of rows."""
        found: list[tuple[int, Feedback]] = []
        for number, client in enumerate(queries.clients if self._waiting else ()):
            waiting = [one for one in self._waiting.get(client, ()) if self._waits(one, queries.model)]
            if not waiting:
                continue
            self._models.setdefault(client, set()).add(queries.model)
            rows = np.flatnonzero(queries.client == number)
            for one in waiting:
                later = rows[queries.time[rows] >= one.at]
                if len(later):
                    self._heard.add((one, queries.model))
                    found.append((int(later[0]), replace(one, model=queries.model)))
        return sorted(found, key=lambda item: item[0])

    def rest(self) -> Iterator[Feedback]:
        """Yield what no query came after: heard once the records have ended, by the models that were seen."""
        for client in sorted(self._waiting):
            for one in self._waiting[client]:
                for model in sorted(self._models.get(client, ())):
                    if self._waits(one, model):
                        yield replace(one, model=model)

    def _waits(self, one: Feedback, model: str) -> bool:
        return one.model in {ANY_MODEL, model} and (one, model) not in self._heard


def _feedback(path: Path, number: int, line: bytes) -> Feedback:
    try:
        parsed = _DECODER.decode(line)
        return Feedback(parsed.client, parsed.model, parsed.what, parse_time(parsed.at))
    except ValueError as error:
        message = 'write {"client": …, "model": …, "what": "lift", "at": TIME}'
        raise BadSource(f"{path}: line {number}: {error}; {message}") from error
