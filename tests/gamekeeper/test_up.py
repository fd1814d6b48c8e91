"""`gamekeeper up`: the whole system, ready by itself, back after kill -9 of any of its processes, gone when told."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sklearn.datasets import load_digits
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from consumers.kafka.history import written
from gamekeeper import settings
from gamekeeper.embedded.server import free_port, listens
from tests.gamekeeper import processes

MEMBERS = {
    "kafka", "database", "api", "gateway", "metrics", "bouncer_key", "client_keys", "model", "shape", "data",
}  # fmt: skip
READY_SECONDS = 280.0  # 2 minutes are promised on a machine that does nothing else; this one runs other tests
COMMAND = (sys.executable, "-m", "gamekeeper")
OURS = ("detect", "deliver", "api", "gateway")

pytestmark = pytest.mark.timeout(600)


@dataclass
class Up:
    """A running `gamekeeper up` and what it wrote to its endpoints file."""

    data: Path
    process: "subprocess.Popen[bytes]"
    endpoints: dict[str, Any]

    def stop(self) -> int:
        """Send SIGTERM; return the exit status."""
        self.process.terminate()
        return self.process.wait(60)

    def pid(self, name: str) -> int | None:
        """Return the process that runs under `name`, "kafka" and "postgres" included."""
        words = {
            "kafka": ("java ", " kafka.Kafka ", str(self.data)),
            "postgres": ("bin/postgres ", str(self.data)),
        }.get(name, ("-m gamekeeper ", f" {name} "))
        found = (pid for pid in processes.named(*words) if self.process.pid in _ancestors(pid))
        return next((pid for pid in found if "guard.py" not in processes.command_line(pid)), None)


def _ancestors(pid: int) -> list[int]:
    found = []
    above = processes.parent(pid)
    while above is not None and above > 1:
        found.append(above)
        above = processes.parent(above)
    return found


def start(data: Path) -> Up:
    """Start `up` on a folder and wait until it says that all is ready."""
    file = data.parent / f"{data.name}.json"
    file.unlink(missing_ok=True)  # of an earlier start
    unset = {setting.name: "" for setting in settings.SETTINGS if setting.name != "GAMEKEEPER_CACHE"}
    with (data.parent / f"{data.name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gamekeeper", "up", "--data", str(data), "--endpoints", str(file)],
            env=settings.environment(unset),
            stdout=log,
            stderr=log,
        )
    processes.eventually(lambda: file.exists() or process.poll() is not None, READY_SECONDS)
    assert process.poll() is None, (data.parent / f"{data.name}.log").read_text()[-2000:]
    return Up(data, process, json.loads(file.read_text()))


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Return the whole system, started once for this file."""
    found = start(tmp_path_factory.mktemp("up") / "data")
    yield found
    if found.process.poll() is None:
        found.stop()


def ask(up: Up, rows: int) -> int:
    """Ask the gateway about `rows` real digits, one request each; return how many answers came."""
    answered = 0
    key = next(iter(up.endpoints["client_keys"].values()))
    with httpx.Client(base_url=up.endpoints["gateway"], headers={"Authorization": f"Bearer {key}"}) as client:
        for image in load_digits().images[:rows] / 16.0:
            url = f"/v1/models/{up.endpoints['model']}:predict"
            answered += client.post(url, json={"instances": [image.tolist()]}).status_code == httpx.codes.OK
    return answered


def read(up: Up) -> int:
    """Return how many records Postgres says were read."""
    engine = create_engine(up.endpoints["database"])
    try:
        with engine.connect() as connection:
            sums = text("SELECT coalesce(sum(scored + counted + unreadable), 0) FROM offsets")
            return int(connection.execute(sums).scalar_one())
    finally:
        engine.dispose()


def services_listen(up: Up) -> bool:
    """Tell whether Kafka and Postgres accept connections."""
    ports = (up.endpoints["kafka"].rpartition(":")[2], str(make_url(up.endpoints["database"]).port))
    return all(listens(int(port)) for port in ports)


