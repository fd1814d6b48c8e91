"""What a report asks beyond `reads.show`: labels with their reasons."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select

from consumers.store import reads, schema
from consumers.store.reads import Shown


@dataclass(frozen=True, slots=True)
class Case:
    """Everything about a client that a report tells."""

    shown: Shown
    feedback: list[Any]  # rows of `feedback`, newest first


def case(engine: Engine, client: str, limit: int = 50) -> Case:
    """Return what there is to tell of a client: of each list the newest `limit`. Raises Missing for one never seen."""
    shown, said = reads.show(engine, client, limit), schema.feedback
    with engine.connect() as connection:
        told = select(said).where(said.c.client == client).order_by(said.c.id.desc()).limit(limit)
        return Case(shown, list(connection.execute(told)))
