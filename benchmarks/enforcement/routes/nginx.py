"""nginx, which asks `gamekeeper api` by `auth_request`. Fetches Debian's package."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.enforcement.world import Way, World
from tests.clients.debian import unpacked
from tests.deploy.front import places
from tests.deploy.test_nginx import started


@contextmanager
def route(world: World) -> Iterator[Way]:
    """Start it with the configuration of deploy/."""
    program = unpacked("nginx", world.folder) / "usr/sbin/nginx"
    with started(program, places(f"127.0.0.1:{world.api}", world.model), world.folder) as url:
        yield Way(url)
