"""The gateway as a process: what it imports, that it ends well, and that it refuses to start badly."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from gateway.settings import GatewaySettings
from tests.gateway.build import ALICE, AWAY, images, until

HEAVY = ("numba", "river", "sklearn", "tensorflow", "keras", "sqlalchemy", "psycopg2", "consumers", "gamekeeper")
SERVE = """
import sys
from pathlib import Path
from gateway.app import run
from gateway.settings import GatewaySettings
models, keys, port, bootstrap = sys.argv[1:]
run(
    GatewaySettings(
        models=Path(models), keys_file=Path(keys), port=int(port), bootstrap=bootstrap or None, feed_wait=0.1
    )
)
"""


def test_imports_nothing_heavy() -> None:
    """Importing the gateway brings in neither the detector's machinery nor TensorFlow nor a database."""
    code = f"import sys, gateway.app; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("bootstrap", ["", AWAY])
def test_sigterm(alone: GatewaySettings, models: Path, unused_tcp_port: int, bootstrap: str) -> None:
    """On SIGTERM it ends within 5 s with exit code 0, with Kafka away too."""
    arguments = [str(models), str(alone.keys_file), str(unused_tcp_port), bootstrap]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, *arguments],
        stderr=subprocess.PIPE,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{unused_tcp_port}", headers={"X-API-Key": ALICE}) as http:
            until(lambda: process.poll() is not None or _ready(http), 60)
            answer = http.post("/v1/models/digits:predict", json={"instances": images(3).tolist()})
            assert answer.status_code == 200
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
            assert time.monotonic() - started < 5
    finally:
        process.kill()
        process.communicate()


def _ready(http: httpx.Client) -> bool:
    try:
        return http.get("/v2/health/live").status_code == 200
    except httpx.TransportError:
        return False
