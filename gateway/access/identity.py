"""Who asks, once that is known."""

from dataclasses import dataclass

TOKEN = "jwt:"  # noqa: S105  # begins the credential of who came with a token


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated client."""

    client: str
    tenant: str | None
    roles: frozenset[str]
    credential: str  # for logs: the prefix of its API key, or TOKEN and the id of the key that signed its token

    @property
    def key(self) -> str | None:
        """Return what a limit per key counts by; None for a token, whose signing key other clients share."""
        return None if self.credential.startswith(TOKEN) else self.credential
