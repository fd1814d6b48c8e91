"""Marked answers in Postgres: the newest of each client and model, read by who verifies, gone when asked."""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import Insert

from consumers.store.among import among, named
from consumers.store.copy import Row, merge
from consumers.store.facts import Mark, microseconds
from consumers.store.people import Said, audit
from consumers.store.schema import marks

KEPT_MAX = 2_000  # of one client and model, the newest; some forty times what names a thief


def write(connection: Connection, kept: Sequence[Mark]) -> None:
    """Add marks, each once, and let go of the oldest of those clients beyond KEPT_MAX."""
    rows: list[Row] = [
        {name: getattr(one, name) for name in Mark.__struct_fields__}
        for one in sorted(kept, key=lambda mark: (mark.client, mark.model, mark.record))
    ]
    merge(connection, marks, rows, Insert.on_conflict_do_nothing)
    if rows:
        _prune(connection, {(one.client, one.model) for one in kept})


def of_client(engine: Engine, client: str, model: str | None) -> list[Mark]:
    """Return a client's marks, the newest first, inputs still encrypted; of all models where `model` is None."""
    chosen = marks.c.client == client if model is None else (marks.c.client == client) & (marks.c.model == model)
    with engine.connect() as connection:
        rows = connection.execute(select(marks).where(chosen).order_by(marks.c.at.desc(), marks.c.record))
        return [Mark(**{**row, "at": microseconds(row["at"])}) for row in rows.mappings()]


def forget(engine: Engine, client: str, said: Said) -> int:
    """Erase a client's marks of all models. Returns how many there were."""
    with engine.begin() as connection:
        gone = connection.execute(delete(marks).where(marks.c.client == client)).rowcount
        audit(connection, "forget-marks", f"client_id {client} *", said, {"marks": gone})
        return gone


def _prune(connection: Connection, owners: set[tuple[str, str]]) -> None:
    row = marks.c
    newest_first = func.row_number().over(partition_by=(row.client, row.model), order_by=(row.at.desc(), row.record))
    ranked = (
        select(row.client, row.model, row.record, newest_first.label("rank"))
        .where(among(row.client, row.model))
        .subquery()
    )
    beyond = select(ranked.c.client, ranked.c.model, ranked.c.record).where(ranked.c.rank > KEPT_MAX)
    gone = delete(marks).where(tuple_(row.client, row.model, row.record).in_(beyond))
    connection.execute(gone, named(sorted(owners)))
