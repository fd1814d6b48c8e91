"""nginx (Debian's) with deploy/nginx."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients.debian import unpacked
from tests.consumers.road import free_port
from tests.deploy.front import Front, checks, configured, model, places, running
from tests.deploy.promises import Checked

pytestmark = pytest.mark.clients
SCRATCH = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")  # folders that the package would have made


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return nginx."""
    return unpacked("nginx", tmp_path_factory.mktemp("debian")) / "usr/sbin/nginx"


@contextmanager
def started(program: Path, where: tuple[int, dict[str, str]], folder: Path) -> Iterator[str]:
    """Run nginx with deploy/nginx, at these places; yield where it answers."""
    port, changed = where
    changed["/run/nginx.pid"] = str(folder / "pid")
    changed["access_log off;"] = "access_log off;" + "".join(f"{one}_temp_path {folder / one};" for one in SCRATCH)
    file = configured("nginx/nginx.conf", folder, changed)
    command = [str(program), "-c", str(file), "-p", str(folder), "-e", "stderr", "-g", "daemon off;"]
    with running(command, port, folder / "log") as url:
        yield url


@contextmanager
def nginx(program: Path, api: str, folder: Path) -> Iterator[Front]:
    """Run nginx in front of a model of its own."""
    with model() as behind, started(program, places(api, behind.port), folder) as url:
        yield Front(url, behind)


@pytest.fixture(scope="module")
def front(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Return nginx that asks us."""
    folder = tmp_path_factory.mktemp("nginx")
    with checks(folder) as asked, nginx(program, asked.url, folder) as proxy:
        yield proxy


@pytest.fixture
def alone(program: Path, tmp_path: Path) -> Iterator[Front]:
    """Return nginx that asks nobody."""
    with nginx(program, f"127.0.0.1:{free_port()}", tmp_path) as proxy:
        yield proxy


@pytest.mark.proves("nginx", "with deploy/nginx a block is 403 and reaches no model; forged headers are dropped")
@pytest.mark.proves("nginx", "with deploy/nginx a throttled client gets 429 with Retry-After")
@pytest.mark.proves("nginx", "an unknown key is 401, and while the api is away queries pass")
class TestNginx(Checked):
    """What nginx keeps."""
