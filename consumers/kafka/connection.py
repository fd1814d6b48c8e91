"""How the brokers are reached."""

import socket
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

from kafka.errors import KafkaConnectionError, KafkaError, SaslAuthenticationFailedError
from kafka.net.compat import KafkaNetClient

from detector.brokers import Brokers, named

KNOCK_SECONDS = 2.0  # a broker that has not let us in within this is away
_BOOTSTRAP_MS = 10_000  # the first metadata; a client that waits longer fails, and its process is started again
_STOP_MS = 1_000

Client = TypeVar("Client")


def opened(make: Callable[..., Client], where: Brokers | str, **options: object) -> Client:
    """Return a client of the driver, connected. Raises KafkaError, which says why no broker lets us in.

    The driver's own constructors say no more than that time was up, and leave their thread behind (3.0.12).
    """
    brokers = named(where)
    knock(brokers)
    clients: list[Any] = []

    def remembered(**given: object) -> Any:
        clients.append(KafkaNetClient(**given))
        return clients[-1]

    try:
        return make(**_options(brokers), kafka_client=remembered, **options)
    except BaseException:
        for client in clients:
            client._net.stop(_STOP_MS)  # noqa: SLF001  # there is no other door to it
            client.close()
        raise


def reachable(where: Brokers | str) -> bool:
    """Tell whether any broker lets us in."""
    try:
        knock(named(where))
    except KafkaError:
        return False
    return True


def knock(brokers: Brokers) -> None:
    """Connect to any broker, log in and leave again. Raises KafkaError, which says why none lets us in."""
    why: KafkaError = KafkaConnectionError("no broker is named")
    for server in brokers.servers:
        try:
            _connect(server, brokers.security.tls)
            return _log_in(Brokers(server, brokers.security))
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


def _log_in(broker: Brokers) -> None:
    """Do what the driver does first on each connection."""
    client: Any = KafkaNetClient(**_options(broker))

    async def greet(node: str) -> None:
        await client._manager.get_connection(node, timeout_ms=KNOCK_SECONDS * 1000)  # noqa: SLF001  # as it does itself

    try:
        client._net.run(greet, client.cluster.bootstrap_brokers()[0].node_id)  # noqa: SLF001
    except (KafkaConnectionError, SaslAuthenticationFailedError) as error:
        if broker.security.login is None:
            raise
        # a broker says why and hangs up, and the driver hears the second first
        raise SaslAuthenticationFailedError(f"no login as {broker.security.login.user}: {error}") from error
    finally:
        client.close()


def _options(brokers: Brokers) -> dict[str, Any]:
    """Return the driver's options that say how to reach the brokers; every client is made from them."""
    return {
        "bootstrap_timeout_ms": _BOOTSTRAP_MS,
        "reconnect_backoff_max_ms": 1_000,  # a broker that returns is noticed within a second
        **brokers.options(),
    }
