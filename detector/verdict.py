"""Verdicts and what travels beside them: facts that leave the detector, and what people say to it."""

import uuid
from dataclasses import dataclass

from detector.decision import Action
from detector.evidence import Reading
from detector.standing import Cause, Standing

_NAMESPACE = uuid.UUID("6f0f6a52-7d1c-5c0e-9a3b-0c9a5b1d2e47")  # of verdict ids; never changes


@dataclass(frozen=True, slots=True)
class Verdict:
    """The fact that a client's standing with a model changed. Times are µs since 1970 UTC."""

    client: str
    tenant: str | None
    model: str
    queries: int  # readable queries of this client and model so far, scored or not
    time: int  # event time of the deciding query
    standing: Standing
    previous: Standing
    serial: int  # 1, 2, … for each client and model
    episode: int  # 1, 2, … for each client and model
    cause: Cause
    action: Action
    seconds: int  # how long the standing holds
    shadow: bool
    score: float  # 0..1
    leakage: float | None  # 0..1; None: not enough known
    evidence: tuple[Reading, ...]
    population: str  # version
    policy: str  # version
    place: int  # where the deciding query was read
    row: int
    reason: str  # one sentence for people

    @property
    def id(self) -> uuid.UUID:
        """The same for the same verdict, however often it is reached."""
        return uuid.uuid5(_NAMESPACE, f"{self.client}\0{self.model}\0{self.serial}\0{self.time}")

    @property
    def presses(self) -> bool:
        """Tell whether the client is to be treated otherwise from now on, so that a gateway waits for it."""
        return self.action is not Action.ALLOW or self.standing.rank < self.previous.rank


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A client's memory with a model: the head in the open, the signals' sections in `data`."""

    client: str
    tenant: str | None
    model: str
    standing: Standing
    serial: int
    episode: int
    queries: int
    expires: int | None  # µs, event time at which the standing ends; None: it does not
    score: float
    leakage: float | None
    last: int  # µs, event time of the latest query
    population: str
    policy: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person said of a client, heard at a recorded point of its stream."""

    client: str
    model: str  # a name, or "*" for all
    what: str  # "lift", "false-positive", "true-positive" or "authorised-test"
    at: int  # µs
