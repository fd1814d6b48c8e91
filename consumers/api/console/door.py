"""The console's addresses: the login at /, pages and acts below /console/, the files that they need."""

from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any
from urllib.parse import parse_qs

import structlog
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from consumers.api.console.acts import ACTS
from consumers.api.console.guard import Guesses, good_token, own_form, secure
from consumers.api.console.kinds import Act, Asked, Order, Wrong
from consumers.api.console.pages import HOME, MORE, PAGES
from consumers.api.console.route import SEE_OTHER, Route
from consumers.api.console.shown import address, render
from consumers.api.console.visitor import COOKIE, Someone, Visitor
from consumers.api.house import House, Shared
from consumers.report import page as report_page
from consumers.store import keys, sessions
from consumers.store.facts import Missing
from consumers.store.people import Exempt, Said
from consumers.store.proposals import Over

FIELDS = 20  # of a form
WHY = 2_000  # characters, as everywhere
KEY = 200  # characters; ours have fewer
WAIT_SECONDS = "60"

router = APIRouter(include_in_schema=False, route_class=Route)
_GUESSES = Guesses()
_STATIC = {
    "console.css": ("text/css", None),
    "console.js": ("text/javascript", None),
    "icon.svg": ("image/svg+xml", None),
    "report.css": ("text/css", report_page.style),
}


async def _typed(request: Request) -> Asked:
    """Return what a form holds, sent from a page of ours."""
    if not own_form(request):
        raise HTTPException(403, "This form was not sent from the console.")
    try:
        fields = parse_qs((await request.body()).decode(), max_num_fields=FIELDS)
    except ValueError as error:
        raise HTTPException(400, "This form cannot be read.") from error
    return {name: values[0] for name, values in fields.items()}


Typed = Annotated[Asked, Depends(_typed)]


def _asked(request: Request) -> Asked:
    """Return what the address asks for."""
    found = dict(request.query_params)
    if any("\x00" in value for value in found.values()):
        raise HTTPException(400, "Nothing is called so: no name holds the character NUL.")
    return found


Wanted = Annotated[Asked, Depends(_asked)]


@router.get("/")
def door(request: Request, house: Shared) -> Response:
    """Ask for a key; whoever is logged in is led on."""
    secret = request.cookies.get(COOKIE, "")
    if secret and sessions.holder(house.engine, secret) is not None:
        return RedirectResponse(address(HOME), SEE_OTHER)
    return _login("Your session is over. Log in again." if "over" in request.query_params and secret else "")


@router.post("/")
def login(request: Request, house: Shared, typed: Typed) -> Response:
    """Begin a session. What was typed is neither kept nor logged; no answer says whether such a key exists."""
    log = structlog.get_logger().bind(address=request.client.host if request.client else "")
    if _GUESSES.too_many(request):
        log.warning("too many wrong keys at the console")
        refused = _login("There were too many wrong keys. Wait a minute, then try again.", 429)
        refused.headers["Retry-After"] = WAIT_SECONDS
        return refused
    secret = typed.get("key", "").strip()[:KEY]
    key = keys.known(house.engine, secret, keys.API, house.settings.key_pepper)
    if key is None:
        _GUESSES.wrong(request)
        log.warning("a wrong key at the console")
        return _login("That key does not open this door.", 401)
    log.info("logged in at the console", who=key.client)
    return _with_cookie(request, RedirectResponse(address(HOME), SEE_OTHER), sessions.begin(house.engine, key))


@router.post("/console/logout")
def logout(request: Request, house: Shared, visitor: Someone, typed: Typed) -> Response:
    """End the session."""
    _heed(visitor, typed)
    sessions.end(house.engine, visitor.secret)
    answer = RedirectResponse("/", SEE_OTHER)
    answer.delete_cookie(COOKIE, path="/", secure=secure(request), httponly=True, samesite="strict")
    return answer


