"""The RateLimit header fields of draft-ietf-httpapi-ratelimit-headers-11: lists of structured fields (RFC 9651).

The unit of `q` and `r` is a row. `t` is how long `r` lasts at the limit's own rate, so that a client which spreads what
is left over `t` is not refused; of a quota how long its day or month still lasts, of a limit that refused the wait.
"""

from collections.abc import Iterable, Mapping

from gateway.limits.counts import Count
from gateway.limits.windows import Window

Standing = tuple[Window, Count]


def fields(standing: Iterable[Standing], short: int = 0) -> Mapping[str, str]:
    """Return RateLimit-Policy and RateLimit for how windows stand; those with less left than `short` have refused."""
    policies, states = [], []
    for window, (left, wait) in standing:
        policies.append(window.said)
        seconds = wait if window.ends is not None or left < short else -(-left * window.seconds // window.rows)
        states.append(f'"{window.name}";r={left};t={max(1, seconds)}')
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)} if policies else {}
