"""Policy versions, kept whole and never changed, and which of them is wanted: the one that was asked for last."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from consumers.store.facts import Missing
from consumers.store.people import Said, audit
from consumers.store.schema import offsets, policies, policy_changes
from detector.policy import BadPolicy, Policy, canonical, restore

START = "detect"  # who wants the policy that `detect` was started with

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' policy', 0))")


@dataclass(frozen=True, slots=True)
class Change:
    """One row of `policy_changes`."""

    id: int
    at: datetime
    policy: str  # version
    who: str
    why: str


def put(engine: Engine, policy: Policy) -> str:
    """Keep the policy and return its version."""
    with engine.begin() as connection:
        return _put(connection, policy)


def introduce(engine: Engine, policy: Policy) -> None:
    """Want the policy that `detect` was started with, unless it was the last that a start asked for.

    So what people apply later holds over restarts, until somebody changes the file that `detect` starts with.
    """
    row = policy_changes.c
    last = select(row.policy).where(row.who == START).order_by(row.id.desc()).limit(1)
    with engine.begin() as connection:
        connection.execute(_LOCK)
        version = _put(connection, policy)
        if connection.execute(last).scalar_one_or_none() != version:
            _want(connection, version, Said(START, "what it was started with"))


def apply(engine: Engine, policy: Policy, said: Said) -> Change:
    """Want another policy in every partition, from its next checkpoint on.

    Raises BadPolicy when its windows are of another length: the evidence at hand could not be carried over.
    """
    with engine.begin() as connection:
        connection.execute(_LOCK)
        return _turn(connection, _put(connection, policy), said, "policy-apply")


def rollback(engine: Engine, said: Said, version: str | None = None) -> Change:
    """Want an earlier policy: the one before the present, or the one named. Raises Missing, or BadPolicy as above."""
    with engine.begin() as connection:
        connection.execute(_LOCK)
        chosen = _before(connection) if version is None else version
        if chosen is None:
            raise Missing("there is no policy before the present one")
        _read(connection, chosen)
        return _turn(connection, chosen, said, "policy-rollback")


def get(engine: Engine, version: str) -> Policy:
    """Return one version. Raises Missing, or BadPolicy when a newer Gamekeeper wrote it."""
    with engine.connect() as connection:
        return _read(connection, version)


def wanted(engine: Engine) -> str | None:
    """Return the version that is wanted; None: nobody wanted one yet."""
    found = history(engine, 1)
    return found[0].policy if found else None


def history(engine: Engine, limit: int = 20) -> list[Change]:
    """Return which policies were wanted, the newest first."""
    with engine.connect() as connection:
        return _newest(connection, limit)


def in_force(engine: Engine) -> dict[str, str]:
    """Return the version of each partition's latest checkpoint, by topic/partition."""
    row = offsets.c
    query = select(row.topic, row.partition, row.policy).where(row.policy.is_not(None)).order_by(row.claimed)
    with engine.connect() as connection:
        return {f"{line.topic}/{line.partition}": line.policy for line in connection.execute(query)}


def _put(connection: Connection, policy: Policy) -> str:
    row = {"version": policy.version, "content": canonical(policy)}
    connection.execute(upsert(policies).values(row).on_conflict_do_nothing())
    return policy.version


def _read(connection: Connection, version: str) -> Policy:
    found = connection.execute(select(policies.c.content).where(policies.c.version == version)).scalar_one_or_none()
    if found is None:
        raise Missing(f"policy {version!r}: not in the database")
    return restore(found)


def _turn(connection: Connection, version: str, said: Said, what: str) -> Change:
    present = next(iter(_newest(connection, 1)), None)
    if present is not None:
        before, after = _read(connection, present.policy).window, _read(connection, version).window
        if before != after:
            raise BadPolicy(f"policy: window is {before} here and cannot become {after}: the ceilings were learnt so")
    changed = _want(connection, version, said)
    audit(connection, what, "policy", said, {"version": version, "before": present and present.policy})
    return changed


def _want(connection: Connection, version: str, said: Said) -> Change:
    row = {"policy": version, "who": said.who, "why": said.why}
    made = connection.execute(insert(policy_changes).values(row).returning(policy_changes)).one()
    return Change(**made._mapping)  # noqa: SLF001  # documented


def _newest(connection: Connection, limit: int) -> list[Change]:
    found = connection.execute(select(policy_changes).order_by(policy_changes.c.id.desc()).limit(limit))
    return [Change(**line._mapping) for line in found]  # noqa: SLF001  # documented


def _before(connection: Connection) -> str | None:
    """Return the version wanted before the present one."""
    row = policy_changes.c
    present = select(row.policy).order_by(row.id.desc()).limit(1).scalar_subquery()
    earlier = select(row.policy).where(row.policy != present).order_by(row.id.desc()).limit(1)
    found: str | None = connection.execute(earlier).scalar_one_or_none()
    return found
