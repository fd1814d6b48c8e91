"""Where the brokers are, and how they are reached."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kafka.errors import KafkaConnectionError, KafkaError, SaslAuthenticationFailedError
from kafka.net.compat import KafkaNetClient

from detector.brokers import Security

KNOCK_SECONDS = 2.0  # a broker that has not let us in within this is away
_BOOTSTRAP_MS = 10_000  # the first metadata; a client that waits longer fails, and its process is started again
_STOP_MS = 1_000

Client = TypeVar("Client")


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """How to reach the brokers. `bootstrap` is HOST:PORT, or several of them with commas between."""

    bootstrap: str
    security: Security = field(default_factory=Security)


def opened(make: Callable[..., Client], broker: KafkaSettings | str, **options: object) -> Client:
    """Return a client of the driver, connected. Raises KafkaError, which says why no broker lets us in.

    The driver's own constructors say no more than that time was up, and leave their thread behind (3.0.12).
    """
    knock(broker)
    clients: list[Any] = []

    def remembered(**given: object) -> Any:
        clients.append(KafkaNetClient(**given))
        return clients[-1]

    try:
        return make(**_connection(broker), kafka_client=remembered, **options)
    except BaseException:
        for client in clients:
            client._net.stop(_STOP_MS)  # noqa: SLF001  # there is no other door to it
            client.close()
        raise


def reachable(broker: KafkaSettings | str) -> bool:
    """Tell whether any broker lets us in."""
    try:
        knock(broker)
    except KafkaError:
        return False
    return True


def knock(broker: KafkaSettings | str) -> None:
    """Connect to any broker, log in and leave again. Raises KafkaError, which says why none lets us in."""
    settings = KafkaSettings(broker) if isinstance(broker, str) else broker
    why: KafkaError = KafkaConnectionError("no broker is named")
    for server in _servers(settings):
        try:
            _connect(server, settings.security.tls)
            return _log_in(KafkaSettings(server, settings.security))
        except (OSError, ValueError) as error:
            why = KafkaConnectionError(f"{server}: {error}")
        except KafkaError as error:
            why = error
    raise why


def _connect(server: str, tls: ssl.SSLContext | None) -> None:
    """Connect and leave again; the driver leaves its socket to the garbage collector where that fails (3.0.12)."""
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    with socket.create_connection((host, int(port)), KNOCK_SECONDS) as plain:
        if tls is not None:
            tls.wrap_socket(plain, server_hostname=host).close()


def _log_in(settings: KafkaSettings) -> None:
    """Do what the driver does first on each connection."""
    client: Any = KafkaNetClient(**_connection(settings))

    async def greet(node: str) -> None:
        await client._manager.get_connection(node, timeout_ms=KNOCK_SECONDS * 1000)  # noqa: SLF001  # as it does itself

    try:
        client._net.run(greet, client.cluster.bootstrap_brokers()[0].node_id)  # noqa: SLF001
    except (KafkaConnectionError, SaslAuthenticationFailedError) as error:
        if settings.security.login is None:
            raise
        # a broker says why and hangs up, and the driver hears the second first
        raise SaslAuthenticationFailedError(f"no login as {settings.security.login.user}: {error}") from error
    finally:
        client.close()


def _servers(settings: KafkaSettings) -> list[str]:
    return [server.strip() for server in settings.bootstrap.split(",") if server.strip()]


def _connection(broker: KafkaSettings | str) -> dict[str, Any]:
    """Return the driver's options that say how to reach the brokers; every client is made from them."""
    settings = KafkaSettings(broker) if isinstance(broker, str) else broker
    return {
        "bootstrap_servers": _servers(settings),
        "bootstrap_timeout_ms": _BOOTSTRAP_MS,
        "reconnect_backoff_max_ms": 1_000,  # a broker that returns is noticed within a second
        **settings.security.options(),
    }
