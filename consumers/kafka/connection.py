"""Where the brokers are, how they are reached, and what the topics are called."""

import socket
from dataclasses import dataclass
from typing import Any

_KNOCK_SECONDS = 1.0  # a broker that does not accept a connection within this is away
_BOOTSTRAP_MS = 10_000  # the first metadata; a client that waits longer fails, and its process is started again


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """How to reach the brokers. `bootstrap` is HOST:PORT, or several of them with commas between."""

    bootstrap: str


def connection(broker: KafkaSettings | str) -> dict[str, Any]:
    """Return the driver's options that say how to reach the brokers; every client is made from them."""
    return {
        "bootstrap_servers": _servers(broker),
        "bootstrap_timeout_ms": _BOOTSTRAP_MS,
        "reconnect_backoff_max_ms": 1_000,  # a broker that returns is noticed within a second
    }


def reachable(broker: KafkaSettings | str) -> bool:
    """Tell whether any broker accepts a connection.

    Ask before a client is made: a constructor of the driver that fails leaves its thread behind.
    """
    return any(_answers(server) for server in _servers(broker))


def _servers(broker: KafkaSettings | str) -> list[str]:
    bootstrap = broker if isinstance(broker, str) else broker.bootstrap
    return [server.strip() for server in bootstrap.split(",") if server.strip()]


def _answers(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_SECONDS):
            return True
    except (OSError, ValueError):
        return False
