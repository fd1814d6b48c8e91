"""What CrowdSec's local API offers to bouncers: pulling decisions, and telling of what they did with them."""

import ipaddress
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import chain
from typing import IO, Annotated

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, IPvAnyAddress, PlainValidator, StringConstraints
from sqlalchemy import Engine

from consumers import metrics
from consumers.api import crowdsec
from consumers.api.crowdsec import Remedy, Wanted
from consumers.api.doors import Bouncer
from consumers.api.forms import NO_NUL
from consumers.api.house import Shared
from consumers.store import points, pulls
from consumers.store.chores import FORGET
from consumers.store.pulls import FIRST, Cursor, Name
from detector.decision import Scope

NETWORK_SCOPES = "ip,range"  # for who asks for none: others have made bouncers of addresses fail
MEMORY = 1 << 20  # bytes of `deleted` held back in memory while `new` is sent; the rest waits in a file
CHUNK = 1 << 16  # bytes
UNPACKED_BYTES = 1 << 22  # of usage metrics
GZIP = 31  # zlib's wbits
COUNTED = ("processed", "dropped")  # of the metrics that bouncers tell; others are gauges

router = APIRouter(prefix="/v1", tags=["bouncers"])


def _wanted(
    origins: Annotated[str | None, Query()] = None,
    scenarios_containing: Annotated[str | None, Query()] = None,
    scenarios_not_containing: Annotated[str | None, Query()] = None,
) -> Wanted:
    """Return which decisions are asked for, but for their scopes."""
    return Wanted(origins=crowdsec.origins(origins, scenarios_containing, scenarios_not_containing))


Asked = Annotated[Wanted, Depends(_wanted)]


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(text: str) -> Network:
    """Read a network by any of its addresses, as Go does."""
    return ipaddress.ip_network(text, strict=False)


class Subject(BaseModel):
    """What `GET /v1/decisions` may be narrowed to."""

    scopes: str | None = None
    scope: str | None = None
    value: Annotated[str, StringConstraints(pattern=NO_NUL)] | None = None
    ip: IPvAnyAddress | None = None
    range: Annotated[Network | None, PlainValidator(_network)] = None
    type: str | None = None
    contains: bool = True  # or, if not, is contained in

    def among(self, known: tuple[Scope, ...]) -> tuple[Scope, ...]:
        """Return the scopes that are asked for."""
        named = ",".join(filter(None, (self.scope, self.scopes)))
        asked = crowdsec.scopes(named) if named else known
        return asked if self.network is None else tuple(scope for scope in asked if scope is Scope.IP)

    @property
    def network(self) -> Network | None:
        """The network that is asked for; of one address, that alone."""
        return self.range if self.ip is None else ipaddress.ip_network(self.ip)

    @property
    def exact(self) -> str | None:
        """The one value that can fit, if there is only one: our decisions are on single addresses."""
        if self.network is None or not self.contains:
            return self.value
        return str(self.network.network_address if self.network.num_addresses == 1 else self.network)

    def holds(self, value: str) -> bool:
        """Tell whether a value lies within the network that is asked for, if one is."""
        return self.network is None or ipaddress.ip_address(value) in self.network


@router.get("/decisions/stream")
def stream(
    house: Shared, bouncer: Bouncer, asked: Asked, *, startup: bool = False, scopes: str | None = None
) -> StreamingResponse:
    """Tell what changed since the bouncer last pulled; at its start, everything that is in force."""
    wanted = replace(asked, scopes=crowdsec.scopes(scopes or NETWORK_SCOPES))
    cursor = None if startup else pulls.cursor(house.engine, bouncer)
    return _sent(_stream(house.engine, bouncer, wanted, cursor))


@router.get("/decisions")
def decisions(
    house: Shared, _bouncer: Bouncer, asked: Asked, subject: Annotated[Subject, Query()]
) -> StreamingResponse:
    """Tell what is in force, all or of one value; `null` when nothing is."""
    wanted = replace(asked, scopes=subject.among(asked.scopes), actions=crowdsec.actions(subject.type))
    return _sent(_list(house.engine, wanted, subject))


@router.head("/decisions/stream")
@router.head("/decisions")
def head(_bouncer: Bouncer) -> Response:
    """Say that the key is good; no cursor moves."""
    return Response(media_type="application/json")


class _Item(msgspec.Struct):
    name: str
    value: float


class _Metrics(msgspec.Struct):
    items: list[_Item] = []


class _Component(msgspec.Struct):
    metrics: list[_Metrics] | None = None


class _Usage(msgspec.Struct):
    """What bouncers say they did; who is no bouncer (`log_processors`) is not heard."""

    remediation_components: list[_Component] | None = None


