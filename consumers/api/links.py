"""The page behind a link in an alert. Looking changes nothing: what previews links blocks nobody."""

from html import escape
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse

from consumers import links
from consumers.api.house import House, Shared
from consumers.links import BadLink, Link
from consumers.store import proposals
from consumers.store.facts import Missing
from consumers.store.people import Exempt, Said
from consumers.store.proposals import Over, Proposal
from consumers.templates.words import NAME, SENTENCE, clean, moment, name

router = APIRouter(include_in_schema=False)

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",  # the address of the page is what lets somebody act
    "X-Robots-Tag": "noindex",
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Gamekeeper</title><h1>{title}</h1>{body}</html>
"""
_FORM = """<p>{what}</p><form method="post">
<p><label>Who are you? <input name="who" required maxlength="80"></label></p>
<p><label>Why? <input name="why" required maxlength="300" size="60"></label></p>
<p><button>Block it</button></p></form>
"""


@router.get("/proposals/{token}")
def look(house: Shared, token: str) -> HTMLResponse:
    """Ask whether to block."""
    try:
        proposal = proposals.get(house.engine, links.read(house.settings.link_secret, token).proposal)
    except (BadLink, Missing) as error:
        return _page("Nothing to approve", f"<p>{escape(str(error))}</p>", 404)
    if proposal.outcome is not None:
        return _page("It was decided on", f"<p>{escape(_ended(proposal))}</p>", 409)
    return _page(f"Block {escape(name(proposal.client))}?", _FORM.format(what=escape(_what(proposal))))


@router.post("/proposals/{token}")
async def act(house: Shared, token: str, request: Request) -> HTMLResponse:
    """Block as proposed."""
    form = parse_qs((await request.body()).decode(errors="replace"), max_num_fields=10)
    who, why = (clean(form.get(word, [""])[0], most) for word, most in (("who", NAME), ("why", SENTENCE)))
    if not (who and why):
        return _page("Say who you are, and why", "<p>Go back and fill in both.</p>", 400)
    return await run_in_threadpool(_approve, house, token, (who, why))


def _approve(house: House, token: str, words: tuple[str, str]) -> HTMLResponse:
    try:
        link: Link = links.read(house.settings.link_secret, token)
        said = Said(f"{words[0]} (by link, {link.channel})", words[1])
        made = proposals.approve(house.engine, link.proposal, said, house.settings.channels)
    except (BadLink, Missing) as error:
        return _page("Nothing to approve", f"<p>{escape(str(error))}</p>", 404)
    except (Over, Exempt) as error:
        return _page("Nothing was done", f"<p>{escape(str(error))}</p>", 409)
    return _page("Blocked", f"<p>{escape(name(made.key.value))} is blocked at {escape(name(made.key.model))}.</p>")


def _what(proposal: Proposal) -> str:
    until = moment(proposal.until)
    return f"{name(proposal.client)} at {name(proposal.model)}, until {until}. {clean(proposal.reason, SENTENCE)}"


def _ended(proposal: Proposal) -> str:
    return f"{proposal.outcome} by {clean(proposal.who or '', NAME)}: {clean(proposal.why or '', SENTENCE)}"


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(title=title, body=body), status, _HEADERS)
