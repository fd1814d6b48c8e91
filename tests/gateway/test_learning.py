"""`gamekeeper learn --model NAME.keras`: a real Keras model is asked through the command line."""

from collections.abc import Iterator
from pathlib import Path

from typer.testing import CliRunner

from detector.population import load
from detector.records import Input, Output, Record, encode_record
from detector.times import format_time
from gamekeeper.cli import app
from gateway import serving
from tests.gateway.build import SHAPE, images

CLIENTS, EACH = 4, 60


def _records(model: Path) -> Iterator[bytes]:
    served = serving.load("digits", model)
    served.start()
    inputs = images(CLIENTS * EACH)
    for at, (image, answer) in enumerate(zip(inputs, served.predict(inputs).result(60), strict=True)):
        record = Record(
            id=str(at),
            time=format_time(at),
            model="digits",
            client=f"client {at % CLIENTS}",
            input=Input(list(SHAPE), "float32", image.tobytes()),
            output=Output(probabilities=answer.tolist()),
        )
        yield encode_record(record) + b"\n"
    served.stop()


def test_learn_asks_a_keras_model(models: Path, tmp_path: Path) -> None:
    """The model that answered the records is asked and says so; what is no model is one line and exit code 1."""
    source, out = tmp_path / "past.jsonl", tmp_path / "p.gk"
    source.write_bytes(b"".join(_records(models / "digits.keras")))
    command = ["learn", str(source), "--out", str(out), "--model"]
    done = CliRunner().invoke(app, [*command, str(models / "digits.keras")])
    assert done.exit_code == 0, done.output
    assert "the model's own answers" in " ".join(done.output.replace("│", " ").split())
    assert any("own answers" in note for note in load(out.read_bytes())["digits"].notes)
    refused = CliRunner().invoke(app, [*command, str(source)])
    assert getattr(refused.exception, "for_people", False)
    assert "neither a .keras file nor an address" in str(refused.exception)
