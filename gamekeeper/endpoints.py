"""The operator's endpoints: those of the environment, and those of the file GAMEKEEPER_CHANNELS.

The file is TOML, a table an endpoint: its name, its kind, its URL, what the kind needs, and which alerts it wants.
"""

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from consumers.filters import Filter, Terms
from gamekeeper import forms
from gamekeeper.settings import BadSettings, Settings

if TYPE_CHECKING:
    from consumers.channels.endpoint import Endpoint

PLAIN_MAIL = "smtp"
LOCAL = "unix"  # a socket in the file system
SIGNING = "whsec_"


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of the file."""

    kind: str
    url: str
    secret: str = ""
    secret_file: str = ""
    user: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()
    private: bool = False
    only: Terms = Terms()
    never: Terms = Terms()


class Named(msgspec.Struct, frozen=True):
    """One endpoint of the file, checked."""

    name: str
    entry: Entry
    decides: bool  # it takes decisions, not alerts

    @property
    def channel(self) -> str:
        """What deliveries to it are owed to."""
        return f"{self.entry.kind}:{self.name}"

    @property
    def filter(self) -> Filter:
        """Which alerts it wants."""
        return Filter(self.entry.only, self.entry.never)


def every(found: Settings) -> "tuple[Endpoint, ...]":
    """Return all endpoints, with their secrets. Raises BadSettings."""
    from consumers.channels.endpoint import Endpoint  # noqa: PLC0415  # loads Kafka's driver

    if found.webhooks and not found.webhook_secret:
        raise BadSettings(
            "GAMEKEEPER_WEBHOOK_SECRET is not set; alerts to GAMEKEEPER_WEBHOOKS must be signed (whsec_…)"
        )
    hooks = [
        Endpoint(
            "webhook",
            name,
            url,
            found.webhook_secret,
            private=found.webhook_private,
            base=found.url,
            link_secret=found.link_secret,
        )
        for name, url in found.webhooks
    ]
    pushes = [Endpoint("push", name, url, found.push_token) for name, url in found.push]
    return (*pushes, *hooks, *(_endpoint(one, found) for one in of_file(found)))


def of_file(found: Settings) -> list[Named]:
    """Return the endpoints of the file, in its order; none without a file. Raises BadSettings."""
    if found.channels is None:
        return []
    try:
        tables = tomllib.loads(found.channels.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadSettings(f"GAMEKEEPER_CHANNELS: {found.channels} cannot be read: {error}") from error
    taken = {f"webhook:{name}" for name, _ in found.webhooks} | {f"push:{name}" for name, _ in found.push}
    named = [_named(name, table) for name, table in tables.items()]
    for one in named:
        if one.channel in taken:
            raise _bad(one.name, f"{one.channel} is set in the environment, too; keep one")
    return named


def shown(one: Named) -> str:
    """Return which alerts an endpoint wants, for people."""
    terms = (("only", one.entry.only), ("never", one.entry.never))
    return "; ".join(
        f"{word} {name} {', '.join(patterns)}"
        for word, said in terms
        for name, patterns in msgspec.structs.asdict(said).items()
        if patterns
    )


def _named(name: str, table: Any) -> Named:
    from consumers.channels import CHANNELS, OURS  # noqa: PLC0415  # loads Kafka's driver

    kinds = [kind for kind in CHANNELS if kind not in OURS]
    if not forms.NAME.fullmatch(name):
        raise _bad(name, "a name has letters, digits, dash and underscore")
    try:
        entry = msgspec.convert(table, Entry)
    except msgspec.ValidationError as error:
        raise _bad(name, str(error)) from None
    if entry.kind not in kinds:
        raise _bad(name, f"kind {entry.kind!r} is not one of {', '.join(kinds)}")
    kind = CHANNELS[entry.kind]
    _check_url(name, entry, kind.schemes)
    secret = entry.secret or entry.secret_file
    for member in kind.needs:
        if not (secret if member == "secret" else getattr(entry, member)):
            raise _bad(name, f"{entry.kind} needs {member}{' or secret_file' if member == 'secret' else ''}")
    if kind.takes == "decisions" and (entry.only, entry.never) != (Terms(), Terms()):
        raise _bad(name, f"{entry.kind} takes decisions, all of them: only and never are for alerts")
    return Named(name, entry, kind.takes == "decisions")


def _check_url(name: str, entry: Entry, schemes: tuple[str, ...]) -> None:
    try:
        at = urlsplit(entry.url)
        local = at.scheme == LOCAL
        fine = at.scheme in schemes and (len(at.path) > 1 if local else bool(at.hostname) and at.port != 0)
    except ValueError:
        raise _bad(name, "its url is none") from None
    if not fine or ("http" not in schemes and at.port is None and not local):
        where = "HOST" if "http" in schemes else "HOST:PORT"
        allowed = (f"{scheme}://{'/SOCKET' if scheme == LOCAL else where}" for scheme in schemes)
        raise _bad(name, f"its url must be {' or '.join(allowed)}")
    if at.scheme == PLAIN_MAIL and entry.user:
        raise _bad(name, "a password is not sent in the clear: use smtp+starttls or smtps")


def _endpoint(one: Named, found: Settings) -> "Endpoint":
    from consumers.channels.endpoint import Endpoint  # noqa: PLC0415  # loads Kafka's driver

    entry = one.entry
    secret = _secret(one)
    if entry.kind == "webhook" or secret.startswith(SIGNING):
        try:
            forms.signing_secret(secret)
        except ValueError as error:
            raise _bad(one.name, f"its secret {error}") from None
    return Endpoint(
        kind=entry.kind,
        name=one.name,
        url=entry.url,
        secret=secret,
        user=entry.user,
        sender=entry.sender,
        to=entry.to,
        private=entry.private,
        base=found.url,
        link_secret=found.link_secret,
    )


def _secret(one: Named) -> str:
    if one.entry.secret and one.entry.secret_file:
        raise _bad(one.name, "secret and secret_file are both set; keep one")
    if not one.entry.secret_file:
        return one.entry.secret
    try:
        secret = Path(one.entry.secret_file).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(one.name, f"secret_file cannot be read: {getattr(error, 'strerror', None) or 'no text'}") from error
    if not secret:
        raise _bad(one.name, "secret_file is empty")
    return secret


def _bad(name: str, why: str) -> BadSettings:
    return BadSettings(f"GAMEKEEPER_CHANNELS: [{name}] {why}")
