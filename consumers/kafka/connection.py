"""Where the brokers are, and how they are reached."""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kafka.errors import KafkaConnectionError
from kafka.net.compat import KafkaNetClient

from detector.brokers import Security

KNOCK_SECONDS = 1.0  # a broker that does not accept a connection within this is away
_BOOTSTRAP_MS = 10_000  # the first metadata; a client that waits longer fails, and its process is started again
_STOP_MS = 1_000

Client = TypeVar("Client")


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """How to reach the brokers. `bootstrap` is HOST:PORT, or several of them with commas between."""

    bootstrap: str
    security: Security = field(default_factory=Security)


def opened(make: Callable[..., Client], broker: KafkaSettings | str, **options: object) -> Client:
    """Return a client of the driver, connected. Raises KafkaError, in KNOCK_SECONDS a broker when none lets us in."""
    knock(broker)
    clients: list[Any] = []

    def remembered(**given: object) -> Any:
        clients.append(KafkaNetClient(**given))
        return clients[-1]

    try:
        return make(**_connection(_settings(broker)), kafka_client=remembered, **options)
    except BaseException:
        for client in clients:  # the driver's constructors leave their thread behind when they fail (3.0.12)
            client._net.stop(_STOP_MS)  # noqa: SLF001  # there is no other door to it
            client.close()
        raise


def reachable(broker: KafkaSettings | str) -> bool:
    """Tell whether any broker lets us in, as far as that is known before a password is asked for."""
    try:
        knock(broker)
    except KafkaConnectionError:
        return False
    return True


def knock(broker: KafkaSettings | str) -> None:
    """Connect to any broker, TLS included, and leave again. Raises KafkaConnectionError, which says why none let us."""
    settings = _settings(broker)
    reasons = []
    for server in _servers(settings):
        reason = _refusal(server, settings.security)
        if not reason:
            return
        reasons.append(f"{server}: {reason}")
    raise KafkaConnectionError("no broker lets us in: " + "; ".join(reasons))


def _settings(broker: KafkaSettings | str) -> KafkaSettings:
    return KafkaSettings(broker) if isinstance(broker, str) else broker


def _connection(settings: KafkaSettings) -> dict[str, Any]:
    """Return the driver's options that say how to reach the brokers; every client is made from them."""
    return {
        "bootstrap_servers": _servers(settings),
        "bootstrap_timeout_ms": _BOOTSTRAP_MS,
        "reconnect_backoff_max_ms": 1_000,  # a broker that returns is noticed within a second
        **settings.security.options(),
    }


def _servers(settings: KafkaSettings) -> list[str]:
    return [server.strip() for server in settings.bootstrap.split(",") if server.strip()]


def _refusal(server: str, security: Security) -> str:
    """Return why this broker does not let us in; empty when it does."""
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    try:
        with socket.create_connection((host, int(port)), timeout=KNOCK_SECONDS) as plain:
            if security.tls is not None:
                security.tls.wrap_socket(plain, server_hostname=host).close()
    except (OSError, ValueError) as error:
        return str(error)
    return ""
