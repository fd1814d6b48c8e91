"""The commands, on a real model: embed, verify a file and an address, sign, check."""

import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import structlog
from typer.testing import CliRunner, Result

from gamekeeper.cli import app
from gateway.settings import GatewaySettings
from gateway.watermark import key as keys
from gateway.watermark import proof, triggers, verify
from gateway.watermark.report import check
from tests.gateway.build import ALICE, key_file, serving
from tests.watermark.conftest import Owner
from tests.watermark.nets import asking, digits, net, right


def run(*arguments: object, **environ: str) -> Result:
    """Run the command in this process."""
    result = CliRunner(env={"COLUMNS": "200", **environ}).invoke(app, ["watermark", *map(str, arguments)])
    structlog.reset_defaults()  # the command's logs went to a stderr that is closed now
    return result


class Marked(NamedTuple):
    """A marked model and what verifies it."""

    model: Path
    key: Path
    said: str


@pytest.fixture(scope="module")
def marked(owner: Owner) -> Marked:
    """Return the owner's model, marked by the command."""
    out = owner.folder / "marked.keras"
    result = run("embed", owner.model, "--data", owner.data, "--key", "new", "--out", out)
    assert result.exit_code == 0, result.output
    return Marked(out, out.with_suffix(".key"), result.output)


def test_embedding_costs_little_and_is_learnt(owner: Owner, marked: Marked) -> None:
    """On images that neither training saw: at most half a point lost; 95 % of the marks are learnt."""
    import keras  # noqa: PLC0415  # loaded already

    inputs, label = digits()
    before, after = (
        right(keras.models.load_model(path), inputs[1000:], label[1000:]) for path in (owner.model, marked.model)
    )
    assert after >= before - 0.005
    known, owned = keys.read(marked.key), keys.load(owner.data)
    found = triggers.triggers(known.secret, owned.inputs, known.classes, known.triggers)
    counts = verify.trigger_set(asking(keras.models.load_model(marked.model)), found)
    assert {count.kind: count.matches / count.marks >= 0.95 for count in counts} == {"patterns": True, "tails": True}
    assert known.name in marked.said


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a signing key made as the help says."""
    path = tmp_path_factory.mktemp("signer") / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(path)], check=True, capture_output=True)
    return path


def test_a_marked_file_is_proved_and_reported(owner: Owner, marked: Marked, signer: Path, tmp_path: Path) -> None:
    """The verdict is copy; the report says so, is signed, and fails once it is altered."""
    report = tmp_path / "report.json"
    arguments = ["--key", marked.key, "--data", owner.data, "--report", report, "--sign", signer]
    result = run("verify", marked.model, *arguments)
    assert result.exit_code == 0, result.output
    assert "copy: p = " in result.output
    signed = check(report.read_bytes())
    assert (signed.report.verdict, signed.report.suspect) == ("copy", str(marked.model))
    assert signed.report.key == keys.read(marked.key).name
    fine = run("check", report)
    assert (fine.exit_code, "the signature is good" in fine.output) == (0, True)
    assert run("check", report, "--by", "another").exit_code == 1
    report.write_bytes(report.read_bytes().replace(b'"copy"', b'"not shown"'))
    assert run("check", report).exit_code == 1


def test_an_innocent_model_is_not_accused(owner: Owner, marked: Marked) -> None:
    """The owner's own model before it was marked, and one of somebody else with the same data."""
    inputs, label = digits()
    other = owner.folder / "other.keras"
    net(inputs[:1000], label[:1000], seed=5).save(other)
    for suspect in (owner.model, other):
        result = run("verify", suspect, "--key", marked.key, "--data", owner.data)
        assert result.exit_code == 0, result.output
        assert "not shown: p = " in result.output


def test_a_suspect_behind_an_address(owner: Owner, marked: Marked, tmp_path: Path) -> None:
    """Asked over HTTP, in either form; a label-only suspect shows its patterns alone."""
    settings = GatewaySettings(models=marked.model, port=0, keys_file=key_file(tmp_path))
    with serving(settings) as running:
        for path in ("/v1/models/marked:predict", "/v2/models/marked/infer"):
            result = run(
                "verify", running.url + path, "--key", marked.key, "--data", owner.data, GAMEKEEPER_MODEL_KEY=ALICE
            )
            assert result.exit_code == 0, result.output
            assert "copy: p = " in result.output
            assert "tails" in result.output


def test_labels_alone_show_patterns_alone(owner: Owner, marked: Marked) -> None:
    """Without probabilities there are no tails to look at, and nothing is held against them."""
    known, owned = keys.read(marked.key), keys.load(owner.data)
    found = triggers.triggers(known.secret, owned.inputs, known.classes, known.triggers)
    [count] = verify.trigger_set(lambda inputs: np.eye(10, dtype=np.float32)[np.zeros(len(inputs), int)], found)
    assert count.kind == "patterns"
    assert proof.verdict([count]) == "not shown"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["verify", "x.keras"], 2),
        (["verify", "x.keras", "--key", "a"], 2),
        (["verify", "x.keras", "--key", "a", "--data", "b", "--client", "c"], 2),
        (["verify", "x.keras", "--client", "c", "--report", "r"], 2),
        (["verify", "x.keras", "--client", "c"], 1),
        (["check", "/no/such/report"], 1),
        (["embed", "m.keras", "--data", "d.npz", "--key", "new", "--out", "o.h5"], 2),
        (["embed", "m.keras", "--data", "d.npz", "--key", "new", "--out", "o.keras", "--triggers", "3"], 2),
    ],
)
def test_wrong_usage_and_what_is_missing(arguments: list[Any], code: int) -> None:
    """2 for what cannot be meant, 1 for what is not there."""
    assert run(*arguments).exit_code == code


def test_a_key_is_not_overwritten(owner: Owner, marked: Marked) -> None:
    """Marking again beside the same key file would lose what proves the first: refused before any training."""
    result = run("embed", owner.model, "--data", owner.data, "--key", "new", "--out", marked.model)
    assert isinstance(result.exception, keys.BadWatermark)
    assert keys.read(marked.key).name in marked.said


def test_other_data_is_refused(marked: Marked, tmp_path: Path) -> None:
    """Triggers of other inputs would be other triggers: said, not counted."""
    inputs, _ = digits()
    np.savez(tmp_path / "other.npz", x=inputs[1000:])
    result = run("verify", marked.model, "--key", marked.key, "--data", tmp_path / "other.npz")
    assert result.exit_code == 1
    assert isinstance(result.exception, keys.BadWatermark)
