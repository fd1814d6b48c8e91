"""API keys: shown once, stored hashed. Clients' keys reach every gateway through the topic `keys`."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, Row, func, insert, or_, select, update

from consumers.store import owed
from consumers.store.facts import Missing, microseconds, moment
from consumers.store.people import Said, audit
from consumers.store.schema import api_keys
from detector.records import ApiKey, format_time

BITS = 256  # random: nobody guesses it, so a plain fast hash is enough
PREFIX = 8  # characters shown in lists, of which five are random
CLIENT = "client"
BOUNCER = "bouncer"


@dataclass(frozen=True, slots=True)
class New:
    """A key that was just made: the only time that it is seen."""

    secret: str
    prefix: str
    hash: str


@dataclass(frozen=True, slots=True)
class KeyLine:
    """What is known of a key."""

    hash: str
    prefix: str
    kind: str  # "client" or "bouncer"
    client: str
    tenant: str | None
    roles: tuple[str, ...]
    expires: datetime | None
    revoked: datetime | None
    added: datetime
    who: str


def add_client_key(engine: Engine, client: str, tenant: str | None, expires: int | None, said: Said) -> New:
    """Make a key with which `client` may ask gateways until `expires` (µs; None: until revoked)."""
    with engine.begin() as connection:
        new = _add(connection, (CLIENT, client, tenant, expires), ("predict",), said)
        _publish(connection, new.hash, "made")
        return new


def add_bouncer_key(engine: Engine, name: str, said: Said) -> New:
    """Make a key with which the bouncer `name` may ask the decision API."""
    with engine.begin() as connection:
        return _add(connection, (BOUNCER, name, None, None), ("decisions",), said)


def list_keys(engine: Engine) -> list[KeyLine]:
    """Return every key, oldest first."""
    with engine.connect() as connection:
        return [_line(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.added))]


def revoke_key(engine: Engine, name: str, said: Said) -> KeyLine:
    """Revoke the key with the prefix or hash `name`; gateways hear of it at once.

    Raises Missing when there is none, or when a prefix means more than one.
    """
    with engine.begin() as connection:
        wanted = or_(api_keys.c.hash == name, api_keys.c.prefix == name)
        found = connection.execute(select(api_keys.c.hash).where(wanted, api_keys.c.revoked.is_(None))).all()
        if len(found) != 1:
            raise Missing(f"key {name!r}: {len(found)} keys in use have this prefix or hash; name one by its hash")
        one = api_keys.c.hash == found[0].hash
        row = connection.execute(update(api_keys).where(one).values(revoked=func.now()).returning(api_keys)).one()
        if row.kind == CLIENT:
            _publish(connection, row.hash, "revoked")
        audit(connection, "key-revoke", f"key {row.prefix} of {row.client}", said, {"hash": row.hash})
        return _line(row)


def bouncer(engine: Engine, secret: str) -> str | None:
    """Return whose bouncer key `secret` is, or None."""
    row = api_keys.c
    with engine.connect() as connection:
        found = connection.execute(
            select(row.client)
            .where(row.hash == digest(secret), row.kind == BOUNCER, row.revoked.is_(None))
            .where(or_(row.expires.is_(None), row.expires > func.now()))
        ).first()
        return None if found is None else str(found.client)


def digest(secret: str) -> str:
    """Return what is stored of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _add(
    connection: Connection, owner: tuple[str, str, str | None, int | None], roles: tuple[str, ...], said: Said
) -> New:
    kind, client, tenant, expires = owner
    secret = "gk_" + secrets.token_urlsafe(BITS // 8)
    new = New(secret, secret[:PREFIX], digest(secret))
    row = {
        "hash": new.hash,
        "prefix": new.prefix,
        "kind": kind,
        "client": client,
        "tenant": tenant,
        "roles": list(roles),
        "expires": None if expires is None else moment(expires),
        "who": said.who,
    }
    connection.execute(insert(api_keys).values(row))
    audit(connection, "key-add", f"key {new.prefix} of {client}", said, {"hash": new.hash, "kind": kind})
    return new


def _publish(connection: Connection, name: str, what: str) -> None:
    row = connection.execute(select(api_keys).where(api_keys.c.hash == name)).one()
    wire = ApiKey(
        hash=row.hash,
        client=row.client,
        tenant=row.tenant,
        roles=tuple(row.roles),
        expires=None if row.expires is None else format_time(microseconds(row.expires)),
        revoked=row.revoked is not None,
    )
    owed.put(connection, [owed.api_key(wire, f"key:{row.hash}:{what}")])


def _line(row: Row[tuple[object, ...]]) -> KeyLine:
    fields = dict(row._mapping)  # noqa: SLF001  # documented
    fields["roles"] = tuple(fields["roles"])
    return KeyLine(**fields)
