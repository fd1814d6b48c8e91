"""`gamekeeper learn` beside a database: labels decide who teaches, for records in files too."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumers.store import people
from consumers.store.engine import connect
from consumers.store.people import Said
from detector.population import load
from detector.standing import Standing
from gamekeeper.cli import app
from tests.store.given import saved, snapshot, verdict

SAID = Said("ann", "a test")
CLIENTS = ("thief", "excused", "tester", *(f"plain {number}" for number in range(4)))


def records(folder: Path) -> Path:
    """Write what each client asked: twenty queries without inputs."""
    file = folder / "records.jsonl"
    common = {"model": "digits", "output": {"label": 1}}
    told = [
        {"id": f"{client}-{at}", "time": f"2026-11-23T12:00:{at:02}Z", "client": client, **common}
        for at in range(20)
        for client in CLIENTS
    ]
    file.write_text("\n".join(map(json.dumps, told)))
    return file


@pytest.fixture
def told(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a database in which two clients left clear, one of them without reason, and one is a test."""
    monkeypatch.setenv("DATABASE_URL", database)
    engine = connect(database)
    saved(engine, *(verdict(Standing.SUSPECTED, client=client) for client in ("thief", "excused")))
    saved(engine, snapshots=[snapshot("tester")])
    people.label(engine, "excused", "*", "false-positive", SAID)
    people.label(engine, "tester", "digits", "authorised-test", SAID)
    engine.dispose()


def learn(folder: Path, *options: str) -> tuple[int, str]:
    """Run `gamekeeper learn` in this process; return how many clients taught, and what was printed."""
    out = folder / "population.gk"
    result = CliRunner().invoke(app, ["learn", str(records(folder)), "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    return load(out.read_bytes())["digits"].clients, " ".join(result.output.split())


@pytest.mark.usefixtures("told")
def test_labels_decide_who_teaches(tmp_path: Path) -> None:
    """A false positive joins; who left clear and who was a test do not, and the notes count them."""
    taught, printed = learn(tmp_path)
    assert taught == len(CLIENTS) - 2
    assert "clients left out: 2 (1 labelled authorised-test, 1 that ever left clear)" in printed
    assert "clients let in whatever they look like: 1 labelled false-positive" in printed


@pytest.mark.usefixtures("told")
def test_records_of_another_system(tmp_path: Path) -> None:
    """Its clients are others, whatever they are called."""
    assert learn(tmp_path, "--no-database")[0] == len(CLIENTS)
