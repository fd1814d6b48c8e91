"""What all endpoints of one process share, and how they get it."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from consumers.api.bell import Bell
from consumers.api.settings import ApiSettings
from consumers.health import Health

STREAMS = 100  # at once, each of which asks the database at least once a second


@dataclass(frozen=True, slots=True)
class House:
    """The database, the process's health, its settings, and what rings when somebody decided."""

    engine: Engine
    health: Health
    settings: ApiSettings
    bell: Bell
    streams: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(STREAMS))  # of events, at once


def _house(request: Request) -> House:
    house: House = request.app.state.house
    return house


Shared = Annotated[House, Depends(_house)]
