"""A new user's first gateway: one model file, one key file, no Kafka, no database."""

import subprocess
import sys
from pathlib import Path

import httpx

from gamekeeper import settings
from gamekeeper.embedded.server import free_port
from tests.gamekeeper import processes
from tests.gateway.build import SHAPE, images, save_model

COMMAND = (sys.executable, "-m", "gamekeeper")


def test_a_model_is_served_alone_with_keys_and_limits_on(tmp_path: Path) -> None:
    """`keys write` makes a key, `gateway --model --keys` serves: who has none is out, and answers tell the limits."""
    model = save_model(tmp_path / "my.keras", shape=SHAPE)
    unset = {setting.name: "" for setting in settings.SETTINGS}
    environment = settings.environment({**unset, "GAMEKEEPER_DATA": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"})
    file, port = tmp_path / "keys.jsonl", free_port()
    made = subprocess.run(
        [*COMMAND, "keys", "write", "alice", str(file)], env=environment, capture_output=True, check=True
    )
    serving = [*COMMAND, "gateway", "--model", str(model), "--keys", str(file), "--port", str(port)]
    gateway = subprocess.Popen(serving, env=environment)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        processes.eventually(lambda: processes.ready(client), 60)
        body = {"instances": images(2).tolist()}
        assert client.post("/v1/models/my:predict", json=body).status_code == httpx.codes.UNAUTHORIZED
        key = {"Authorization": f"Bearer {made.stdout.decode().strip()}"}
        answer = client.post("/v1/models/my:predict", json=body, headers=key)
        assert len(answer.json()["predictions"]) == 2
        assert answer.headers["RateLimit-Policy"] == '"client";q=2000;w=20'
    gateway.terminate()
    assert gateway.wait(20) == 0
