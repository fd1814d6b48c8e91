"""Roles: what API keys and tokens may do at gateways, which learn of each change through the topic `keys`."""

from sqlalchemy import Connection, Engine, Row, delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from consumers.store import owed
from consumers.store.facts import Missing
from consumers.store.people import Said, audit
from consumers.store.schema import roles
from detector.records import Role


def put_role(engine: Engine, role: Role, said: Said) -> None:
    """Make a role, or put another in its place; gateways hear of it at once."""
    fields = {
        "models": list(role.models),
        "operations": list(role.operations),
        "day": role.day,
        "month": role.month,
        "who": said.who,
    }
    with engine.begin() as connection:
        row = upsert(roles).values(name=role.role, **fields)
        connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={**fields, "changed": func.now()}))
        _publish(connection, role.role, role, said)


def remove_role(engine: Engine, name: str, said: Said) -> None:
    """Remove a role: who has only this one may do nothing, or what the built-in one of this name permits.

    Raises Missing when there is none.
    """
    with engine.begin() as connection:
        if connection.execute(delete(roles).where(roles.c.name == name)).rowcount == 0:
            raise Missing(f"role {name!r}: there is none of this name; see `gamekeeper keys roles`")
        _publish(connection, name, None, said)


def list_roles(engine: Engine) -> list[Role]:
    """Return every role that people made, by name."""
    with engine.connect() as connection:
        return [_role(row) for row in connection.execute(select(roles).order_by(roles.c.name))]


def _publish(connection: Connection, name: str, role: Role | None, said: Said) -> None:
    """Tell gateways and the audit log, in the transaction of the change."""
    owed.put(connection, [owed.role(name, role)])
    limits = {} if role is None else {"models": role.models, "operations": role.operations}
    quotas = {} if role is None else {"day": role.day, "month": role.month}
    audit(connection, "role-remove" if role is None else "role-put", f"role {name}", said, {**limits, **quotas})


def _role(row: Row[tuple[object, ...]]) -> Role:
    known = row._mapping  # noqa: SLF001  # documented
    return Role(
        role=known["name"],
        models=tuple(known["models"]),
        operations=tuple(known["operations"]),
        day=known["day"],
        month=known["month"],
    )
