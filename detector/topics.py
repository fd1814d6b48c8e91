"""What the topics are called: part of the contract, the same for gateways and consumers.

Light on purpose (standard library only): the gateway imports this.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """Full names of the topics; `prefix` keeps installations that share brokers apart."""

    prefix: str = ""

    @property
    def predictions(self) -> str:
        """Query records, keyed by client."""
        return f"{self.prefix}predictions"

    @property
    def decisions(self) -> str:
        """Decisions, compacted: the newest of each key stays."""
        return f"{self.prefix}decisions"

    @property
    def keys(self) -> str:
        """Hashed API keys of clients, compacted."""
        return f"{self.prefix}keys"

    @property
    def gateway_status(self) -> str:
        """What each gateway has applied, compacted."""
        return f"{self.prefix}gateway_status"
