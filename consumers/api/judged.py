"""What the detector found: verdicts with their evidence, clients, episodes."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from consumers.api.decisions import DecisionForm
from consumers.api.doors import Reader
from consumers.api.forms import Listed, Text, Window, found, listed
from consumers.api.house import Shared
from consumers.store import lists, reads
from detector.standing import Standing

router = APIRouter(prefix="/api/v1", tags=["judged"])


class ReadingForm(BaseModel):
    """A reading behind a verdict: what a signal says, and because; its strongest queries by number, time and id."""

    signal: str
    kind: str
    value: float | None
    because: str
    examples: list[Any]


class VerdictForm(BaseModel):
    """The fact that a standing changed."""

    id: UUID
    client: str
    model: str
    serial: int
    at: datetime
    queries: int
    standing: Standing
    previous: Standing
    cause: str
    action: str
    shadow: bool
    score: float
    leakage: float | None
    episode: int
    reason: str


class VerdictWithEvidence(VerdictForm):
    """A verdict, and what it rests on."""

    evidence: list[ReadingForm]


class ClientForm(BaseModel):
    """Where a client stands with a model."""

    client: str
    model: str
    tenant: str | None
    standing: Standing
    since: datetime | None
    score: float
    leakage: float | None
    action: str
    shadow: bool
    episode: int
    queries: int
    last: datetime
    reason: str | None


class CaseForm(BaseModel):
    """Everything about one client, newest first."""

    standings: list[ClientForm]
    verdicts: list[VerdictWithEvidence]
    decisions: list[DecisionForm]


class EpisodeForm(BaseModel):
    """A client's verdicts from leaving clear until returning to it."""

    id: UUID
    client: str
    model: str
    number: int
    tenant: str | None
    opened: datetime
    closed: datetime | None
    standing: Standing
    highest: Standing
    score: float
    leakage: float | None
    verdicts: int
    alerted: str | None


class Filter(Window):
    """Whose, with which model, and where they stand."""

    client: Text | None = None
    model: Text | None = None
    standing: Standing | None = None

    @property
    def equal(self) -> dict[str, Any]:
        """What the store compares."""
        return self.model_dump(exclude={"limit", "cursor"})


Asked = Annotated[Filter, Query()]


@router.get("/verdicts", response_model=Listed[VerdictForm])
def verdicts(house: Shared, _reader: Reader, asked: Asked) -> Any:
    """List verdicts, the newest (event time) first."""
    return listed(lists.read(house.engine, lists.VERDICTS, asked.equal, asked.wanted))


@router.get("/verdicts/{name}", response_model=VerdictWithEvidence)
def verdict(house: Shared, _reader: Reader, name: UUID) -> Any:
    """Return one verdict with its evidence."""
    return asdict(reads.verdict(house.engine, name))


@router.get("/clients", response_model=Listed[ClientForm])
def clients(house: Shared, _reader: Reader, asked: Asked) -> Any:
    """List clients by name, each with every model it has asked."""
    return listed(lists.read(house.engine, lists.CLIENTS, asked.equal, asked.wanted))


@router.get("/clients/{client:path}", response_model=CaseForm)
def case(house: Shared, _reader: Reader, client: Text) -> Any:
    """Return everything about one client: where it stands, the newest verdicts with their evidence, the decisions."""
    shown = reads.show(house.engine, client)
    return {
        "standings": [{**asdict(line), "last": line.at} for line in shown.lines],
        "verdicts": [asdict(one) for one in shown.verdicts],
        "decisions": [dict(row._mapping) for row in shown.decisions],  # noqa: SLF001  # documented
    }


@router.get("/episodes", response_model=Listed[EpisodeForm])
def episodes(house: Shared, _reader: Reader, asked: Asked) -> Any:
    """List episodes, those that opened last first."""
    return listed(lists.read(house.engine, lists.EPISODES, asked.equal, asked.wanted))


@router.get("/episodes/{name}", response_model=EpisodeForm)
def episode(house: Shared, _reader: Reader, name: UUID) -> Any:
    """Return one episode."""
    return found(lists.one(house.engine, lists.EPISODES, {"id": name}), "episode")
