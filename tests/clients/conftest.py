"""The programs that the tests of this folder speak to, each started once, on free ports of this machine."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from tests.api.conftest import api, shared
from tests.clients.debian import unpacked
from tests.consumers.road import free_port, until

__all__ = ["api", "shared"]  # fixtures of this folder too

PASSWORD = "machine-canary"  # noqa: S105  # made up
BOUNCER = "bouncer-canary"


@dataclass(frozen=True)
class Lapi:
    """A local API of CrowdSec with one machine, "gamekeeper", and one bouncer."""

    url: str


@contextmanager
def running(command: list[str], ready: str, log: Path) -> Iterator[None]:
    """Run a program for as long as the context lasts, once it answers at the URL `ready`."""
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as process:
        try:
            until(lambda: process.poll() is not None or _answers(ready))
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def crowdsec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the root of the unpacked package."""
    return unpacked("crowdsec", tmp_path_factory.mktemp("crowdsec"))


@pytest.fixture
def lapi(crowdsec: Path, tmp_path: Path) -> Iterator[Lapi]:
    """Return CrowdSec 1.4's local API, new and empty, without a log processor and without its makers' central API."""
    port = free_port()
    config = _crowdsec(tmp_path, crowdsec, port)
    cscli = [str(crowdsec / "usr/bin/cscli"), "-c", str(config)]
    for command in (
        ["machines", "add", "gamekeeper", "--password", PASSWORD, "-f", str(tmp_path / "machine.yaml")],
        ["bouncers", "add", "b", "-k", BOUNCER],
    ):
        subprocess.run([*cscli, *command], check=True, capture_output=True)
    command = [str(crowdsec / "usr/bin/crowdsec"), "-c", str(config), "-no-cs", "-no-capi"]
    url = f"http://127.0.0.1:{port}"
    with running(command, f"{url}/health", tmp_path / "log"):
        yield Lapi(url)


def _crowdsec(folder: Path, root: Path, port: int) -> Path:
    """Write CrowdSec's configuration and return its path."""
    for name, content in {"index.json": "{}", "simulation.yaml": "simulation: false\n", "credentials.yaml": ""}.items():
        (folder / name).write_text(content)
    config = {
        "common": {"daemonize": False, "log_media": "stdout"},
        "config_paths": {
            "config_dir": folder,
            "data_dir": folder,
            "hub_dir": folder,
            "index_path": folder / "index.json",
            "simulation_path": folder / "simulation.yaml",
        },
        "crowdsec_service": {"enable": False},
        "cscli": {"output": "human"},
        "db_config": {"type": "sqlite", "db_path": folder / "crowdsec.db"},
        "api": {
            "client": {"credentials_path": folder / "credentials.yaml"},
            "server": {"listen_uri": f"127.0.0.1:{port}", "profiles_path": root / "etc/crowdsec/profiles.yaml"},
        },
    }
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(_plain(config)))
    return file


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return str(value) if isinstance(value, Path) else value


@pytest.fixture(scope="session")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of an Alertmanager that tells nobody."""
    folder, port = tmp_path_factory.mktemp("alertmanager"), free_port()
    root = unpacked("prometheus-alertmanager", folder)
    (folder / "config.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    program = [
        str(root / "usr/bin/prometheus-alertmanager"),
        f"--config.file={folder / 'config.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    # It reads its template from /usr/share, where the package is not installed: it gets a /usr/share of its own.
    shell = 'mount --bind "$0" /usr/share && exec "$@"'
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", shell, str(root / "usr/share"), *program]
    url = f"http://127.0.0.1:{port}"
    with running(command, f"{url}/-/ready", folder / "log"):
        yield url


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False
