"""What a check is given, and what it finds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from sqlalchemy import Engine

from consumers.channels.endpoint import Endpoint
from detector.brokers import Brokers
from detector.topics import Topics


class State(StrEnum):
    """How something is. Only what fails makes the command fail."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and what a person can do about it."""

    what: str
    state: State
    found: str
    do: str = ""  # empty where nothing need be done


@dataclass(frozen=True, slots=True)
class Patient:
    """The installation that is looked at."""

    kafka: Brokers
    engine: Engine
    topics: Topics
    group: str
    partitions: int  # that the topic of predictions should have
    endpoints: tuple[Endpoint, ...] = field(default=(), repr=False)  # URLs may hold secrets


Look: TypeAlias = Callable[[Patient], Iterator[Finding]]
"""Raises KafkaError, SQLAlchemyError or OSError where it cannot look."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at. `needs` are the checks without which it cannot."""

    look: Look
    mend: str  # what to do where it cannot be looked at
    needs: tuple[str, ...] = ()


def ok(what: str, found: str) -> Finding:
    """Return that all is well."""
    return Finding(what, State.OK, found)


def warn(what: str, found: str, do: str) -> Finding:
    """Return what a person should know."""
    return Finding(what, State.WARN, found, do)


def fail(what: str, found: str, do: str) -> Finding:
    """Return what does not work."""
    return Finding(what, State.FAIL, found, do)
