"""The whole demo on a real Kafka and PostgreSQL, and what a replay of its records says. Minutes long."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from consumers.store import populations, reads
from consumers.store.engine import connect
from gamekeeper.demo.data import MODEL

MINUTES = 10 * 60


def _gamekeeper(arguments: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "gamekeeper", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=MINUTES,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(2 * MINUTES)
def test_demo_passes_and_replays(tmp_path: Path, kafka: str, database: str, topics_prefix: str) -> None:
    """The demo does what it promises, and its records lead to the same verdicts when they are replayed."""
    environment = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "DATABASE_URL": database, "GAMEKEEPER_TOPIC_PREFIX": topics_prefix}
    _gamekeeper(["demo", "--seconds", "30", "--json", str(tmp_path / "out.json")], environment)
    outcome = json.loads((tmp_path / "out.json").read_text())
    assert outcome["honest"]["blocked"] == 0
    assert outcome["records"]["written"] == outcome["records"]["read"]
    assert outcome["webhooks_received"] > 0

    engine = connect(database)
    (tmp_path / "p.gk").write_bytes(populations.get(engine, populations.wanted(engine)[MODEL]))
    source = f"kafka://{topics_prefix}predictions?from={outcome['replay_from']}"
    files = ["--population", str(tmp_path / "p.gk"), "--verdicts", str(tmp_path / "v.jsonl")]
    _gamekeeper(["replay", source, *files], environment)
    lines: list[dict[str, Any]] = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]
    replayed = Counter((line["client"], line["queries"], line["standing"]) for line in lines)
    assert replayed == Counter((line.client, line.queries, line.standing) for line in reads.verdicts(engine, MODEL))
    engine.dispose()
