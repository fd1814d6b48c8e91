"""What goes wrong, as the two families of clients read it: CrowdSec's `message`, else RFC 9457 problem details."""

from http import HTTPStatus

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy import exc
from starlette.exceptions import HTTPException

from consumers.store.facts import Missing
from consumers.store.lists import BadCursor
from consumers.store.people import Exempt
from consumers.store.proposals import Over

CROWDSEC = "/v1/"  # paths below this are CrowdSec's
PROBLEM = "application/problem+json"


def register(application: FastAPI) -> None:
    """Answer what is raised anywhere below; nothing of it says more than the asker may know."""
    application.add_exception_handler(HTTPException, _refused)
    application.add_exception_handler(RequestValidationError, _malformed)
    application.add_exception_handler(Missing, _missing)
    application.add_exception_handler(Exempt, _conflict)
    application.add_exception_handler(Over, _conflict)
    application.add_exception_handler(BadCursor, _bad_cursor)
    for away in (exc.OperationalError, exc.InterfaceError, exc.TimeoutError):
        application.add_exception_handler(away, _away)


def answer(request: Request, status: int, detail: str) -> Response:
    """Return a refusal in the words of whoever asks at this path."""
    if request.url.path.startswith(CROWDSEC):
        return Response(msgspec.json.encode({"message": detail}), status, media_type="application/json")
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return Response(msgspec.json.encode(body), status, media_type=PROBLEM)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # it is registered for no other
    refused = answer(request, error.status_code, str(error.detail))
    refused.headers.update(error.headers or {})
    return refused


def _malformed(request: Request, error: Exception) -> Response:
    """Say which part is wrong and how, not what it was: it may be a secret."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  # as above
    wrong = ("; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()[:5]))[:500]
    return answer(request, 400, wrong)


def _missing(request: Request, error: Exception) -> Response:
    return answer(request, 404, str(error))


def _conflict(request: Request, error: Exception) -> Response:
    return answer(request, 409, str(error))


def _bad_cursor(request: Request, error: Exception) -> Response:
    return answer(request, 400, str(error))


def _away(request: Request, _error: Exception) -> Response:
    return answer(request, 503, "the database does not answer")
