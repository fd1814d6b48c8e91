"""The ways that a decision takes to whoever enforces it. One file a way; add one by adding its name here."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TypeAlias

from benchmarks.enforcement.routes import envoy, nginx, node, push, topic
from benchmarks.enforcement.world import Way, World

Route: TypeAlias = Callable[[World], AbstractContextManager[Way]]

ROUTES: Mapping[str, Route] = {
    "topic": topic.route,
    "push": push.route,
    "envoy": envoy.route,
    "nginx": nginx.route,
    "node": node.route,
}
