"""Numbers in words, the same on a terminal and on a page."""

import math
from datetime import datetime

from consumers.store.facts import FOREVER

SCALES = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))
ODDS_MAX = 34.5  # nats: a thousand trillion; beyond it a number tells nobody more


def odds(nats: float | None) -> str:
    """Return in words how rarely an ordinary client comes so far: at most exp(-nats)."""
    if nats is None or nats <= 0:
        return "unknown"
    if nats >= ODDS_MAX:
        return "less than 1 in 1,000 trillion"
    one_in = math.exp(nats)
    for size, word in SCALES:
        if one_in >= size:
            return f"1 in {one_in / size:,.0f} {word}"
    return f"1 in {float(f'{one_in:.2g}'):,.0f}"


def moment(time: datetime | None) -> str:
    """Return a time in UTC, to the second."""
    return "no end" if time is None or time >= FOREVER else f"{time:%F %T}Z"
