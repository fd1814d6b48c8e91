"""A Kafka that lets nobody in without TLS, and of its own users only those with a password or a certificate."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gamekeeper import embedded, settings
from gamekeeper.embedded.server import free_port
from tests.conftest import quiet
from tests.security.certificates import Authority, authority

USER = "gamekeeper"
PASSWORD = "kafka-canary-0f3b7c51"  # noqa: S105  # of this test's own broker

LISTENERS = """\
listeners=SASL_SSL://127.0.0.1:{{port}},SSL://127.0.0.1:{ssl},SASL_PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{{controller}}
advertised.listeners=SASL_SSL://127.0.0.1:{{port}},SSL://127.0.0.1:{ssl},SASL_PLAINTEXT://127.0.0.1:{plain}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
inter.broker.listener.name=SSL
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
"""
MODULE = "org.apache.kafka.common.security"
LOGINS = f"""\
listener.name.{{name}}.scram-sha-512.sasl.jaas.config={MODULE}.scram.ScramLoginModule required;
listener.name.{{name}}.plain.sasl.jaas.config={MODULE}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";
"""


@dataclass(frozen=True)
class Guarded:
    """The broker: where each of its listeners is, by protocol, and the authority that signed its certificate."""

    servers: dict[str, str]
    ca: Authority

    def environment(self, protocol: str, **changes: str) -> dict[str, str]:
        """Return the settings with which one gets in by `protocol`; `changes` name them without GAMEKEEPER_KAFKA_."""
        given = {"PROTOCOL": protocol}
        if protocol.endswith("SSL"):
            given["CA"] = str(self.ca.pair.cert)
        if protocol.startswith("SASL"):
            given |= {"USER": USER, "PASSWORD": PASSWORD}
        named = {f"GAMEKEEPER_KAFKA_{name}": value for name, value in (given | changes).items()}
        return {"KAFKA_BOOTSTRAP_SERVERS": self.servers[protocol], **named}


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return the authority that everything here trusts."""
    return authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory, ca: Authority) -> Iterator[Guarded]:
    """Return a broker with a listener of each protocol that asks for something."""
    folder = tmp_path_factory.mktemp("guarded")
    own, keystore = ca.issue("broker"), folder / "broker.pem"
    keystore.write_text(own.key.read_text() + own.cert.read_text())
    ssl, plain = free_port(), free_port()
    lines = LISTENERS.format(ssl=ssl, plain=plain, keystore=keystore, ca=ca.pair.cert)
    lines += "".join(LOGINS.format(name=name) for name in ("sasl_ssl", "sasl_plaintext"))
    login = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
    server = embedded.start_kafka(folder / "kafka", _cache(folder), quiet, tuple(lines.splitlines()), (login,))
    ports = {"SASL_SSL": server.url, "SSL": f"127.0.0.1:{ssl}", "SASL_PLAINTEXT": f"127.0.0.1:{plain}"}
    try:
        yield Guarded(ports, ca)
    finally:
        server.stop()


def _cache(folder: Path) -> Path:
    return settings.writable_cache(settings.load(), folder)
