"""The process on signals: SIGHUP looks at the folder, and SIGTERM loses no request that has come in."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from gateway.settings import GatewaySettings
from tests.gateway.build import ALICE, images, save_model, until

NOTICE, GRACE = 2.0, 5.0
SERVE = f"""
import sys
from pathlib import Path
from gateway.app import run
from gateway.settings import GatewaySettings
models, keys, port = sys.argv[1:]
run(
    GatewaySettings(
        models=Path(models), keys_file=Path(keys), port=int(port), reload_seconds=3600,
        notice_seconds={NOTICE}, grace_seconds={GRACE},
    )
)
"""
BODY = msgspec.json.encode({"instances": images(2).tolist()})
ASK = (
    f"POST /v1/models/digits:predict HTTP/1.1\r\nHost: x\r\nX-API-Key: {ALICE}\r\n"
    f"Content-Length: {len(BODY)}\r\nExpect: 100-continue\r\n\r\n"
)


@pytest.fixture
def process(
    alone: GatewaySettings, models: Path, tmp_path: Path, unused_tcp_port: int
) -> Iterator["subprocess.Popen[bytes]"]:
    """Return a gateway in a process of its own, with a folder of its own."""
    shutil.copy(models / "digits.keras", tmp_path / "digits.keras")
    started = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(tmp_path), str(alone.keys_file), str(unused_tcp_port)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    yield started
    started.kill()
    started.wait()


def _status(http: httpx.Client, path: str) -> int:
    try:
        return http.get(path).status_code
    except httpx.TransportError:
        return 0


def _versions(http: httpx.Client) -> list[str]:
    versions: list[str] = http.get("/v2/models/digits").json()["versions"]
    return versions


def _begin(port: int) -> socket.socket:
    """Begin to ask, and wait until the gateway wants the body: the request is in."""
    connection = socket.create_connection(("127.0.0.1", port), 20)
    connection.sendall(ASK.encode())
    assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
    return connection


def _end(connection: socket.socket) -> bytes:
    """Send the body; return the whole answer, up to the end of the connection."""
    connection.sendall(BODY)
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_signals(process: "subprocess.Popen[bytes]", tmp_path: Path, unused_tcp_port: int) -> None:
    """SIGHUP loads what is new. SIGTERM: not ready first, still answering; then what is in is answered, and exit 0."""
    port = unused_tcp_port
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": ALICE}, timeout=20) as http:
        until(lambda: process.poll() is not None or _status(http, "/v2/health/ready") == 200, 90)
        save_model(tmp_path / "digits" / "2.keras")
        process.send_signal(signal.SIGHUP)
        until(lambda: _versions(http) == ["1", "2"])
        with _begin(port) as early, _begin(port) as late:
            process.send_signal(signal.SIGTERM)
            told = time.monotonic()
            until(lambda: _status(http, "/v2/health/ready") == 503)
            assert _end(early).startswith(b"HTTP/1.1 200 ")  # while on notice
            asked = http.post("/v1/models/digits:predict", content=BODY)
            assert (asked.status_code, asked.headers["Connection"]) == (200, "close")
            until(lambda: _status(http, "/v2/health/live") == 0)
            answer = _end(late)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"}")
        assert process.wait(NOTICE + GRACE + 5) == 0
        assert time.monotonic() - told < NOTICE + GRACE + 5
