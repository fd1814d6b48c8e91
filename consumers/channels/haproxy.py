"""Decisions into a map of a running HAProxy, over its runtime socket: HAProxy then decides by itself, also without us.

A key is scope, model and value (`client_id:digits:key_7f3a`; the model, which no client chooses, comes before what one
may), its entry the action and the second at which it ends (`block:1795521600`), so that none outlives its decision.
A map is gone when HAProxy starts again: then an entry of ours is, too, and everything in force is owed anew.
"""

import math
import socket
from collections.abc import Callable
from urllib.parse import SplitResult, parse_qs, urlsplit

from consumers.channels.endpoint import Endpoint
from consumers.channels.http import resolve
from consumers.channels.outcome import Delivered, Gone, Outcome, Retry
from consumers.store.outbox import Delivery
from detector.decision import Action, Decision, Key, Origin
from detector.records import decode_decision, parse_decision_key

UNIX, TCP = "unix", "tcp"
MAP = "/etc/haproxy/gamekeeper.map"  # unless the URL says another: `?map=`
MARK = "gamekeeper"  # the entry that shows that the map was filled
EXEMPT = "exempt"  # the word for what is on the allowlist; others are actions'
TIMEOUT_SECONDS = 5.0  # for each step of a command
ANSWER_BYTES = 4_096
SPECIAL = str.maketrans({one: f"\\{one}" for one in "\\ ;<#"})  # in a command
NOT_FOUND = "not found"  # how its answers end where a map has no such entry, in either case of the first letter


def send(delivery: Delivery, endpoint: Endpoint) -> Outcome:
    """Bring the map to where the decision is; a tombstone takes its key away. It is the operator's own HAProxy."""
    key = parse_decision_key(delivery.key) if delivery.payload is None else decode_decision(delivery.payload).key
    entry = None if delivery.payload is None else _entry(decode_decision(delivery.payload))
    if not _name(key).isprintable():
        return Gone("HAProxy's commands hold no control characters")
    try:
        _put(endpoint, _name(key), entry)
    except (OSError, _Refused) as error:
        return Retry(f"HAProxy: {error if isinstance(error, _Refused) else type(error).__name__}")
    return Delivered()


def refill(endpoint: Endpoint, owe: Callable[[], None]) -> None:
    """Call `owe` where the map holds nothing of ours, and only then say that it does: it is not left half filled."""
    try:
        if "found=no" in _ask(endpoint, "get", MARK):
            owe()
            _put(endpoint, MARK, "1")
    except (OSError, _Refused):
        return  # what is owed says so when it is tried


class _Refused(Exception):  # noqa: N818  # named for what happened
    """HAProxy does not do what it was told; the message is its own."""


def _entry(decision: Decision) -> str | None:
    """Return the entry of a decision, None where it enforces nothing."""
    if decision.shadow and decision.origin is not Origin.PERSON:
        return None
    if decision.action is Action.ALLOW and decision.origin is not Origin.ALLOWLIST:
        return None
    word = EXEMPT if decision.origin is Origin.ALLOWLIST else decision.action.word
    return f"{word}:{math.ceil(decision.until / 1_000_000)}"


def _name(key: Key) -> str:
    return f"{key.scope.value}:{key.model}:{key.value}"


def _put(endpoint: Endpoint, name: str, entry: str | None) -> None:
    """Set an entry, or take it away. Raises OSError, _Refused."""
    if entry is None:
        said = _ask(endpoint, "del", name)
    else:
        said = _ask(endpoint, "set", name, entry)
        if NOT_FOUND in said:
            said = _ask(endpoint, "add", name, entry)
    if said and NOT_FOUND not in said:
        raise _Refused(said[:200])


def _ask(endpoint: Endpoint, verb: str, *words: str) -> str:
    """Give one command on the map and return the answer, empty where it was done. Raises OSError."""
    at = urlsplit(endpoint.url)
    path = parse_qs(at.query).get("map", [MAP])[0]
    command = " ".join([verb, "map", *(word.translate(SPECIAL) for word in (path, *words))])
    with _connected(at) as link:
        link.sendall(command.encode() + b"\n")
        link.shutdown(socket.SHUT_WR)
        said = b""
        while len(said) < ANSWER_BYTES and (part := link.recv(ANSWER_BYTES)):
            said += part
    return said.decode(errors="replace").strip()


def _connected(at: SplitResult) -> socket.socket:
    if at.scheme == TCP:
        return socket.create_connection((resolve(at.hostname or "", at.port or 0), at.port or 0), TIMEOUT_SECONDS)
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(TIMEOUT_SECONDS)
    try:
        link.connect(at.path)
    except OSError:
        link.close()
        raise
    return link
