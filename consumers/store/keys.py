"""API keys: shown once, stored hashed. Clients' keys reach every gateway through the topic `keys`."""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Row, func, insert, or_, select, update

from consumers.store import owed
from consumers.store.facts import Missing, microseconds, moment
from consumers.store.people import Said, audit
from consumers.store.schema import api_keys
from detector.records import ApiKey, hashed
from detector.times import format_time

BITS = 256  # random: nobody guesses it, so a plain fast hash is enough
PREFIX = 8  # characters shown in lists and logs, of which five are random
CLIENT = "client"
BOUNCER = "bouncer"
API = "api"
API_ROLES = ("read", "respond", "admin")  # each may do what those before it may


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose key it is, and what it is good for."""

    client: str  # the client, bouncer, person or tool
    tenant: str | None = None
    roles: tuple[str, ...] = ("predict",)
    expires: int | None = None  # µs; None: until revoked


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
    kind: str  # "client", "bouncer" or "api"
    client: str
    tenant: str | None
    roles: tuple[str, ...]
    expires: datetime | None
    revoked: datetime | None
    added: datetime
    who: str


def add_client_key(engine: Engine, holder: Holder, said: Said, pepper: bytes = b"") -> New:
    """Make a key with which a client may ask gateways, those that have the same pepper."""
    with engine.begin() as connection:
        new = _add(connection, CLIENT, holder, said, pepper)
        _publish(connection, new.hash, "made")
        return new


def add_bouncer_key(engine: Engine, name: str, said: Said, pepper: bytes = b"") -> New:
    """Make a key with which the bouncer `name` may ask the decision API."""
    with engine.begin() as connection:
        return _add(connection, BOUNCER, Holder(name, roles=("decisions",)), said, pepper)


def list_keys(engine: Engine) -> list[KeyLine]:
    """Return every key, oldest first."""
    with engine.connect() as connection:
        return [_line(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.added))]


def revoke_key(engine: Engine, name: str, said: Said) -> KeyLine:
    """Revoke the key with the prefix or hash `name`; gateways hear of it at once.

    Raises Missing when there is none, or when a prefix means more than one.
    """
    with engine.begin() as connection:
        row = _change(connection, _in_use(connection, name), {"revoked": func.now()})
        if row.kind == CLIENT:
            _publish(connection, row.hash, "revoked")
        audit(connection, "key-revoke", f"key {row.prefix} of {row.client}", said, {"hash": row.hash})
        return _line(row)


def rotate_key(engine: Engine, name: str, overlap: timedelta, said: Said, pepper: bytes = b"") -> New:
    """Make a key in the place of that with the prefix or hash `name`, which expires after `overlap` at the latest.

    The new one has the same client, tenant and roles, and no end. Raises Missing as revoke_key does.
    """
    with engine.begin() as connection:
        ends = func.least(api_keys.c.expires, func.now() + overlap)  # LEAST leaves nulls out
        old = _change(connection, _in_use(connection, name), {"expires": ends})
        new = _add(connection, old.kind, Holder(old.client, old.tenant, tuple(old.roles)), said, pepper)
        if old.kind == CLIENT:
            _publish(connection, old.hash, f"until:{old.expires.isoformat()}")
            _publish(connection, new.hash, "made")
        details = {"hash": old.hash, "by": new.hash, "until": old.expires.isoformat()}
        audit(connection, "key-rotate", f"key {old.prefix} of {old.client}", said, details)
        return new


def add_api_key(engine: Engine, holder: Holder, said: Said, pepper: bytes = b"") -> New:
    """Make a key with which people and their tools may ask the REST API; its roles are of API_ROLES."""
    with engine.begin() as connection:
        return _add(connection, API, holder, said, pepper)


def may(key: KeyLine, role: str) -> bool:
    """Tell whether the holder of an API key may do what takes a role of API_ROLES: that role, or a stronger one."""
    return not set(API_ROLES[API_ROLES.index(role) :]).isdisjoint(key.roles)


def known(engine: Engine, secret: str, kind: str, pepper: bytes = b"") -> KeyLine | None:
    """Return what is known of the key `secret` where it is in use and of this kind, or None.

    It is looked up by its hash, and that is compared in constant time: nothing can be learnt from how long it takes.
    """
    wanted = hashed(secret, pepper)
    found = held(engine, wanted, kind)
    return found if found is not None and hmac.compare_digest(found.hash, wanted) else None


def held(engine: Engine, name: str, kind: str) -> KeyLine | None:
    """Return what is known of the key with the hash `name` where it is in use and of this kind, or None."""
    row = api_keys.c
    with engine.connect() as connection:
        found = connection.execute(
            select(api_keys)
            .where(row.hash == name, row.kind == kind, row.revoked.is_(None))
            .where(or_(row.expires.is_(None), row.expires > func.now()))
        ).first()
    return None if found is None else _line(found)


def _in_use(connection: Connection, name: str) -> str:
    """Return the hash of the only key in use that `name` can mean. Raises Missing."""
    row = api_keys.c
    usable = row.revoked.is_(None) & or_(row.expires.is_(None), row.expires > func.now())
    found = connection.execute(select(row.hash).where(or_(row.hash == name, row.prefix == name), usable)).all()
    if len(found) != 1:
        raise Missing(f"key {name!r}: {len(found)} keys in use have this prefix or hash; name one by its hash")
    return str(found[0].hash)


def _change(connection: Connection, name: str, values: Mapping[str, object]) -> Row[tuple[object, ...]]:
    changed = update(api_keys).where(api_keys.c.hash == name).values(values).returning(api_keys)
    return connection.execute(changed).one()


def new_key(pepper: bytes) -> New:
    """Return a key that nobody guesses, and what is kept of it."""
    secret = "gk_" + secrets.token_urlsafe(BITS // 8)
    return New(secret, secret[:PREFIX], hashed(secret, pepper))


def _add(connection: Connection, kind: str, holder: Holder, said: Said, pepper: bytes) -> New:
    new = new_key(pepper)
    row = {
        "hash": new.hash,
        "prefix": new.prefix,
        "kind": kind,
        "client": holder.client,
        "tenant": holder.tenant,
        "roles": list(holder.roles),
        "expires": None if holder.expires is None else moment(holder.expires),
        "who": said.who,
    }
    connection.execute(insert(api_keys).values(row))
    audit(connection, "key-add", f"key {new.prefix} of {holder.client}", said, {"hash": new.hash, "kind": kind})
    return new


def _publish(connection: Connection, name: str, what: str) -> None:
    row = connection.execute(select(api_keys).where(api_keys.c.hash == name)).one()
    wire = ApiKey(
        hash=row.hash,
        prefix=row.prefix,
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
