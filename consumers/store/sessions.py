"""Sessions of the console: kept here, so that every api knows them and none outlives the key it was begun with."""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import Connection, Engine, delete, func, insert, select

from consumers.store import keys
from consumers.store.keys import KeyLine
from consumers.store.schema import sessions

LASTS = timedelta(hours=8)  # a working day; then the key is asked for again
AT_ONCE = 10  # of one key; the oldest goes
BYTES = 32  # of the secret that the cookie holds


def begin(engine: Engine, key: KeyLine) -> str:
    """Begin a session for the holder of a key, and return its secret: what the cookie holds, and nothing else does."""
    secret = secrets.token_urlsafe(BYTES)
    with engine.begin() as connection:
        _make_room(connection, key.hash)
        row = {"hash": _hash(secret), "key": key.hash, "ends": func.now() + LASTS}
        connection.execute(insert(sessions).values(row))
    return secret


def holder(engine: Engine, secret: str) -> KeyLine | None:
    """Return the key that a session was begun with, or None: it is over, or the key was revoked or has expired."""
    row = sessions.c
    query = select(row.key).where(row.hash == _hash(secret), row.ends > func.now())
    with engine.connect() as connection:
        name = connection.execute(query).scalar_one_or_none()
    return None if name is None else keys.held(engine, name, keys.API)


def end(engine: Engine, secret: str) -> None:
    """End a session, if there is one."""
    with engine.begin() as connection:
        connection.execute(delete(sessions).where(sessions.c.hash == _hash(secret)))


def _make_room(connection: Connection, key: str) -> None:
    row = sessions.c
    newest = select(row.hash).where(row.key == key).order_by(row.started.desc()).limit(AT_ONCE - 1)
    connection.execute(delete(sessions).where((row.ends <= func.now()) | ((row.key == key) & row.hash.not_in(newest))))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
