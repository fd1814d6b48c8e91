"""The production layout keeps the compose schema and our own promises about it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
OURS = ("migrate", "topics", "detect-1", "detect-2", "deliver", "api", "gateway")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Return the services of docker-compose.yml with its anchors resolved."""
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    found: dict[str, Any] = document["services"]
    return found


def test_compose_file_keeps_the_schema() -> None:
    """The Compose Specification's own schema accepts the file."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    result = subprocess.run([*command, str(ROOT / "docker-compose.yml")], capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", OURS)
def test_our_services_run_confined(services: dict[str, Any], name: str) -> None:
    """Each of our processes is non-root, on a read-only file system, and comes back after a failure."""
    service = services[name]

    assert service["read_only"] is True
    assert not service["user"].startswith("0")
    assert service["cap_drop"] == ["ALL"]
    assert service["restart"] in {"unless-stopped", "on-failure"}


@pytest.mark.parametrize("name", ["kafka", "postgres", "detect-1", "detect-2", "deliver", "api", "gateway"])
def test_long_running_services_are_watched(services: dict[str, Any], name: str) -> None:
    """Each long-running service has a health check."""
    assert services[name]["healthcheck"]["test"]


def test_no_secret_stands_in_the_file(services: dict[str, Any]) -> None:
    """Passwords, tokens and signing secrets come by file only."""
    for service in services.values():
        given = service.get("environment", {})
        plain = [name for name in given if name.endswith(("SECRET", "TOKEN", "PASSWORD", "DATABASE_URL"))]
        assert plain == []


def test_the_image_runs_as_nobody_in_particular() -> None:
    """The last user that the Dockerfile names, whom processes run as, is not root."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in {"root", "0"}
    assert any("--uid 10001" in line and users[-1] in line for line in lines)
