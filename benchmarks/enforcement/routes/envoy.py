"""Envoy, which asks `gamekeeper api` over gRPC."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.enforcement.world import Way, World
from tests.deploy.front import places
from tests.deploy.test_envoy import started


@contextmanager
def route(world: World) -> Iterator[Way]:
    """Start it with the configuration of deploy/."""
    with started("grpc", places(f"127.0.0.1:{world.grpc}", world.model), world.folder) as url:
        yield Way(url)
