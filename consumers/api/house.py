"""What all endpoints of one process share, and how they get it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from consumers.api.settings import ApiSettings
from consumers.health import Health


@dataclass(frozen=True, slots=True)
class House:
    """The database, the process's health, its settings."""

    engine: Engine
    health: Health
    settings: ApiSettings


def _house(request: Request) -> House:
    house: House = request.app.state.house
    return house


Shared = Annotated[House, Depends(_house)]
