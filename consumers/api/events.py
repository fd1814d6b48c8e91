"""Decisions as they are taken, as server-sent events: what is in force first, then what comes.

The id of an event is a point in the log of decisions. Whoever comes back with it (`Last-Event-ID`) gets everything that
was committed since, however many write at the same time.
"""

import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool

from consumers.api.doors import Reader
from consumers.api.house import Shared
from consumers.store import points
from detector.records import encode_decision

STREAM_SECONDS = 300.0  # then the client comes back, as the standard has it, and its key is looked at again

router = APIRouter(prefix="/api/v1", tags=["decisions"])


def _since(house: Shared, last_event_id: Annotated[str | None, Header(max_length=10_000)] = None) -> str | None:
    """Return the point that the client has heard up to. One of another life of the database is none."""
    if last_event_id is None or points.fits(house.engine, last_event_id):
        return last_event_id
    if not points.FORM.fullmatch(last_event_id):
        raise HTTPException(400, "last-event-id: take it from the `id` of an event")
    return None


async def _place(house: Shared) -> AsyncIterator[None]:
    """Take a place as long as the stream lasts."""
    if house.streams.locked():
        raise HTTPException(503, "too many streams", {"Retry-After": "5"})
    async with house.streams:
        yield


@router.get("/decisions/events", response_class=EventSourceResponse, dependencies=[Depends(_place)])
async def events(
    house: Shared, _reader: Reader, since: Annotated[str | None, Depends(_since)]
) -> AsyncIterator[ServerSentEvent]:
    """Send `decision` events (as on the topic), and `complete` with an id when those up to a point were sent."""
    end = time.monotonic() + STREAM_SECONDS
    seen, quiet = since, False
    while time.monotonic() < end:
        ring = house.bell.next()
        upto = (await run_in_threadpool(points.now, house.engine)).seen
        pages = points.active(house.engine) if seen is None else points.between(house.engine, seen, upto)
        async for page in iterate_in_threadpool(pages):
            quiet = False
            for one in page:
                yield ServerSentEvent(event="decision", raw_data=encode_decision(one).decode())
        if not quiet:
            yield ServerSentEvent(event="complete", raw_data="{}", id=upto)
        seen, quiet = upto, True
        await ring.wait()
