"""Where the api listens and what it reads."""

from dataclasses import dataclass, field

from consumers.store.facts import Channels


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Where the api listens, what it reads, and whom it owes what people decide through it."""

    database: str = field(repr=False)
    schema: str = "public"
    host: str = "127.0.0.1"
    port: int = 8081
    link_secret: str = field(default="", repr=False)  # of links in alerts that approve a proposal; empty: none work
    console: bool = True  # the web page at /, for people
    key_pepper: bytes = field(default=b"", repr=False)
    channels: Channels = field(default_factory=Channels)
