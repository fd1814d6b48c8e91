"""Who looks: the holder of the key that a session was begun with, and what its role permits."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from consumers.api.console.guard import form_token
from consumers.api.house import Shared
from consumers.store import keys, sessions
from consumers.store.keys import API_ROLES, KeyLine

COOKIE = "gamekeeper_session"


class Nobody(RuntimeError):  # noqa: N818  # named for what it says
    """No session, or one that is over: the way leads to the login."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is logged in."""

    key: KeyLine
    secret: str = field(repr=False)  # of the session

    @property
    def name(self) -> str:
        """What the audit log calls them."""
        return self.key.client

    @property
    def role(self) -> str:
        """The strongest of their roles."""
        return max(set(self.key.roles) & set(API_ROLES), key=API_ROLES.index, default="none")

    @property
    def token(self) -> str:
        """What their forms bear."""
        return form_token(self.secret)

    def may(self, role: str) -> bool:
        """Tell whether they may do what takes a role."""
        return keys.may(self.key, role)


def _visitor(request: Request, house: Shared) -> Visitor:
    secret = request.cookies.get(COOKIE, "")
    key = sessions.holder(house.engine, secret) if secret else None
    if key is None:
        raise Nobody
    return Visitor(key, secret)


Someone = Annotated[Visitor, Depends(_visitor)]
