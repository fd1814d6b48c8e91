"""The table of other people's clients is what the tests say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import proofs


def test_the_documentation_has_the_proofs_that_there_are() -> None:
    """docs/integrations.md ends with the table; `python -m tests.proofs` writes it anew."""
    assert proofs.DOCS.read_text(encoding="utf-8").endswith(proofs.table())


def test_every_client_proves_something() -> None:
    """A client that is named is one that a test runs, and the other way round."""
    assert {one.client for one in proofs.proofs()} == set(proofs.CLIENTS)


def test_marks_are_read_as_pytest_reads_them(request: pytest.FixtureRequest) -> None:
    """Of the tests that this session collected, the source says the same as the marks."""
    marks = [({*one.nodeid.split("::")}, *mark.args) for one in request.session.items for mark in _marks(one)]
    said = {(one.client, one.what): one.test.rpartition("::")[2] for one in proofs.proofs()}
    for names, client, what in marks:
        assert said[client, what] in {name.partition("[")[0] for name in names}  # of the test, or of its class


SAMPLE = """
import pytest
from tests.proofs import NotHad

@pytest.fixture
def program():
    raise NotHad("there is no such package")

@pytest.mark.proves("nginx", "it blocks")
def test_nginx(program):
    pass

@pytest.mark.proves("caddy", "it blocks too")
def test_caddy():
    pass

@pytest.mark.proves("envoy", "it blocks as well")
def test_envoy():
    assert False
"""


def test_every_outcome_is_told(tmp_path: Path) -> None:
    """What passed, what failed, and what could not be had and why, also where other processes run the tests."""
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    quick = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # a second less for each of the two processes
    plugins = ["-p", "xdist", "-n", "1", "-p", "tests.proofs", "-c", os.devnull, f"--rootdir={tmp_path}"]
    command = [sys.executable, "-m", "pytest", *plugins, str(tmp_path)]
    run = subprocess.run(command, cwd=proofs.ROOT, env=quick, capture_output=True, text=True, check=False)
    for line in (
        "nginx: skipped: it blocks (Skipped: there is no such package)",
        "caddy: passed: it blocks too",
        "envoy: failed: it blocks as well",
    ):
        assert line in run.stdout.splitlines(), run.stdout + run.stderr


def _marks(test: pytest.Item) -> list[pytest.Mark]:
    return list(test.iter_markers(proofs.MARK))
