"""A place that the operator wants decisions or alerts sent to."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a channel knows of the other side. URLs may hold secrets, too."""

    kind: str  # which channel
    name: str
    url: str = field(repr=False)
    secret: str = field(default="", repr=False)  # a signing secret, token, routing key or password
    user: str = ""  # who logs in
    sender: str = ""  # of e-mail
    to: tuple[str, ...] = ()  # of e-mail
    private: bool = False  # whether its address may be private
    base: str = ""  # where people reach our API; empty: alerts have no links
    link_secret: str = field(default="", repr=False)  # signs links that approve a proposal; empty: there are none

    @property
    def channel(self) -> str:
        """What deliveries to it are owed to."""
        return f"{self.kind}:{self.name}"
