"""Rings when somebody decided, for all who wait for that: one ear at the database a process, not one an asker."""

import asyncio

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from consumers.store import outbox

EAR_SECONDS = 0.5  # it rings at least so often: a decision that no channel is owed makes no sound


class Bell:
    """Waiting for the next ring."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def next(self) -> asyncio.Event:
        """Return what is set at the next ring. Take it before you look, so that no ring is missed in between."""
        return self._next

    async def ring(self, engine: Engine) -> None:
        """Listen and ring, until cancelled."""
        while True:
            try:
                await run_in_threadpool(outbox.hear, engine, EAR_SECONDS)
            except SQLAlchemyError:  # who asks hears of it
                await asyncio.sleep(EAR_SECONDS)
            rung, self._next = self._next, asyncio.Event()
            rung.set()
