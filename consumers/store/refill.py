"""Everything in force, owed again to a channel whose other side has forgotten it."""

from sqlalchemy import Connection, Engine, text

from consumers.store import owed
from consumers.store.points import PAGE, decision
from detector.decision import Key

# Heads are locked as writers lock them, in their order: what is decided meanwhile is owed after this, not before.
_NEXT = text("""
    SELECT d.id, d.serial, d.scope, d.value, d.model, d.action, d.until, d.origin, d.reason, d.verdict, d.shadow
    FROM decision_heads AS head JOIN decisions AS d ON d.id = head.decision
    WHERE head.until > now()
      AND (head.scope COLLATE "C", head.value COLLATE "C", head.model COLLATE "C") > (:scope, :value, :model)
    ORDER BY head.scope COLLATE "C", head.value COLLATE "C", head.model COLLATE "C"
    LIMIT :limit
    FOR SHARE OF head
""")


def all_in_force(engine: Engine, channel: str) -> None:
    """Owe every decision in force to the channel, shadow ones and allowances too, as it is now."""
    after: Key | None = None
    while True:
        with engine.begin() as connection:
            after = _some(connection, channel, after)
        if after is None:
            return


def _some(connection: Connection, channel: str, after: Key | None) -> Key | None:
    """Owe a page; return the last key of it, None where there was no full one."""
    names = ("", "", "") if after is None else (after.scope.value, after.value, after.model)
    bound = dict(zip(("scope", "value", "model"), names, strict=True)) | {"limit": PAGE}
    found = [decision(row) for row in connection.execute(_NEXT, bound)]
    owed.put(connection, owed.again(found, channel))
    return found[-1].key if len(found) == PAGE else None
