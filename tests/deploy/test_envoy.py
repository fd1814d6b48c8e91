"""Envoy (from PyPI) with the configurations of deploy/envoy."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.consumers.road import free_port
from tests.deploy.front import Front, checks, configured, model, places, running
from tests.deploy.promises import Checked

ENVOY = str(Path(sys.executable).parent / "envoy")


@contextmanager
def started(name: str, where: tuple[int, dict[str, str]], folder: Path) -> Iterator[str]:
    """Run Envoy with a configuration of deploy/envoy, at these places; yield where it answers."""
    port, changed = where
    if name == "grpc":
        changed["8082"] = changed.pop("8081")
    file = configured(f"envoy/{name}.yaml", folder, changed)
    command = [ENVOY, "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
    with running(command, port, folder / f"{name}.log") as url:
        yield url


@contextmanager
def envoy(name: str, api: str, folder: Path) -> Iterator[Front]:
    """Run Envoy in front of a model of its own."""
    with model() as behind, started(name, places(api, behind.port), folder) as url:
        yield Front(url, behind)


@pytest.fixture(scope="module", params=["http", "grpc"])
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Return Envoy that asks us, over HTTP or over gRPC."""
    folder = tmp_path_factory.mktemp("envoy")
    with checks(folder) as asked:
        api = asked.url if request.param == "http" else asked.grpc
        with envoy(request.param, api, folder) as proxy:
            yield proxy


@pytest.fixture(params=["http", "grpc"])
def alone(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Front]:
    """Return Envoy that asks nobody."""
    with envoy(request.param, f"127.0.0.1:{free_port()}", tmp_path) as proxy:
        yield proxy


@pytest.mark.proves("Envoy", "with deploy/envoy a block is 403 and reaches no model; forged headers are dropped")
@pytest.mark.proves("Envoy", "with deploy/envoy a throttled client gets 429 with Retry-After")
@pytest.mark.proves("Envoy", "an unknown key is 401, and while the api is away queries pass")
class TestEnvoy(Checked):
    """What Envoy keeps."""
