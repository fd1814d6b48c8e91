"""Links that let whoever gets an alert approve the block that it proposes: signed, for that one purpose, for a day."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import jwt

if TYPE_CHECKING:
    from jwt.types import Options

SECONDS = 86_400  # a link works for so long; its proposal may end earlier
_ALGORITHM = "HS256"
_PURPOSE = "approve"  # a token for anything else, signed with the same secret, is none of these


class BadLink(ValueError):  # noqa: N818  # named for what happened
    """A link that was not signed here, was for something else, or is too old."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says."""

    proposal: UUID
    channel: str  # that it was sent to


def sign(secret: str, link: Link) -> str:
    """Return the token of a link, good from now on."""
    until = int(time.time()) + SECONDS
    claims = {"aud": _PURPOSE, "sub": str(link.proposal), "channel": link.channel, "exp": until}
    return jwt.encode(claims, secret, _ALGORITHM)


def read(secret: str, token: str) -> Link:
    """Return what a token says. Raises BadLink; without a secret there are no links at all."""
    if not secret:
        raise BadLink("this api knows no links: GAMEKEEPER_LINK_SECRET is not set")
    needed: Options = {"require": ["aud", "sub", "exp"]}
    try:
        claims = jwt.decode(token, secret, [_ALGORITHM], audience=_PURPOSE, options=needed)
        return Link(UUID(claims["sub"]), str(claims.get("channel", "")))
    except (jwt.InvalidTokenError, ValueError) as error:
        raise BadLink("the link is too old or not ours") from error