_USAGE = msgspec.json.Decoder(_Usage)


@router.post("/usage-metrics", status_code=201)
async def usage(request: Request, bouncer: Bouncer) -> Response:
    """Count what a bouncer says it did."""
    body = await request.body()
    if request.headers.get("content-encoding", "").strip().lower() == "gzip":
        body = _unpacked(body)
    try:
        said = _USAGE.decode(body)
    except msgspec.DecodeError as error:
        raise HTTPException(400, f"usage metrics: {error}") from error
    told = [one for component in said.remediation_components or [] for one in component.metrics or []]
    for item in chain.from_iterable(one.items for one in told):
        if item.name in COUNTED:
            metrics.BOUNCER_REQUESTS.labels(bouncer.name, item.name).inc(max(item.value, 0.0))
    return Response(status_code=201)


def _sent(chunks: Iterator[bytes]) -> StreamingResponse:
    """Send chunks as they are made. The first is made now: what fails before anything was sent is an honest 503."""
    return StreamingResponse(chain([next(chunks)], chunks), media_type="application/json")


def _stream(engine: Engine, bouncer: pulls.Bouncer, wanted: Wanted, cursor: Cursor | None) -> Iterator[bytes]:
    """Yield `{"new":[...],"deleted":[...]}`; the cursor moves when all of it was taken."""
    point = points.now(engine)
    if cursor is None:
        since = point.at - FORGET
        page = partial(pulls.held, engine, wanted.scopes, since)
    else:
        since, page = cursor.base.at, partial(pulls.changed, engine, wanted.scopes, (cursor.base, point.at))
    with tempfile.SpooledTemporaryFile(MEMORY) as deleted:
        opening = b'{"new":['
        for new, over in _changes(engine, _paged(page), wanted, (since, point.at)):
            _append(deleted, over)
            if new:
                yield opening + _joined(new)
                opening = b","
        yield (opening if opening != b"," else b"") + b'],"deleted":['
        deleted.seek(0)
        while chunk := deleted.read(CHUNK):
            yield chunk
        yield b"]}"
    pulls.move(engine, bouncer, Cursor(point) if cursor is None else cursor.moved(point))


def _list(engine: Engine, wanted: Wanted, subject: Subject) -> Iterator[bytes]:
    """Yield a list of what is in force, or `null`: with an empty one clients of CrowdSec crash."""
    now = points.now(engine).at
    if subject.exact is None:
        pages = _paged(partial(pulls.held, engine, wanted.scopes, now))
    else:
        pages = iter([[(scope.value, subject.exact) for scope in wanted.scopes]])
    opening = b"["
    for new, _ in _changes(engine, pages, wanted, (now, now)):
        fitting = [remedy for remedy in new if subject.holds(remedy.value)]
        if fitting:
            yield opening + _joined(fitting)
            opening = b","
    yield b"null" if opening == b"[" else b"]"


def _changes(
    engine: Engine, pages: Iterator[list[Name]], wanted: Wanted, times: tuple[datetime, datetime]
) -> Iterator[tuple[list[Remedy], list[Remedy]]]:
    """Yield what is new and what is deleted of each page of names; `times` are since when, and now."""
    since, now = times
    for names in pages:
        known = [value for value in pulls.values(engine, names, since, now) if crowdsec.showable(value)]
        found = [crowdsec.changes(value, wanted, now) for value in known]
        yield [new for new, _ in found if new is not None], list(chain.from_iterable(over for _, over in found))


def _paged(page: Callable[[Name], list[Name]]) -> Iterator[list[Name]]:
    names = page(FIRST)
    while names:
        yield names
        names = page(names[-1]) if len(names) == pulls.PAGE else []


def _append(file: IO[bytes], remedies: Sequence[Remedy]) -> None:
    if remedies:
        file.write((b"," if file.tell() else b"") + _joined(remedies))


def _joined(remedies: Sequence[Remedy]) -> bytes:
    """Return the inside of a JSON list."""
    return msgspec.json.encode(remedies)[1:-1]


def _unpacked(body: bytes) -> bytes:
    """Unpack gzip, and stop at the limit: a small body may claim to hold gigabytes."""
    unpacking = zlib.decompressobj(GZIP)
    try:
        unpacked = unpacking.decompress(body, UNPACKED_BYTES + 1)
    except zlib.error as error:
        raise HTTPException(400, "the body is not gzip") from error
    if len(unpacked) > UNPACKED_BYTES:
        raise HTTPException(413, f"the body is over {UNPACKED_BYTES} bytes when it is unpacked")
    return unpacked
