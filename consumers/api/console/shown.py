"""Templates to HTML. They escape what they are given; names are shown in one line, shortened."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from consumers.store.facts import FOREVER
from consumers.templates.words import SENTENCE, clean, name


def render(template: str, **given: Any) -> str:
    """Return a page as HTML."""
    return _environment().get_template(template).render(given, now=datetime.now(UTC))


def address(page: str, **asked: str | None) -> str:
    """Return the address of a page of the console that asks for something."""
    wanted = {key: value for key, value in asked.items() if value}
    return f"/console/{page}" + (f"?{urlencode(wanted)}" if wanted else "")


def moment(time: datetime | None) -> str:
    """Return a time in UTC, to the second."""
    if time is None:
        return "never"
    return "no end" if time >= FOREVER else f"{time.astimezone(UTC):%F %T}"


def share(value: float | None) -> str:
    """Return a share, 0..1, or that it is not known."""
    return "not known" if value is None else f"{value:.2f}"


def number(value: float) -> str:
    """Return a count as people read it."""
    return f"{value:,.0f}"


def sentence(text: str | None) -> str:
    """Return other people's words in one line, shortened."""
    return clean(text or "", SENTENCE)


def whole(text: str) -> str:
    """Return a name with everything that cannot be seen written out."""
    return json.dumps(text)


@cache
def _environment() -> Environment:
    loader = PackageLoader("consumers.api.console", "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {
        "name": name,
        "moment": moment,
        "share": share,
        "number": number,
        "sentence": sentence,
        "whole": whole,
    }
    made.globals |= {"address": address}
    return made


def picked(given: Mapping[str, str], *names: str) -> dict[str, str | None]:
    """Return these of the words given; one that is empty says nothing."""
    return {one: given.get(one) or None for one in names}
