"""Every answer of the console: its headers, and what goes wrong told on a page rather than as JSON."""

from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from sqlalchemy import exc
from starlette.exceptions import HTTPException

from consumers.api.console.guard import HEADERS
from consumers.api.console.kinds import Wrong
from consumers.api.console.shown import render
from consumers.api.console.visitor import Nobody
from consumers.store.facts import Missing
from consumers.store.lists import BadCursor

SEE_OTHER = 303  # whatever was sent, look there with GET
_AWAY = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
_TOLD = {Missing: 404, Wrong: 400, BadCursor: 400}


class Route(APIRoute):
    """One address of the console."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers at this address."""
        answer = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                response = await answer(request)
            except Nobody:
                response = RedirectResponse("/?over=yes", SEE_OTHER)
            except HTTPException as error:
                response = problem(str(error.detail), error.status_code)
            except tuple(_TOLD) as error:
                response = problem(str(error), _TOLD[type(error)])
            except _AWAY as error:
                structlog.get_logger().warning("the console could not look", why=type(error).__name__)
                response = problem("The database does not answer. This page looks again by itself.", 503)
            response.headers.update(HEADERS)
            return response

        return guarded


def problem(says: str, status: int) -> Response:
    """Return a page that says what went wrong, and nothing that its reader may not know."""
    return HTMLResponse(render("problem.html", says=says), status)
