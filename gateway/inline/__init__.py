"""The guard, asked by somebody else's proxy before it passes a query on: whether, and under which decision.

`checks` decides; `door` answers over HTTP (nginx, Caddy, Traefik, Envoy) and `envoy` over gRPC. A check costs look-ups
in memory alone: the guard's threads keep decisions and keys up to date, as for our own gateway.
"""

from gateway.inline.checks import Checks, Names
from gateway.inline.door import within

__all__ = ["Checks", "Names", "within"]
