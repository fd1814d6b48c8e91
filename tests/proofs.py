"""Which of other people's clients the tests run, and what each proved: a mark on a test, a table, a summary.

A test says `@pytest.mark.proves("nginx", "a blocked key gets 403")`, as often as it proves something of a client; the
client has a line in CLIENTS. `python -m tests.proofs` writes the table of docs/integrations.md anew.
"""

import ast
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "integrations.md"
MARK = "proves"
HEADING = "## What was proven\n"  # the rest of the document is made from here on

CLIENTS = {  # and where the tests get it from
    "@crowdsec/nodejs-bouncer": "npm",
    "Alertmanager": "Debian",
    "Caddy": "Debian",
    "CrowdSec": "Debian",
    "crowdsec-custom-bouncer": "Debian",
    "crowdsec-firewall-bouncer": "Debian",
    "Envoy": "PyPI",
    "HAProxy": "Debian",
    "nginx": "Debian",
    "pycrowdsec": "PyPI",
    "standardwebhooks": "PyPI",
    "py-ocsf-models": "PyPI",
}
NOT_HAD = {  # on any machine, and why
    "Traefik and its CrowdSec plugin": "no package in Debian, PyPI or npm, and no Go module to be had",
    "caddy-crowdsec-bouncer, cs-haproxy-spoa-bouncer, envoy bouncer": "no package, and no Go module to be had",
    "lua-cs-bouncer (nginx)": "needs lua-resty-http, which Debian 12 has not",
    "Kong, APISIX": "no package in Debian, PyPI or npm",
    "Slack, Microsoft Teams, PagerDuty": "services: their forms are checked, nothing is sent to them",
}
COMMANDS = {"clients": "make test-clients", "slow": "make test-slow"}  # by a test's mark; without one, `make test`


class NotHad(Exception):  # noqa: N818  # it is a fact about the machine, not an error of ours
    """A client cannot be had on this machine; says why. Its tests are skipped, and the summary names it."""


@dataclass(frozen=True, slots=True, order=True)
class Proof:
    """What a test proves of a client."""

    client: str
    what: str
    test: str
    command: str


@cache
def proofs() -> list[Proof]:
    """Return what all tests there are say they prove, read from their source: no test need be imported."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return sorted(proof for file in files for proof in _of(file))


def table() -> str:
    """Return the part of docs/integrations.md that is made."""
    lines = ["| client | from | proved | by | in |", "|---|---|---|---|---|"]
    named = ""
    for one in proofs():
        who = f"{one.client} | {CLIENTS[one.client]}" if one.client != named else " | "
        lines.append(f"| {who} | {one.what} | `{one.test}` | `{one.command}` |")
        named = one.client
    absent = ["| not to be had | why |", "|---|---|", *(f"| {who} | {why} |" for who, why in NOT_HAD.items())]
    return "\n".join([HEADING, *lines, "", *absent, ""])


def _of(file: Path) -> Iterator[Proof]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    whole = [
        ast.unparse(node.value) for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and node.value
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            marks = [ast.unparse(one) for one in node.decorator_list]
            command = next(
                (run for mark, run in COMMANDS.items() if f"pytest.mark.{mark}" in marks + whole), "make test"
            )
            test = f"{file.relative_to(ROOT / 'tests')}::{node.name}"
            for client, what in _said(node):
                yield Proof(client, what, test, command)


def _said(test: ast.FunctionDef | ast.ClassDef) -> Iterator[tuple[str, str]]:
    for one in test.decorator_list:
        if isinstance(one, ast.Call) and ast.unparse(one.func) == f"pytest.mark.{MARK}":
            client, what = map(ast.literal_eval, one.args)
            yield client, what


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each report say what its test proves, also one that another process writes."""
    for item in items:
        item.user_properties.extend((MARK, [*mark.args]) for mark in item.iter_markers(MARK))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup() -> Generator[None, object, object]:
    """Skip the tests of a client that cannot be had, with the reason."""
    try:
        return (yield)
    except NotHad as error:
        pytest.skip(str(error))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print which clients ran and what each proved, and which did not, and why."""
    lines = sorted(
        (client, f"{outcome}: {what}{_reason(report)}")
        for outcome in ("passed", "failed", "error", "skipped")
        for report in terminalreporter.stats.get(outcome, ())
        for name, (client, what) in getattr(report, "user_properties", ())
        if name == MARK
    )
    if lines:
        terminalreporter.section("other people's clients")
        for client, line in dict.fromkeys(lines):
            terminalreporter.line(f"{client}: {line}")
        for who, why in NOT_HAD.items():
            terminalreporter.line(f"{who}: not to be had: {why}")


def _reason(report: pytest.TestReport) -> str:
    return f" ({report.longrepr[2]})" if isinstance(report.longrepr, tuple) else ""


if __name__ == "__main__":
    kept, _, _ = DOCS.read_text(encoding="utf-8").partition(HEADING)
    DOCS.write_text(kept + table(), encoding="utf-8")
