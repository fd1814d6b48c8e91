"""Proposals: blocks of the detector that wait for a person's word. A proposal is called by its verdict's id."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert

from consumers.store import alerts, heads, people
from consumers.store.facts import Channels, Missing
from consumers.store.heads import Draft
from consumers.store.people import Said, audit
from consumers.store.restraint import Cause
from consumers.store.schema import decision_heads, proposals
from detector.decision import ANY_MODEL, Action, Decision, Key, Origin, Scope

APPROVED, DECLINED = "approved", "declined"
_PUT = insert(proposals).on_conflict_do_nothing()


class Over(RuntimeError):  # noqa: N818  # named for what it says to the person
    """A proposal on which nobody can decide any more; the message says why."""

    for_people = True  # the command line prints the message as it is


@dataclass(frozen=True, slots=True)
class Proposal:
    """One row of `proposals`."""

    verdict: UUID
    client: str
    model: str
    episode: UUID
    cause: str
    reason: str
    until: datetime
    serial: int
    made: datetime
    outcome: str | None
    settled: datetime | None
    who: str | None
    why: str | None

    @property
    def key(self) -> Key:
        """What the block would be about."""
        return Key(Scope.CLIENT, self.client, self.model)


def put(connection: Connection, kept_back: Sequence[tuple[Draft, Cause, int]]) -> None:
    """Propose blocks: each with why it waits, and the serial of what is decided meanwhile."""
    rows = [
        {
            "verdict": draft.verdict,
            "client": draft.key.value,
            "model": draft.key.model,
            "episode": draft.episode,
            "cause": cause.value,
            "reason": draft.reason,
            "until": draft.until,
            "serial": serial,
        }
        for draft, cause, serial in kept_back
    ]
    if rows:
        connection.execute(_PUT, rows)


def waiting(engine: Engine, model: str | None = None, client: str | None = None, limit: int = 1_000) -> list[Proposal]:
    """Return the proposals that can be decided on, the oldest first: nothing newer was decided on their clients."""
    row, head = proposals.c, decision_heads.c
    same = (head.value == row.client) & (head.model == row.model) & (head.scope == Scope.CLIENT.value)
    newest = decision_heads, same & (head.serial == row.serial)
    query = select(proposals).join(*newest).where(row.outcome.is_(None), row.until > func.now())
    query = query if model is None else query.where(row.model == model)
    query = query if client is None else query.where(row.client == client)
    with engine.connect() as connection:
        found = connection.execute(query.order_by(row.made, row.verdict).limit(limit))
        return [Proposal(**line._mapping) for line in found]  # noqa: SLF001  # documented


def get(engine: Engine, verdict: UUID) -> Proposal:
    """Return one proposal, whatever became of it. Raises Missing."""
    with engine.connect() as connection:
        found = connection.execute(select(proposals).where(proposals.c.verdict == verdict)).one_or_none()
    if found is None:
        raise Missing(f"proposal {verdict}: there is none")
    return Proposal(**found._mapping)  # noqa: SLF001  # documented


def approve(engine: Engine, verdict: UUID, said: Said, channels: Channels) -> Decision:
    """Block as proposed: from now on it is a person's decision, until the time that the detector meant.

    Raises Missing, Over when it was decided on, ended, or something newer was decided on the client, and Exempt.
    """
    about = get(engine, verdict).key
    with engine.begin() as connection:
        now = alerts.clock(connection)
        locked = heads.lock(connection, [about, Key(about.scope, about.value, ANY_MODEL)], [about])
        proposal = _settle(connection, verdict, APPROVED, said)
        if locked[about].serial != proposal.serial:
            raise Over(f"proposal {verdict}: something newer was decided on {proposal.client}; see `gamekeeper show`")
        people.respect_allowlist(connection, about, now)
        draft = Draft(
            key=about,
            action=Action.BLOCK,
            until=proposal.until,
            origin=Origin.PERSON,
            reason=proposal.reason,
            verdict=proposal.verdict,
            episode=proposal.episode,
            who=said.who,
        )
        [made] = heads.write(connection, [heads.take(locked, draft)], channels.decisions)
        audit(connection, "approve", about, said, {"proposal": str(verdict), "decision": made.id})
        return made


def decline(engine: Engine, verdict: UUID, said: Said) -> Proposal:
    """Say no: nobody is blocked, and what holds meanwhile ends by itself. Raises Missing and Over."""
    about = get(engine, verdict).key
    with engine.begin() as connection:
        proposal = _settle(connection, verdict, DECLINED, said)
        audit(connection, "decline", about, said, {"proposal": str(verdict)})
        return proposal


def _settle(connection: Connection, verdict: UUID, outcome: str, said: Said) -> Proposal:
    row = proposals.c
    values = {"outcome": outcome, "settled": func.now(), "who": said.who, "why": said.why}
    can = row.verdict == verdict, row.outcome.is_(None), row.until > func.now()
    found = connection.execute(update(proposals).where(*can).values(values).returning(proposals)).one_or_none()
    if found is None:
        raise Over(f"proposal {verdict}: it was decided on, or its time is over")
    return Proposal(**found._mapping)  # noqa: SLF001  # documented
