"""Bodies of requests, within bounds of bytes and time, whatever their headers say; unpacked where they are packed."""

import asyncio
import zlib
from typing import NamedTuple

from starlette.requests import ClientDisconnect, Request

from gateway.faults import Fault, bad_input, too_large

WINDOWS = {"gzip": 31, "deflate": 15}  # zlib's wbits; HTTP's deflate is zlib's form (RFC 9110, 8.4.1.2)
DIGITS_MAX = 18  # of a length


class Bounds(NamedTuple):
    """What a body may be."""

    bytes: int  # unpacked
    seconds: float  # for it to arrive


async def read_body(request: Request, bounds: Bounds) -> bytes:
    """Return a request's body, unpacked. Raises Fault (400, 408, 413, 415)."""
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", *WINDOWS):
        raise Fault(415, "unknown_coding", f"Content-Encoding: {coding[:20]!r} is not one of {', '.join(WINDOWS)}")
    declared = whole(request.headers.get("content-length", "0"))
    if declared is None or declared > bounds.bytes:
        raise too_large(f"the body is over {bounds.bytes} bytes")
    try:
        async with asyncio.timeout(bounds.seconds):
            body = await _collect(request, bounds.bytes)
    except TimeoutError as error:
        raise Fault(408, "slow_body", f"the body did not arrive within {bounds.seconds:g} s") from error
    except ClientDisconnect as error:
        raise bad_input("disconnected", "the body ended too soon") from error
    return body if coding == "identity" else _unpacked(body, coding, bounds.bytes)


def whole(text: str) -> int | None:
    """Return the number in a header, or None where it holds none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX else None


async def _collect(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large(f"the body is over {limit} bytes")
    return bytes(body)


def _unpacked(body: bytes, coding: str, limit: int) -> bytes:
    """Unpack, and stop at the limit: a small body may claim to hold gigabytes."""
    unpacking = zlib.decompressobj(WINDOWS[coding])
    try:
        unpacked = unpacking.decompress(body, limit + 1)
    except zlib.error as error:
        raise bad_input("not_packed", f"the body is not {coding}") from error
    if len(unpacked) > limit:
        raise too_large(f"the body is over {limit} bytes when it is unpacked")
    if not unpacking.eof or unpacking.unused_data:
        raise bad_input("not_packed", f"the body is not one whole {coding} stream")
    return unpacked
