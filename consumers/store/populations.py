"""Population versions: kept whole, never changed, chosen by a person."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select, update
from sqlalchemy.dialects.postgresql import insert

from consumers.store.facts import Missing, moment
from consumers.store.people import Said, audit
from consumers.store.schema import populations
from detector.population import dump, load


@dataclass(frozen=True, slots=True)
class PopulationLine:
    """A population as it is listed: without what it holds."""

    model: str
    version: str
    clients: int
    queries: int
    cold: bool
    since: datetime
    until: datetime
    wanted: bool
    added: datetime
    who: str


def put(engine: Engine, data: bytes, who: str) -> list[str]:
    """Keep every population of a `.gk` file, one row a model, and return their versions. Raises BadPopulation."""
    held = list(load(data).values())
    rows = [
        {
            "version": one.version,
            "model": one.model,
            "clients": one.clients,
            "known": one.known,
            "queries": one.queries,
            "cold": one.cold,
            "since": moment(one.since),
            "until": moment(one.until),
            "data": dump([one]),
            "who": who,
        }
        for one in held
    ]
    with engine.begin() as connection:
        connection.execute(insert(populations).on_conflict_do_nothing(), rows)
    return [one.version for one in held]


def use(engine: Engine, model: str, version: str, who: str) -> None:
    """Ask every partition to judge `model` under `version` from its next checkpoint on.

    Raises Missing when that version of that model was never put here.
    """
    row = populations.c
    with engine.begin() as connection:
        connection.execute(update(populations).where(row.model == model, row.wanted).values(wanted=False))
        chosen = update(populations).where(row.model == model, row.version == version).values(wanted=True)
        if connection.execute(chosen).rowcount == 0:
            raise Missing(f"population {version!r} of model {model!r}: not in the database")
        audit(connection, "population-use", f"model {model}", Said(who, ""), {"version": version})


def wanted(engine: Engine) -> dict[str, str]:
    """Return the version that is asked for, by model."""
    row = populations.c
    with engine.connect() as connection:
        return {
            line.model: line.version for line in connection.execute(select(row.model, row.version).where(row.wanted))
        }


def listed(engine: Engine) -> list[PopulationLine]:
    """Return what was ever put here, by model, the newest first."""
    row = populations.c
    query = select(*(row[name] for name in PopulationLine.__slots__)).order_by(row.model, row.added.desc())
    with engine.connect() as connection:
        return [PopulationLine(**line._mapping) for line in connection.execute(query)]  # noqa: SLF001  # documented


def get(engine: Engine, version: str) -> bytes:
    """Return the `.gk` file of one population. Raises Missing."""
    row = populations.c
    with engine.connect() as connection:
        found = connection.execute(select(row.data).where(row.version == version)).first()
    if found is None:
        raise Missing(f"population {version!r}: not in the database")
    return bytes(found.data)
