"""The checkpoint: the one transaction in which a place moves forward, and how an owner finds what to go on with."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, Executable, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import Insert, insert

from consumers import told
from consumers.store import answers, marks
from consumers.store.claims import PLACE, claim, columns, hold
from consumers.store.copy import Row, merge, replaced
from consumers.store.facts import Checkpoint, Claim, Fenced, Place, microseconds
from consumers.store.schema import (
    evidence,
    feedback,
    gaps,
    in_force,
    offsets,
    policies_in_force,
    populations,
    snapshots,
    unreadable,
    verdicts,
)
from detector.standing import Standing
from detector.verdict import Snapshot, Verdict
from detector.wire import HEAD_BYTES, Unreadable

__all__ = ["claim", "load", "save"]

WHOLE_RECORD = -1  # `record_row` of an unreadable that is not a single row of a batch record


def save(engine: Engine, claimed: Claim, checkpoint: Checkpoint) -> None:
    """Write everything that becomes true together, or nothing.

    1. Become findable for a new owner. 2. Unreadable records. 3. Verdicts with their evidence; what is there already is
    left as it is, and nothing that hangs on it is written again. 4. What follows from new ones: standings, decisions,
    deliveries, episodes, alerts. 5. Snapshots. 6. Marked answers. 7. Feedback that was heard, populations and policies
    that came into force, a gap. 8. The offset, under the fence.

    Raises Fenced when another owner has claimed the place, or when partitions were added and another one has gone on
    with a client whose memory is still held here; on SQLAlchemyError it is not known whether it was saved,
    and the way on is to claim again.
    """
    place = claimed.place
    with engine.begin() as connection:
        hold(connection, place)
        _set_aside(connection, place, checkpoint.unreadable)
        fresh = _judge(connection, place, checkpoint.verdicts)
        if fresh:
            answers.follow(connection, fresh, checkpoint.policy, checkpoint.channels)
        _remember(connection, place, checkpoint.snapshots)
        marks.write(connection, checkpoint.marks)
        _note(connection, place, checkpoint)
        _fence(connection, claimed, checkpoint)


def load(engine: Engine, model: str, clients: Collection[str]) -> list[Snapshot]:
    """Return the snapshots of those of `clients` that have one with `model`."""
    if not clients:
        return []
    row = snapshots.c
    with engine.connect() as connection:
        found = connection.execute(select(snapshots).where(row.model == model, row.client.in_(sorted(clients))))
        return [_snapshot(line) for line in found]


def _set_aside(connection: Connection, place: Place, found: Sequence[Unreadable]) -> None:
    rows: list[Row] = [
        {
            **columns(place),
            "record_offset": one.place,
            "record_row": WHOLE_RECORD if one.row is None else one.row,
            "reason": one.reason.replace("\0", "\\0"),  # Postgres text holds every character but this one
            "head": one.head[:HEAD_BYTES],
        }
        for one in found
    ]
    merge(connection, unreadable, rows, Insert.on_conflict_do_nothing)


def _judge(connection: Connection, place: Place, reached: Sequence[Verdict]) -> list[Verdict]:
    """Append the verdicts and return those that were not there."""
    ordered = sorted(reached, key=lambda verdict: (verdict.client, verdict.model, verdict.serial))
    rows = [_verdict(place, verdict) for verdict in ordered]
    added = merge(connection, verdicts, rows, _unless_there)
    new = {tuple(row) for row in added}
    fresh = [verdict for verdict in ordered if (verdict.client, verdict.model, verdict.serial) in new]
    readings: list[Row] = [
        {
            "verdict": verdict.id,
            "at": verdict.time,
            "position": position,
            "signal": reading.signal,
            "kind": reading.kind,
            "value": reading.value,
            "because": reading.because,
            "examples": told.examples(reading),
        }
        for verdict in fresh
        for position, reading in enumerate(verdict.evidence)
    ]
    merge(connection, evidence, readings, Insert.on_conflict_do_nothing)
    return fresh


def _unless_there(new: Insert) -> Executable:
    return new.on_conflict_do_nothing().returning(verdicts.c.client, verdicts.c.model, verdicts.c.serial)


def _verdict(place: Place, verdict: Verdict) -> Row:
    return {
        "client": verdict.client,
        "model": verdict.model,
        "serial": verdict.serial,
        "at": verdict.time,
        "id": verdict.id,
        "tenant": verdict.tenant,
        "episode": verdict.episode,
        "standing": verdict.standing.value,
        "previous": verdict.previous.value,
        "cause": verdict.cause.value,
        "action": verdict.action.word,
        "seconds": verdict.seconds,
        "shadow": verdict.shadow,
        "score": verdict.score,
        "leakage": verdict.leakage,
        "queries": verdict.queries,
        "population": verdict.population,
        "policy": verdict.policy,
        "reason": verdict.reason,
        "topic": place.topic,
        "partition": place.partition,
        "record_offset": verdict.place,
        "record_row": verdict.row,
    }


def _remember(connection: Connection, place: Place, changed: Sequence[Snapshot]) -> None:
    rows: list[Row] = [
        {
            "client": one.client,
            "model": one.model,
            "tenant": one.tenant,
            "topic": place.topic,
            "partition": place.partition,
            "standing": one.standing.value,
            "serial": one.serial,
            "episode": one.episode,
            "queries": one.queries,
            "expires": one.expires,
            "score": one.score,
            "leakage": one.leakage,
            "last": one.last,
            "population": one.population,
            "policy": one.policy,
            "data": one.data,
        }
        for one in changed
    ]
    if len(merge(connection, snapshots, rows, _unless_newer)) != len(rows):
        raise Fenced(f"{place.topic}/{place.partition}: another partition has gone on with one of these clients")


def _unless_newer(insert: Insert) -> Executable:
    new, held = insert.excluded, snapshots.c
    not_older = (held.queries <= new.queries) & (held.serial <= new.serial)
    key = (held.client, held.model)
    return insert.on_conflict_do_update(index_elements=key, set_=replaced(insert), where=not_older).returning(*key)


def _snapshot(line: Any) -> Snapshot:
    return Snapshot(
        client=line.client,
        tenant=line.tenant,
        model=line.model,
        standing=Standing(line.standing),
        serial=line.serial,
        episode=line.episode,
        queries=line.queries,
        expires=None if line.expires is None else microseconds(line.expires),
        score=line.score,
        leakage=line.leakage,
        last=microseconds(line.last),
        population=line.population,
        policy=line.policy,
        data=bytes(line.data),
    )


def _note(connection: Connection, place: Place, checkpoint: Checkpoint) -> None:
    """Write what happened at `next`: feedback heard, populations adopted, another policy, a gap."""
    if checkpoint.heard:
        point = {"topic": place.topic, "partition": place.partition, "record_offset": checkpoint.next}
        chosen = feedback.c.id.in_(sorted(checkpoint.heard)) & feedback.c.heard.is_(None)
        connection.execute(update(feedback).where(chosen).values(heard=func.now(), **point))
    for version in checkpoint.adopted:
        model = select(populations.c.model).where(populations.c.version == version).scalar_subquery()
        row = {**columns(place), "model": model, "from_offset": checkpoint.next, "population": version}
        connection.execute(insert(in_force).values(row).on_conflict_do_nothing())
    if checkpoint.turned is not None:
        row = {**columns(place), "from_offset": checkpoint.next, "policy": checkpoint.turned.version}
        connection.execute(insert(policies_in_force).values(row).on_conflict_do_nothing())
    if checkpoint.gap is not None:
        first, again = checkpoint.gap
        row = {**columns(place), "first_lost": first, "read_again": again}
        connection.execute(insert(gaps).values(row).on_conflict_do_nothing())


def _fence(connection: Connection, claimed: Claim, checkpoint: Checkpoint) -> None:
    """Move the offset forward, if the place is still ours. The last statement of a checkpoint."""
    first, again = checkpoint.gap or (0, 0)
    bound = {
        **{f"of_{name}": value for name, value in columns(claimed.place).items()},
        "of_epoch": claimed.epoch,
        "to": checkpoint.next,
        "and_scored": checkpoint.scored,
        "and_counted": checkpoint.counted,
        "and_unreadable": len(checkpoint.unreadable),
        "and_lost": again - first,
        "under": (checkpoint.turned or checkpoint.policy).version,
    }
    moved = connection.execute(_moved(checkpoint.snapshotted), bound)
    if moved.rowcount != 1:
        place = f"{claimed.place.topic}/{claimed.place.partition}"
        raise Fenced(f"{place}: another owner has claimed this partition, or a client of it was forgotten")


@cache  # building it takes longer than running it
def _moved(snapshotted: bool) -> Executable:
    row = offsets.c
    added = {name: row[name] + bindparam(f"and_{name}") for name in ("scored", "counted", "unreadable")}
    values: dict[str, Any] = {
        "next": bindparam("to"),
        **added,
        "lost": row.lost + bindparam("and_lost"),
        "policy": bindparam("under"),
        "saved": func.now(),
    }
    if snapshotted:
        values |= {"snapshot_next": bindparam("to")}
        values |= {f"snapshot_{name}": total for name, total in added.items()}
    ours = (row[name] == bindparam(f"of_{name}") for name in (*PLACE, "epoch"))
    return update(offsets).where(*ours).values(values)