@router.get("/console/static/{name}")
def static(name: str) -> Response:
    """Return a style sheet or the script; they are the same for everybody."""
    if name not in _STATIC:
        raise HTTPException(404, "There is no such file.")
    kind, made = _STATIC[name]
    file = resources.files("consumers.api.console") / "static" / name
    return Response(file.read_bytes() if made is None else made(), media_type=kind)


@router.get("/console/{name}")
def look(house: Shared, visitor: Someone, name: str, asked: Wanted) -> Response:
    """Show a page, or the form of an act."""
    if name in ACTS:
        return _form(house, visitor, ACTS[name], asked)
    page = {**PAGES, **MORE}.get(name)
    if page is None:
        raise HTTPException(404, "There is no such page.")
    given = _common(visitor, page.title, name) | {"asked": asked, "done": _done(asked)}
    return HTMLResponse(render(f"{name}.html", **given, **page.tell(house, asked)))


@router.post("/console/{name}")
def act(house: Shared, visitor: Someone, name: str, asked: Wanted, typed: Typed) -> Response:
    """Do what a form asks for, and show what came of it; what is refused is told beside the form."""
    if name not in ACTS:
        raise HTTPException(404, "There is nothing of this name to do.")
    _heed(visitor, typed)
    wanted = ACTS[name]
    if not visitor.may(wanted.role):
        raise HTTPException(403, f"This takes the role {wanted.role}; your key has {visitor.role}.")
    try:
        wanted.do(house, Order(asked, typed, Said(visitor.name, _why(typed))))
    except Wrong as error:
        return _form(house, visitor, wanted, asked, (str(error), typed, 400))
    except (Exempt, Over) as error:
        return _form(house, visitor, wanted, asked, (str(error), typed, 409))
    except Missing as error:
        return _form(house, visitor, wanted, asked, (str(error), typed, 404))
    page, about = wanted.after(asked)
    return RedirectResponse(address(page, **about, done=name), SEE_OTHER)


def _form(
    house: House, visitor: Visitor, wanted: Act, asked: Asked, refused: tuple[str, Asked, int] = ("", {}, 200)
) -> Response:
    if not visitor.may(wanted.role):
        raise HTTPException(403, f"This takes the role {wanted.role}; your key has {visitor.role}.")
    says, typed, status = refused
    page, about = wanted.after(asked)
    given = _common(visitor, wanted.title, page) | {
        "act": wanted,
        "asked": asked,
        "typed": typed,
        "says": says,
        "back": address(page, **about),
        "about": wanted.look(house, asked),
    }
    return HTMLResponse(render("act.html", **given), status)


def _common(visitor: Visitor, title: str, here: str) -> dict[str, Any]:
    """Return what every page is told."""
    return {"visitor": visitor, "title": title, "here": here, "pages": PAGES.values(), "acts": ACTS}


def _done(asked: Asked) -> str:
    """Return what was just done in words; only what we ourselves can say."""
    found = ACTS.get(asked.get("done", ""))
    return "" if found is None else found.done


def _why(typed: Mapping[str, str]) -> str:
    why = typed.get("why", "").strip()
    if not why or "\x00" in why:
        raise Wrong("Say why: it goes to the audit log, and to whoever reads it in a year.")
    if len(why) > WHY:
        raise Wrong(f"Say why in at most {WHY:,} characters.")
    return why


def _heed(visitor: Visitor, typed: Asked) -> None:
    if not good_token(visitor.secret, typed.get("token", "")):
        raise HTTPException(403, "This form is not of your session. Go back, load the page again, and send it again.")


def _login(says: str, status: int = 200) -> Response:
    return HTMLResponse(render("login.html", says=says), status)


def _with_cookie(request: Request, answer: Response, secret: str) -> Response:
    whole_seconds = int(sessions.LASTS.total_seconds())
    answer.set_cookie(
        COOKIE, secret, max_age=whole_seconds, path="/", secure=secure(request), httponly=True, samesite="strict"
    )
    return answer
