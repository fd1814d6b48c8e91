"""What a gateway is told when it starts. Everything that is bounded has its bound here, with its unit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from detector.topics import Topics

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Rate:
    """So many rows in so many seconds, counted over a sliding window."""

    rows: int
    seconds: int


THROTTLE = Rate(rows=5, seconds=1)  # what a throttled client may ask, unless told otherwise


@dataclass(frozen=True, slots=True)
class LogBounds:
    """How much of the query log may wait in memory while Kafka is slow or away."""

    rows: int = 50_000  # predictions
    bytes: int = 64 * MEBIBYTE  # of inputs and answers
    in_flight: int = 5_000  # records handed to Kafka, not acknowledged yet


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Settings of one gateway.

    `models` is a folder of `.keras` files (a file's stem is the model's name) or names with files.
    Without `bootstrap` the gateway runs alone: keys from `keys_file`, no decisions, no log.
    """

    models: Path | Mapping[str, Path] = field(default_factory=dict)
    bootstrap: str | None = None
    name: str = "gateway"
    host: str = "127.0.0.1"
    port: int = 8080
    topics: Topics = field(default_factory=Topics)
    keys_file: Path | None = None  # instead of the topic `keys`
    push_token: str | None = field(default=None, repr=False)  # None: decisions cannot be pushed
    throttle: Rate = THROTTLE  # for a client under a decision to throttle
    mark_share: float = 0.0  # of a throttled client's answers that are marked (DAWN); 0: off, at most 0.05
    watermark_secret: bytes = field(default=b"", repr=False)  # chooses them; the same at every gateway
    fail_open: bool = True  # serve while the decisions in force are not known
    table_age_max: float = 60.0  # s; a table that is older counts as not known
    feed_wait: float = 3.0  # s to wait for the first look at the topics before serving
    body_bytes: int = 8 * MEBIBYTE
    body_seconds: float = 30.0  # for a body to arrive
    rows_max: int = 1_024  # rows of one request
    batch_rows: int = 256  # rows of one call of the model
    batch_wait: float = 0.002  # s to wait for other requests, when others are about
    answer_seconds: float = 30.0  # for the model to answer
    log: LogBounds = field(default_factory=LogBounds)
    drain_seconds: float = 2.0  # for the query log on SIGTERM
