"""Clients over HTTP: every one with its own key and pace, all at once, few requests in flight."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import httpx
import numpy as np

from gamekeeper.demo.clients import Answers, Conversation, Kind, as_answers
from gamekeeper.demo.data import Images

IN_FLIGHT = 24  # requests at once; more only queue up in the gateway
_TIMEOUT = 20.0  # s for one answer
_PATIENCE = 0.25  # s at most between a 429 and asking again: a thief does not wait as asked
_TRIES = 60  # of one request that is answered with 401 (a key on its way) or 5xx
_PAUSE = 0.25  # s before such a try


class Broken(RuntimeError):  # noqa: N818  # named for what it says to whoever runs the demo
    """The gateway gave an answer that a client cannot use; the message says which."""

    for_people = True  # the command line prints the message as it is


@dataclass(slots=True)
class Visitor:
    """One client of a run: who it is, what it asks, how fast, how much, and what became of it."""

    name: str
    kind: Kind
    key: str
    conversation: Conversation
    budget: int  # instances
    start: float  # s after the run's beginning
    pause: float  # s between requests, on average
    asked: int = 0  # instances that were answered over HTTP
    throttled: int = 0  # requests answered with 429
    turned_away: int | None = None  # µs since 1970 UTC of the first 403

    @property
    def blocked(self) -> bool:
        """Tell whether the client was answered 403."""
        return self.turned_away is not None


@dataclass(frozen=True, slots=True)
class Road:
    """The way to the model, and until when (monotonic seconds) clients go it."""

    http: httpx.AsyncClient
    url: str
    until: float
    turns: asyncio.Semaphore


async def run(visitors: Sequence[Visitor], url: str, seconds: float, beat: Callable[[], None]) -> None:
    """Let all visitors ask until each is done or refused, or `seconds` are over. Raises Broken."""
    limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
    async with httpx.AsyncClient(limits=limits, timeout=_TIMEOUT) as http:
        road = Road(http, url, time.monotonic() + seconds, asyncio.Semaphore(IN_FLIGHT))
        ticking = asyncio.create_task(_tick(beat))
        try:
            await _visits(visitors, road)
        finally:
            ticking.cancel()


async def _visits(visitors: Sequence[Visitor], road: Road) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for visitor in visitors:
                group.create_task(_visit(visitor, road))
    except ExceptionGroup as failed:  # not except*: what that raises early Pythons 3.11 wrap in a group
        broken = failed.subgroup(Broken)
        if broken is None:
            raise
        raise broken.exceptions[0] from None


async def _tick(beat: Callable[[], None]) -> None:
    while True:
        beat()
        await asyncio.sleep(0.1)


async def _visit(visitor: Visitor, road: Road) -> None:
    rng = np.random.default_rng(abs(hash(visitor.name)))
    await asyncio.sleep(min(visitor.start, max(road.until - time.monotonic(), 0.0)))
    talk = visitor.conversation
    while talk.batch is not None and talk.asked < visitor.budget and time.monotonic() < road.until:
        answers = await _ask_patiently(visitor, talk.batch, road)
        if answers is None:
            return
        visitor.asked += len(talk.batch)
        await asyncio.to_thread(talk.hear, answers)  # a thief may train a copy now: others must not wait for that
        await asyncio.sleep(visitor.pause * rng.uniform(0.5, 1.5))


async def _ask_patiently(visitor: Visitor, batch: Images, road: Road) -> Answers | None:
    """Return the answers to a batch, asked one by one once requests are rationed; None: refused, or time is over."""
    parts: list[Answers] = []
    size = 1 if visitor.throttled else len(batch)
    done = 0
    while done < len(batch) and time.monotonic() < road.until:
        response = await _post(visitor, batch[done : done + size], road)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            visitor.throttled += 1
            size = 1
            await asyncio.sleep(_wait(response))
            continue
        if response.status_code == HTTPStatus.FORBIDDEN:
            visitor.turned_away = time.time_ns() // 1000
            visitor.conversation.refused = True
            return None
        parts.append(read(response))
        done += size
    return _join(parts) if done >= len(batch) else None


async def _post(visitor: Visitor, batch: Images, road: Road) -> httpx.Response:
    """Put a batch to the model; try again while the key is not known yet or the gateway is not there."""
    body = {"instances": batch.astype(np.float64).round(4).tolist()}
    headers = {"Authorization": f"Bearer {visitor.key}"}
    for _ in range(_TRIES):
        try:
            async with road.turns:
                response = await road.http.post(road.url, json=body, headers=headers)
        except httpx.TransportError:
            await asyncio.sleep(_PAUSE)
            continue
        if response.status_code != HTTPStatus.UNAUTHORIZED and response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            return response
        await asyncio.sleep(_PAUSE)
    raise Broken(f"the gateway at {road.url} did not serve {visitor.name} in {_TRIES} tries")


def read(response: httpx.Response) -> Answers:
    """Return the answers of a 200: rows of probabilities, as they are or coarser. Raises Broken for anything else."""
    if response.status_code != HTTPStatus.OK:
        raise Broken(f"the gateway answered {response.status_code}: {response.text[:200]}")
    return as_answers(np.asarray(response.json()["predictions"], np.float64))


def _wait(response: httpx.Response) -> float:
    stated = response.headers.get("Retry-After", "")
    return min(float(stated), _PATIENCE) if stated.isdigit() else _PATIENCE


def _join(parts: list[Answers]) -> Answers:
    labels = np.concatenate([part.labels for part in parts])
    return Answers(labels, np.concatenate([part.probabilities for part in parts]))
