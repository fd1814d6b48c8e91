"""Kafka's brokers as the settings name them: where they are, and how they let us in."""

import ssl

from detector.brokers import Brokers, Login, Security
from gamekeeper.settings import BadSettings, Settings

PREFIX = "GAMEKEEPER_KAFKA_"


def kafka(found: Settings) -> Brokers:
    """Return how to reach Kafka, or the Kafka of a running `up`. Raises BadSettings."""
    return reached(found, found.need_kafka())


def named_kafka(found: Settings) -> Brokers | None:
    """Return how to reach the Kafka that the settings name, or None where they name none. Raises BadSettings."""
    return reached(found, found.kafka_bootstrap_servers) if found.kafka_bootstrap_servers else None


def reached(found: Settings, bootstrap: str) -> Brokers:
    """Return how to reach these brokers: the settings' own, or else embedded ones. Raises BadSettings."""
    return Brokers(bootstrap, security(found))


def security(found: Settings) -> Security:
    """Return what the brokers demand, with the certificates loaded. Raises BadSettings."""
    protocol = found.kafka_protocol
    if protocol != "PLAINTEXT" and not found.kafka_bootstrap_servers:
        raise BadSettings(f"{PREFIX}PROTOCOL is {protocol}, but KAFKA_BOOTSTRAP_SERVERS is not set; name the brokers")
    tls, login = protocol.endswith("SSL"), protocol.startswith("SASL")
    if not tls and (found.kafka_ca or found.kafka_cert or found.kafka_key):
        raise BadSettings(f"{PREFIX}PROTOCOL is {protocol}, which uses no certificate; set it to SSL or SASL_SSL")
    if {bool(found.kafka_user), bool(found.kafka_password)} != {login}:
        raise BadSettings(
            f"{PREFIX}USER and {PREFIX}PASSWORD belong to {PREFIX}PROTOCOL SASL_SSL (or SASL_PLAINTEXT), "
            f"which needs both; it is {protocol}"
        )
    return Security(
        _trusting(found) if tls else None,
        Login(found.kafka_user, found.kafka_password, found.kafka_mechanism) if login else None,
    )


def _trusting(found: Settings) -> ssl.SSLContext:
    """Return TLS 1.2 and later: brokers whose certificate the named CA signed, for the host that we call."""
    try:
        context = ssl.create_default_context(cafile=found.kafka_ca)
    except OSError as error:
        raise BadSettings(f"{PREFIX}CA: {found.kafka_ca} holds no certificates in PEM: {_why(error)}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if found.kafka_key and not found.kafka_cert:
        raise BadSettings(f"{PREFIX}KEY is set, but {PREFIX}CERT is not; a key alone says nothing")
    if found.kafka_cert:
        try:
            context.load_cert_chain(found.kafka_cert, found.kafka_key, password="")  # never ask on a terminal
        except (OSError, ValueError) as error:
            raise BadSettings(
                f"{PREFIX}CERT: {found.kafka_cert} with its key must be PEM, not encrypted: {_why(error)}"
            ) from error
    return context


def _why(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
