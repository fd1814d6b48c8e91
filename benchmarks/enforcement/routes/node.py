"""CrowdSec's bouncer for Node.js, which pulls ten times a second. It knows addresses alone."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.bouncers import node
from benchmarks.enforcement.world import SAID, Way, World
from consumers.store import keys

EVERY_MS = 100


@contextmanager
def route(world: World) -> Iterator[Way]:
    """Start it with a key of its own."""
    folder = world.folder / "node"
    folder.mkdir()
    key = keys.add_bouncer_key(world.engine, "node", SAID).secret
    with node.bouncing(node.installed(folder), f"http://127.0.0.1:{world.api}", key, EVERY_MS) as url:
        yield Way(url, addresses=True)