def well(up: Up, name: str) -> bool:
    """Tell whether one of our processes answers that it is well."""
    try:
        return httpx.get(up.endpoints["metrics"][name].replace("/metrics", "/healthz")).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def test_the_endpoints_are_complete(up: Up) -> None:
    """The file holds exactly the members of the contract, only its owner may read it, and a query is answered."""
    assert set(up.endpoints) == MEMBERS
    assert set(up.endpoints["metrics"]) == set(OURS)
    assert len(up.endpoints["client_keys"]) == 3
    assert (up.data.parent / "data.json").stat().st_mode & 0o077 == 0
    assert ask(up, 20) == 20
    for url in up.endpoints["metrics"].values():
        assert "# HELP" in httpx.get(url).text


def test_an_own_model_is_served_beside_it_in_one_line(up: Up, tmp_path: Path) -> None:
    """`keys add` and `gateway --model` find the running `up` by its data folder; the key and the log go through it."""
    shutil.copy(next(up.data.glob("demo/**/*.keras")), tmp_path / "my.keras")
    port, environment = free_port(), settings.environment({"GAMEKEEPER_DATA": str(up.data)})
    made = subprocess.run([*COMMAND, "keys", "add", "newcomer"], env=environment, capture_output=True, check=True)
    gateway = subprocess.Popen(
        [*COMMAND, "gateway", "--model", str(tmp_path / "my.keras"), "--port", str(port)], env=environment
    )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        processes.eventually(lambda: processes.ready(client), 60)
        before = written(up.endpoints["kafka"], "predictions")
        body = {"instances": load_digits().images[:3].astype(float).tolist()}
        assert client.post("/v1/models/my:predict", json=body).status_code == httpx.codes.UNAUTHORIZED
        key = {"X-API-Key": made.stdout.decode().strip()}
        assert client.post("/v1/models/my:predict", json=body, headers=key).status_code == httpx.codes.OK
        processes.eventually(lambda: written(up.endpoints["kafka"], "predictions") == before + 3)
    gateway.terminate()
    assert gateway.wait(20) == 0


@pytest.mark.slow
def test_visitors_come_and_the_thief_is_found(up: Up) -> None:
    """`visit` finds the running `up` by its data folder; of all who come the thief alone is blocked, and confirmed."""
    environment = settings.environment({"GAMEKEEPER_DATA": str(up.data)})
    told = {
        arguments: subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, check=True, text=True)
        for arguments in (("visit", "--seconds", "10", "--json"), ("clients", "--json"))
    }
    visits, clients = ([json.loads(line) for line in one.stdout.splitlines()] for one in told.values())
    assert [visit["kind"] for visit in visits if visit["blocked"]] == ["bisection"]
    assert (clients[0]["client"], clients[0]["standing"]) == (visits[-1]["client"], "confirmed")


@pytest.mark.parametrize(
    "name", ["detect", *(pytest.param(other, marks=pytest.mark.slow) for other in (*OURS[1:], "kafka", "postgres"))]
)
def test_a_killed_process_comes_back_and_no_record_is_lost_or_read_twice(up: Up, name: str) -> None:
    """After kill -9 it is started again, all are well, queries are answered, and what was written was read once."""
    ask(up, 20)
    killed = up.pid(name)
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    processes.eventually(lambda: up.pid(name) not in (None, killed), 60)
    processes.eventually(lambda: services_listen(up), 60)
    processes.eventually(lambda: all(well(up, each) for each in OURS), 120)
    processes.eventually(lambda: ask(up, 1) == 1, 60)
    processes.eventually(lambda: read(up) == written(up.endpoints["kafka"], "predictions"), 60)


def test_it_stops_in_order_and_goes_on_where_it_was(up: Up) -> None:
    """SIGTERM is exit 0 and leaves nothing running; the next start on the folder has the same keys and records."""
    before = read(up)
    assert up.stop() == 0
    assert processes.named(str(up.data)) == []
    again = start(up.data)
    try:
        assert again.endpoints["client_keys"] == up.endpoints["client_keys"]
        assert read(again) == before
        assert ask(again, 1) == 1
    finally:
        assert again.stop() == 0
