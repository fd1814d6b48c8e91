"""Times on the wire: RFC 3339 with an offset, microseconds at most; inside, µs since 1970 UTC."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_DIGITS_MAX = 6  # of a second: microseconds
_SECOND = len("2025-06-15T15:06:40")


def parse_time(text: str) -> int:
    """Return µs since 1970 UTC of an RFC 3339 time. Raises ValueError that says what is wrong with it."""
    second, fraction = text[:_SECOND], text[_SECOND:]
    if fraction == "Z":
        return _parse_second(second)
    digits = fraction[1:-1]
    if (
        len(digits) == _DIGITS_MAX
        and fraction[0] == "."
        and fraction[-1] == "Z"
        and digits.isascii()
        and digits.isdigit()
    ):
        return _parse_second(second) + int(digits)
    return _parse(text)


@lru_cache(maxsize=1024)  # queries of one second come together
def _parse_second(text: str) -> int:
    return _parse(text + "Z")


def _parse(text: str) -> int:
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 time")
    fraction, offset = match.groups()
    if offset is None:
        raise ValueError("no offset")
    if fraction is not None and len(fraction) > _DIGITS_MAX + 1:
        raise ValueError("finer than microseconds")
    if text[17:19] == "60":
        raise ValueError("a leap second")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError("no such date or time of day") from None
    return (moment - _EPOCH) // _MICROSECOND


def format_time(time: int) -> str:
    """Return `time`, µs since 1970 UTC, as RFC 3339 with `Z`; a fraction only where there is one.

    Raises OverflowError outside the years 1 to 9999.
    """
    moment = _EPOCH + timedelta(microseconds=time)
    return moment.replace(tzinfo=None).isoformat() + "Z"
