"""Where Kafka's brokers are, and how they let a client in: with TLS, with a password, with both or with neither.

Light on purpose (standard library only): gateway and consumers both import this. The names are kafka-python's own.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the brokers (SASL)."""

    user: str
    password: str = field(repr=False)
    mechanism: str = MECHANISMS[0]


@dataclass(frozen=True, slots=True)
class Security:
    """What the brokers demand. `tls` holds whom we trust, and our certificate where they ask for one; None: no TLS."""

    tls: ssl.SSLContext | None = None
    login: Login | None = None

    @property
    def protocol(self) -> str:
        """Return Kafka's name for it."""
        return PROTOCOLS[2 * (self.login is not None) + (self.tls is not None)]

    def options(self) -> Mapping[str, object]:
        """Return kafka-python's options for it."""
        found: dict[str, object] = {"security_protocol": self.protocol, "ssl_context": self.tls}
        if self.login is not None:
            found["sasl_mechanism"] = self.login.mechanism
            found["sasl_plain_username"] = self.login.user
            found["sasl_plain_password"] = self.login.password
        return found


@dataclass(frozen=True, slots=True)
class Brokers:
    """How to reach the brokers. `bootstrap` is HOST:PORT, or several of them with commas between."""

    bootstrap: str
    security: Security = field(default_factory=Security)

    @property
    def servers(self) -> list[str]:
        """Return each HOST:PORT."""
        return [server.strip() for server in self.bootstrap.split(",") if server.strip()]

    def options(self) -> Mapping[str, object]:
        """Return kafka-python's options for them."""
        return {"bootstrap_servers": self.servers, **self.security.options()}


def named(where: Brokers | str) -> Brokers:
    """Return brokers that may be given by their bootstrap alone."""
    return Brokers(where) if isinstance(where, str) else where
