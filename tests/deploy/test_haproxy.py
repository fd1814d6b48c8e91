"""HAProxy (Debian's) with deploy/haproxy, and our channel at its real runtime socket."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from consumers.channels import haproxy
from consumers.channels.endpoint import Endpoint
from consumers.channels.outcome import Delivered
from detector.decision import ANY_MODEL, Action, Decision, Key, Origin, Scope
from detector.records import encode_decision
from gamekeeper.settings import environment
from tests.clients.debian import unpacked
from tests.consumers.owing import delivery
from tests.deploy.front import DECISIONS, Front, configured, model, places, running
from tests.deploy.promises import Promises
from tests.gateway.build import decision

pytestmark = pytest.mark.clients
PACKAGES = ("haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1")
LIBRARIES = "usr/lib/x86_64-linux-gnu"


@dataclass(frozen=True)
class Program:
    """HAProxy and what it needs to run."""

    path: str
    libraries: str


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Return HAProxy, its libraries beside it."""
    folder = tmp_path_factory.mktemp("debian")
    roots = [unpacked(package, folder) for package in PACKAGES]
    return Program(str(roots[0] / "usr/sbin/haproxy"), ":".join(str(root / LIBRARIES) for root in roots))


@contextmanager
def started(program: Program, file: Path, port: int) -> Iterator[str]:
    """Run HAProxy until the block ends."""
    env = environment({"LD_LIBRARY_PATH": program.libraries})
    with running([program.path, "-f", str(file), "-db"], port, file.parent / "log", env=env) as url:
        yield url


@dataclass(frozen=True)
class Place:
    """A HAProxy that does not run yet, and how our channel reaches it."""

    program: Program
    file: Path
    port: int
    endpoint: Endpoint

    def tell(self, *decisions: Decision) -> None:
        """Tell it of decisions."""
        for one in decisions:
            assert haproxy.send(delivery("haproxy", encode_decision(one)), self.endpoint) == Delivered()


def placed(program: Program, folder: Path, model_port: int) -> Place:
    """Write its configuration, with an empty map."""
    map_file, socket = folder / "gamekeeper.map", folder / "admin.sock"
    map_file.touch()
    port, changed = places("", model_port)
    del changed["8081"]
    changed |= {"/etc/haproxy/gamekeeper.map": str(map_file), "/run/haproxy/admin.sock": str(socket)}
    file = configured("haproxy/haproxy.cfg", folder, changed)
    return Place(program, file, port, Endpoint("haproxy", "edge", f"unix://{socket}?map={map_file}"))


@pytest.fixture(scope="module")
def front(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Return HAProxy that was told of the decisions."""
    with model() as behind:
        place = placed(program, tmp_path_factory.mktemp("haproxy"), behind.port)
        with started(program, place.file, place.port) as url:
            place.tell(*DECISIONS)
            yield Front(url, behind, "x-client-id", "{}")


@pytest.mark.proves("HAProxy", "with deploy/haproxy a block is 403 and reaches no model; forged headers are dropped")
@pytest.mark.proves("HAProxy", "with deploy/haproxy a throttled client gets 429 with Retry-After")
class TestHaproxy(Promises):
    """What HAProxy keeps."""


@pytest.mark.proves("HAProxy", "its map follows decisions: blocked, lifted, over, on the allowlist")
def test_decisions_come_and_go(program: Program, tmp_path: Path) -> None:
    """A block holds until it is lifted, is over, or the allowlist says otherwise; odd names are names."""
    odd = 'a;b \\c"é'
    with model() as behind:
        place = placed(program, tmp_path, behind.port)
        with started(program, place.file, place.port) as url:
            front = Front(url, behind, "x-client-id", "{}")
            key = Key(Scope.CLIENT, "bob", "digits")
            for held, status in (
                (decision(key=key), 403),
                (decision(key=key, action=Action.ALLOW), 200),
                (decision(key=key, until=1_700_000_000_000_000), 200),
                (decision(key=Key(Scope.CLIENT, "bob", "other")), 200),
                (decision(key=Key(Scope.CLIENT, "bob", ANY_MODEL)), 403),
                (decision(key=key, action=Action.ALLOW, origin=Origin.ALLOWLIST), 200),
                (decision(key=Key(Scope.CLIENT, odd, ANY_MODEL)), 200),
            ):
                place.tell(held)
                assert front.ask("bob").status_code == status
            assert front.ask(odd).status_code == 403


@pytest.mark.proves("HAProxy", "started again it is given everything in force")
def test_a_restart_is_noticed(program: Program, tmp_path: Path) -> None:
    """The map of a HAProxy that has started again is filled again, once."""
    asked: list[str] = []
    with model() as behind:
        place = placed(program, tmp_path, behind.port)
        for _ in range(2):
            with started(program, place.file, place.port) as url:

                def owe() -> None:
                    asked.append("owed")
                    place.tell(decision(key=Key(Scope.CLIENT, "thief", ANY_MODEL)))

                haproxy.refill(place.endpoint, owe)
                haproxy.refill(place.endpoint, owe)
                assert Front(url, behind, "x-client-id", "{}").ask("thief").status_code == 403
    assert asked == ["owed", "owed"]
