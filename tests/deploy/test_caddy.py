"""Caddy (Debian's) with deploy/caddy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gamekeeper.settings import environment
from tests.clients.debian import unpacked
from tests.consumers.road import free_port
from tests.deploy.front import Front, checks, configured, model, places, running
from tests.deploy.promises import Checked

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return Caddy."""
    return unpacked("caddy", tmp_path_factory.mktemp("debian")) / "usr/bin/caddy"


@contextmanager
def caddy(program: Path, api: str, folder: Path) -> Iterator[Front]:
    """Run Caddy in front of a model of its own."""
    with model() as behind:
        port, changed = places(api, behind.port)
        file = configured("caddy/Caddyfile", folder, changed)
        command = [str(program), "run", "--config", str(file), "--adapter", "caddyfile"]
        home = environment({"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)})
        with running(command, port, folder / "log", env=home) as url:
            yield Front(url, behind)


@pytest.fixture(scope="module")
def front(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Return Caddy that asks us."""
    folder = tmp_path_factory.mktemp("caddy")
    with checks(folder) as asked, caddy(program, asked.url, folder) as proxy:
        yield proxy


@pytest.fixture
def alone(program: Path, tmp_path: Path) -> Iterator[Front]:
    """Return Caddy that asks nobody."""
    with caddy(program, f"127.0.0.1:{free_port()}", tmp_path) as proxy:
        yield proxy


@pytest.mark.proves("Caddy", "with deploy/caddy a block is 403 and reaches no model; forged headers are dropped")
@pytest.mark.proves("Caddy", "with deploy/caddy a throttled client gets 429 with Retry-After")
@pytest.mark.proves("Caddy", "an unknown key is 401, and while the api is away queries pass")
class TestCaddy(Checked):
    """What Caddy keeps."""
