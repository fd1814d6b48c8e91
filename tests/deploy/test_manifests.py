"""deploy/kubernetes and deploy/systemd: whole, confined, and speaking of settings and commands that there are."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer.main
import yaml

from gamekeeper.cli import app
from gamekeeper.settings import SETTINGS
from tests.consumers.road import ROOT

KUBERNETES, SYSTEMD = ROOT / "deploy" / "kubernetes", ROOT / "deploy" / "systemd"
VERSION = "1.31"  # the oldest that the manifests are for
KUSTOMIZATION = "kustomization.yaml"
FILES = sorted(file.name for file in KUBERNETES.glob("*.yaml") if file.name != KUSTOMIZATION)
UNITS = sorted(file.name for file in SYSTEMD.iterdir() if file.suffix in {".service", ".timer", ".target"})
OURS = {setting.name for setting in SETTINGS} | {f"{setting.name}_FILE" for setting in SETTINGS if setting.secret}
THEIRS = {"NUMBA_CACHE_DIR"}
PROGRAM = "/opt/gamekeeper/bin/gamekeeper"
COMMANDS = set(vars(typer.main.get_command(app))["commands"])
SECRETS = {setting.name for setting in SETTINGS if setting.secret}


def resources(name: str) -> list[dict[str, Any]]:
    """Return the resources of a file."""
    return list(yaml.safe_load_all((KUBERNETES / name).read_text(encoding="utf-8")))


def pods() -> list[dict[str, Any]]:
    """Return the pods' templates of all files."""
    specs = [one["spec"] for name in FILES for one in resources(name) if "spec" in one]
    specs = [spec.get("jobTemplate", {}).get("spec", spec) for spec in specs]
    return [spec["template"] for spec in specs if "template" in spec]


def environment() -> set[str]:
    """Return the names of what manifests and units set."""
    named = {one["name"] for pod in pods() for box in pod["spec"]["containers"] for one in box.get("env", [])}
    shared = {name for file in FILES for one in resources(file) for name in one.get("data", {})}
    units = "\n".join(file.read_text(encoding="utf-8") for file in SYSTEMD.iterdir())
    lines = re.findall(r"^(?:Environment=)?((?:[A-Z_]{4,}=\S+ ?)+)$", units, re.MULTILINE)
    return named | shared | {pair.partition("=")[0] for line in lines for pair in line.split()}


@pytest.mark.parametrize("name", FILES)
def test_kubernetes_knows_every_member(name: str) -> None:
    """Its own schema accepts each resource, and nothing in it is misspelt."""
    for resource in resources(name):
        kubernetes_validate.validate(resource, VERSION, strict=True)


def test_all_files_are_applied() -> None:
    """The kustomization leaves none out."""
    assert sorted(resources(KUSTOMIZATION)[0]["resources"]) == FILES


def test_pods_run_confined() -> None:
    """Each is non-root on a read-only file system, without capabilities and without a token of the cluster."""
    assert len(pods()) == 7
    for pod in pods():
        spec, [box] = pod["spec"], pod["spec"]["containers"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        assert box["securityContext"]["readOnlyRootFilesystem"] is True
        assert box["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert box["resources"]["limits"]["memory"]


def test_only_what_there_is_is_run_and_set() -> None:
    """Commands are ours; a setting that nobody reads would be silently in vain; secrets come by file."""
    run = {argument for pod in pods() for argument in pod["spec"]["containers"][0]["args"]}
    units = [(SYSTEMD / name).read_text(encoding="utf-8") for name in UNITS]
    started = {command for unit in units for command in re.findall(rf"ExecStart={PROGRAM} (.+)", unit)}
    assert run == {"migrate", "topics", "detect", "deliver", "api", "gateway", "retain"}
    assert started == run - {"migrate", "topics"}
    assert run <= COMMANDS
    assert environment() >= {"KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL_FILE", "GAMEKEEPER_METRICS_PORT"}
    assert environment() <= OURS | THEIRS
    assert not environment() & SECRETS


def test_services_find_their_pods() -> None:
    """What each selects are the labels of one of the pods."""
    labels = [pod["metadata"]["labels"] for pod in pods()]
    services = [one for name in FILES for one in resources(name) if one["kind"] == "Service"]
    assert {one["metadata"]["name"] for one in services} == {"api", "detect", "gateway"}
    assert all(one["spec"]["selector"] in labels for one in services)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd-analyze")
def test_systemd_knows_every_line(tmp_path: Path) -> None:
    """It would load each unit, with a program that is there."""
    for name in UNITS:
        text = (SYSTEMD / name).read_text(encoding="utf-8").replace(PROGRAM, sys.executable)
        (tmp_path / name.replace("@", "@1")).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
