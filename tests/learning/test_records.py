"""`learn` over RECORDS: files in, a population file and its notes out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from consumers.learn import LearnOptions, learn
from consumers.records import BadSource
from detector.learning import Ask, LearnError
from detector.population import load
from detector.records import Input, Output, Record, encode_record
from detector.times import format_time

CLIENTS, EACH = 6, 20


def _records(model: str = "m", shape: tuple[int, ...] = (4,), **members: Any) -> Iterator[bytes]:
    rng = np.random.default_rng(1)
    for number in range(CLIENTS * EACH):
        data = rng.random(int(np.prod(shape)), np.float32).tobytes()
        plain: dict[str, Any] = {
            "id": f"{model} {shape} {number}",
            "time": format_time(number * 1_000_000),
            "model": model,
            "client": f"[red]{number % CLIENTS}",
            "input": Input(shape=list(shape), dtype="float32", data=data),
            "output": Output(probabilities=[0.25, 0.75]),
        }
        yield encode_record(Record(**(plain | members)))


def _file(folder: Path, *runs: Iterator[bytes], name: str = "past.jsonl") -> Path:
    path = folder / name
    path.write_bytes(b"".join(line + b"\n" for run in runs for line in run))
    return path


def test_a_population_for_each_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every model of the records gets a population in one file; the screen says what each can promise."""
    path, out = _file(tmp_path, _records("a"), _records("b", (2, 3))), tmp_path / "p.gk"
    learn([str(path)], out, LearnOptions())
    populations = load(out.read_bytes())
    assert {model: population.shape for model, population in populations.items()} == {"a": (4,), "b": (2, 3)}
    assert {population.clients for population in populations.values()} == {CLIENTS}
    said = capsys.readouterr()
    assert "cold" in said.out
    assert populations["a"].version in said.out
    assert list(tmp_path.glob("*.part")) == []


def test_the_shape_of_most_records_is_the_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A few records of another shape, even the first, do not decide; they are unreadable and counted."""
    strays = [line for line, _ in zip(_records(shape=(5,)), range(7), strict=False)]
    path, out = _file(tmp_path, iter(strays), _records()), tmp_path / "p.gk"
    learn([str(path)], out, LearnOptions())
    assert load(out.read_bytes())["m"].shape == (4,)
    assert "7 unreadable" in capsys.readouterr().err


def test_a_person_may_state_the_shape(tmp_path: Path) -> None:
    """A stated shape holds against the majority; when no record has it there is nothing to learn from."""
    path, out = _file(tmp_path, _records()), tmp_path / "p.gk"
    with pytest.raises(LearnError):
        learn([str(path)], out, LearnOptions(shape=(5,)))
    assert not out.exists()


def test_same_records_same_file(tmp_path: Path) -> None:
    """One file or two, plain: the same records make the same bytes."""
    lines = list(_records())
    whole = _file(tmp_path, iter(lines))
    halves = [_file(tmp_path, iter(lines[:50]), name="1.jsonl"), _file(tmp_path, iter(lines[50:]), name="2.jsonl")]
    learn([str(whole)], tmp_path / "one.gk", LearnOptions())
    learn([str(half) for half in halves], tmp_path / "two.gk", LearnOptions())
    assert (tmp_path / "one.gk").read_bytes() == (tmp_path / "two.gk").read_bytes()


def test_refused_queries_teach_nothing(tmp_path: Path) -> None:
    """Records answered with 4xx only are no past; the error says so and no file appears."""
    path, out = _file(tmp_path, _records(status=403, output=None)), tmp_path / "p.gk"
    with pytest.raises(LearnError, match="no scored query"):
        learn([str(path)], out, LearnOptions())
    assert not out.exists()


def test_missing_records_are_a_bad_source(tmp_path: Path) -> None:
    """A file that is not there is named before anything is written."""
    with pytest.raises(BadSource, match="nowhere"):
        learn([str(tmp_path / "nowhere.jsonl")], tmp_path / "p.gk", LearnOptions())


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    """Records that are no records teach nothing, and the error says how to find out why."""
    path = _file(tmp_path, iter([b"not json"]))
    with pytest.raises(LearnError, match="no readable record"):
        learn([str(path)], tmp_path / "p.gk", LearnOptions())


def test_one_model_of_several_is_asked(tmp_path: Path) -> None:
    """What is said of one model needs one model: the error names those there are and what to say."""
    path, out = _file(tmp_path, _records("a"), _records("b")), tmp_path / "p.gk"
    asked: list[int] = []

    def asking(shape: tuple[int, ...]) -> Ask:
        assert shape == (4,)
        return answer

    def answer(inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        asked.append(len(inputs))
        return np.tile(np.array([0.25, 0.75], np.float32), (len(inputs), 1))

    with pytest.raises(LearnError, match="the records of a, b; say --only"):
        learn([str(path)], out, LearnOptions(asking=asking))
    learn([str(path)], out, LearnOptions(asking=asking, only="b"))
    assert load(out.read_bytes()).keys() == {"b"}
    assert sum(asked) == CLIENTS * EACH


def test_reference_and_who_must_not_teach(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both reach the detector, and what is printed says so."""
    path, out, own = _file(tmp_path, _records()), tmp_path / "p.gk", tmp_path / "own.npy"
    np.save(own, np.random.default_rng(2).random((50, 4)))
    said = {"[red]0": "left-clear", "[red]1": "false-positive", "not in these records": "true-positive"}
    learn([str(path)], out, LearnOptions(reference=own, said={"m": said}.__getitem__))
    assert load(out.read_bytes())["m"].clients == CLIENTS - 1
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "reference data: 50 rows joined" in printed
    assert "clients left out: 1 (1 that ever left clear)" in printed
    assert "clients let in whatever they look like: 1 labelled false-positive" in printed
