"""Who asks: a key in the header X-Api-Key, made by `gamekeeper keys`, of the kind and with the role that it takes."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import APIKeyHeader

from consumers.api.house import Shared
from consumers.store import keys, pulls
from consumers.store.keys import KeyLine

_HEADER = Security(APIKeyHeader(name="X-Api-Key", auto_error=False))
Secret = Annotated[str | None, _HEADER]


def _bouncer(request: Request, house: Shared, secret: Secret) -> pulls.Bouncer:
    """Return who pulls. CrowdSec's clients know one refusal: 403 with this message."""
    line = keys.known(house.engine, secret or "", keys.BOUNCER, house.settings.key_pepper)
    if line is None:
        raise HTTPException(403, "access forbidden")
    address = request.client.host if request.client else ""
    return pulls.Bouncer(line.hash, line.client, address, request.headers.get("user-agent", ""))


Bouncer = Annotated[pulls.Bouncer, Depends(_bouncer)]


def _may(role: str) -> Callable[[Shared, Secret], KeyLine]:
    def asker(house: Shared, secret: Secret) -> KeyLine:
        line = keys.known(house.engine, secret or "", keys.API, house.settings.key_pepper)
        if line is None:
            raise HTTPException(401, "a key of the REST API is needed in X-Api-Key", {"WWW-Authenticate": "X-Api-Key"})
        if not keys.may(line, role):
            raise HTTPException(403, f"this takes the role {role}")
        return line

    return asker


Reader = Annotated[KeyLine, Depends(_may("read"))]
Responder = Annotated[KeyLine, Depends(_may("respond"))]
Admin = Annotated[KeyLine, Depends(_may("admin"))]
