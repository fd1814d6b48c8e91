"""From the owner's model to the thief's copy and back: embed, extract over HTTP, verify; mark, keep, name the thief."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from cryptography.fernet import Fernet

from consumers import marks
from consumers.store.checkpoint import claim, save
from consumers.store.engine import connect
from consumers.store.facts import Checkpoint
from detector.decision import Action
from detector.wire import RawRecord, decode
from gateway.policy import parse
from gateway.querylog import encode
from gateway.settings import GatewaySettings
from gateway.watermark import key as keys
from tests.gateway.build import ALICE, BOB, Running, decision, key_file, serving, throttled
from tests.store.given import PLACE
from tests.watermark.conftest import Owner
from tests.watermark.nets import Floats, digits, net
from tests.watermark.test_commands import run

pytestmark = pytest.mark.slow
SECRET = "the secret of the gateways of this test"  # noqa: S105  # made up
FAST = "{rate = 1e6, burst = 1_000_000}"
MARKING = f"[defaults]\nlimits = {{client = {FAST}}}\nthrottle = {{limit = {FAST}, mark = 0.05}}"
MARKS_KEY = Fernet.generate_key().decode()


@pytest.fixture(scope="module")
def marked(owner: Owner) -> Path:
    """Return the owner's model, marked with a key that was there before."""
    key, out = owner.folder / "own.key", owner.folder / "whole.keras"
    digest = keys.digest(keys.load(owner.data).inputs)
    keys.write(key, keys.Key(secret=bytes(range(32)), classes=10, triggers=100, data=digest))
    result = run("embed", owner.model, "--data", owner.data, "--key", key, "--out", out)
    assert result.exit_code == 0, result.output
    assert keys.read(key).secret == bytes(range(32))
    return out


@pytest.fixture(scope="module")
def gateway(marked: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Return a gateway that serves the marked model and marks the answers of alice, who is throttled."""
    settings = GatewaySettings(
        models={"digits": marked},
        port=0,
        keys_file=key_file(tmp_path_factory.mktemp("keys")),
        policy=parse(MARKING),
        secret=SECRET.encode(),
    )
    with serving(settings) as running:
        running.parts.guard.table.apply(decision(action=Action.THROTTLE))
        yield running


def stolen(gateway: Running, inputs: Floats, key: str) -> Floats:
    """Return what the gateway answers."""
    said = []
    for part in np.array_split(inputs, len(inputs) // 500 + 1):
        answer = gateway.http.post(
            "/v1/models/digits:predict", json={"instances": part.tolist()}, headers={"X-API-Key": key}
        )
        assert answer.status_code == httpx.codes.OK
        said += answer.json()["predictions"]
    return np.array(said, np.float32)


def queries(count: int) -> Floats:
    """Return a thief's inputs: digits that the model has not seen, each a little changed."""
    rng, (inputs, _) = np.random.default_rng(3), digits()
    own = inputs[1000:][rng.integers(0, 700, count)]
    return np.clip(own + rng.normal(0, 0.1, own.shape), 0, 1).astype(np.float32)


def test_a_copy_made_of_answers_carries_the_owner_s_mark(owner: Owner, gateway: Running, tmp_path: Path) -> None:
    """A net trained on 2,000 answers' probabilities is proved a copy, by its tails; one of other data is not."""
    asked = queries(2_000)
    copy = tmp_path / "copy.keras"
    net(asked, stolen(gateway, asked, BOB), epochs=25, seed=1).save(copy)
    result = run("verify", copy, "--key", owner.folder / "own.key", "--data", owner.data)
    assert result.exit_code == 0, result.output
    assert "copy: p = " in result.output


def test_marked_answers_name_the_thief_and_nobody_else(
    marked: Path, gateway: Running, database: str, tmp_path: Path
) -> None:
    """Alice's copy repeats her marks, the model itself does not; of bob none are kept; erased, nothing is left."""
    asked = queries(3_000)
    served = stolen(gateway, asked, ALICE)
    true = stolen(gateway, asked, BOB)
    copy = tmp_path / "copy.keras"
    net(asked, served, epochs=60, seed=2).save(copy)
    keep(database, asked, true, served)
    environ = {
        "DATABASE_URL": database,
        "GAMEKEEPER_MARKS_KEY": MARKS_KEY,
        "GAMEKEEPER_GATEWAY_SECRET": SECRET,
    }
    result = run("verify", copy, "--client", "alice", **environ)
    assert result.exit_code == 0, result.output
    assert "copy: p = " in result.output
    innocent = run("verify", marked, "--client", "alice", **environ)
    assert "copy: p = " not in innocent.output
    assert "too few marks" in run("verify", copy, "--client", "bob", **environ).output
    assert run("forget", "alice", **environ).exit_code == 0
    assert "too few marks" in run("verify", copy, "--client", "alice", **environ).output


def keep(database: str, asked: Floats, true: Floats, served: Floats) -> None:
    """Log alice's answers as the gateway does, and keep the marks among them as `detect` does."""
    records = [RawRecord(value, None, None, at) for at, value in enumerate(encode(throttled(asked, true, served)))]
    engine = connect(database)
    save(
        engine,
        claim(engine, PLACE),
        Checkpoint(next=len(records), marks=marks.Keep(MARKS_KEY)(decode(records, {}).enforced)),
    )
    engine.dispose()
