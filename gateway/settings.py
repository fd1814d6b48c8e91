"""What a gateway is told when it starts. Everything that is bounded has its bound here, with its unit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from detector.brokers import Security
from detector.topics import Topics
from gateway.policy import Policy

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class LogBounds:
    """How much of the query log may wait in memory while Kafka is slow or away."""

    rows: int = 50_000  # predictions
    bytes: int = 64 * MEBIBYTE  # of inputs and answers
    in_flight: int = 5_000  # records handed to Kafka, not acknowledged yet


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Settings of one gateway.

    `models` is a folder (NAME.keras, NAME/VERSION.keras, NAME/VERSION/ with a SavedModel), one file, or names with
    files.
    Without `bootstrap` the gateway runs alone: keys from `keys_file`, no decisions, no log.
    """

    models: Path | Mapping[str, Path] = field(default_factory=dict)
    bootstrap: str | None = None
    security: Security = field(default_factory=Security)  # what those brokers demand
    name: str = "gateway"
    host: str = "127.0.0.1"
    port: int = 8080
    topics: Topics = field(default_factory=Topics)
    keys_file: Path | None = None  # instead of the topic `keys`
    key_pepper: bytes = field(default=b"", repr=False)  # under which API keys are hashed; empty: plain
    tls_cert: Path | None = None  # PEM, the chain; with tls_key: HTTPS in place of HTTP
    tls_key: Path | None = None  # PEM, not encrypted
    docs_open: bool = False  # /docs and /openapi.json need no key
    reload_seconds: float = 5.0  # between two looks at the models' folder
    push_token: str | None = field(default=None, repr=False)  # None: decisions cannot be pushed
    policy: Policy = field(default_factory=Policy)
    secret: bytes = field(default=b"", repr=False)  # keys noise, marks and who meets which member of an ensemble
    limits_store: str | None = field(default=None, repr=False)  # redis://… that gateways share; None: each its own
    limits_open: bool = True  # while that Redis is away each gateway counts for itself; False: it refuses
    fail_open: bool = True  # serve while the decisions in force are not known
    table_age_max: float = 60.0  # s; a table that is older counts as not known
    age_header: bool = False  # say with each answer how old that table is
    feed_wait: float = 3.0  # s to wait for the first look at the topics before serving
    body_bytes: int = 8 * MEBIBYTE
    body_seconds: float = 30.0  # for a body to arrive
    rows_max: int = 1_024  # rows of one request
    batch_rows: int = 256  # rows of one call of the model
    batch_wait: float = 0.002  # s to wait for other requests, when others are about
    answer_seconds: float = 30.0  # for the model to answer
    log: LogBounds = field(default_factory=LogBounds)
    notice_seconds: float = 0.5  # on SIGTERM, to be seen as not ready while everything is still answered
    grace_seconds: float = 2.0  # then, for requests that are being answered
    drain_seconds: float = 2.0  # then, for the query log
