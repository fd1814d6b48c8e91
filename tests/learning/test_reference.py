"""Reference data: arrays and records in, clear errors for what is neither."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.records import BadSource
from consumers.reference import BadReference, read
from detector.learning import REFERENCE_MAX
from detector.records import Input, Output, Record, encode_record
from detector.times import format_time

SHAPE = (2, 3)
ROWS = np.arange(60, dtype=np.uint8).reshape(10, *SHAPE)


@pytest.mark.parametrize(
    ("name", "arrays"),
    [("a.npy", None), ("a.npz", {"anything": ROWS}), ("b.npz", {"x": ROWS, "y": np.zeros(10)}), ("flat.npy", "flat")],
)
def test_arrays(name: str, arrays: Any, tmp_path: Path) -> None:
    """Either kind of file, named or alone, nested or flat: inputs as float32 without answers."""
    path = tmp_path / name
    if isinstance(arrays, dict):
        np.savez(path, **arrays)
    else:
        np.save(path, ROWS if arrays is None else ROWS.reshape(10, -1))
    found = read(path, "m", SHAPE)
    assert found.inputs.dtype == np.float32
    assert found.inputs.tolist() == ROWS.reshape(10, -1).tolist()
    assert set(found.label) == {-1}
    assert np.isnan(found.margin).all()


def test_large_arrays_are_thinned_over_their_length(tmp_path: Path) -> None:
    """Files sorted by class are common: rows are taken from all of it."""
    path = tmp_path / "large.npy"
    np.save(path, np.repeat(np.arange(10.0), REFERENCE_MAX).reshape(-1, 1))
    found = read(path, "m", (1,))
    assert len(found) == REFERENCE_MAX
    assert np.bincount(found.inputs[:, 0].astype(int)).min() > REFERENCE_MAX / 11


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (ROWS.reshape(15, 4), r"shape \(4,\), the records' have \(2, 3\)"),
        (np.full((3, 6), np.nan), "NaN"),
        (np.full((3, 6), 1e60), "NaN, an infinity"),
        (np.full((3, 6), "a"), "numbers are needed"),
        (np.full((3, 6), 1j), "numbers are needed"),
        (np.zeros((0, 6)), "no rows"),
        (np.float32(1), "no rows"),
    ],
)
def test_bad_arrays(array: Any, why: str, tmp_path: Path) -> None:
    """Shape, dtype, NaN and emptiness are named with the file."""
    path = tmp_path / "bad.npy"
    np.save(path, array)
    with pytest.raises(BadReference, match=rf"bad\.npy: .*{why}"):
        read(path, "m", SHAPE)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    """Objects, broken files and ambiguous ones are refused."""
    np.save(tmp_path / "objects.npy", np.array([{}, []], object), allow_pickle=True)
    (tmp_path / "broken.npz").write_bytes(b"PK no")
    (tmp_path / "empty.npy").write_bytes(b"")
    np.savez(tmp_path / "two.npz", train=ROWS, test=ROWS)
    for name, why in (
        ("objects.npy", "unpickled"),
        ("broken.npz", "not arrays"),
        ("empty.npy", "not arrays"),
        ("two.npz", "test, train; call the inputs 'x'"),
        ("none.npy", "No such file"),
    ):
        with pytest.raises(BadReference, match=why):
            read(tmp_path / name, "m", SHAPE)


def _record(number: int, **members: Any) -> bytes:
    plain: dict[str, Any] = {
        "id": str(number),
        "time": format_time(number),
        "model": "m",
        "client": "c",
        "input": Input(shape=list(SHAPE), dtype="uint8", data=ROWS[number % 10].tobytes()),
        "output": Output(probabilities=[0.25, 0.75]),
    }
    return encode_record(Record(**(plain | members)))


def _written(folder: Path, *lines: bytes) -> Path:
    path = folder / "own.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def test_records(tmp_path: Path) -> None:
    """Records bring their answers along; refused ones, other models' and blind ones are passed over."""
    path = _written(
        tmp_path,
        _record(1),
        _record(2, status=429, output=None),
        _record(3, model="other"),
        _record(4, input=None),
    )
    found = read(path, "m", SHAPE)
    assert found.inputs.tolist() == [ROWS[1].ravel().tolist()]
    assert found.label.tolist() == [1]
    np.testing.assert_allclose(found.margin, [0.5])


def test_bad_records(tmp_path: Path) -> None:
    """The first unreadable record is named; so is a file with none of the model, or that is not there."""
    with pytest.raises(BadReference, match="record 2: "):
        read(_written(tmp_path, _record(1), b"not json"), "m", SHAPE)
    with pytest.raises(BadReference, match="no record of 'other'"):
        read(_written(tmp_path, _record(1)), "other", SHAPE)
    with pytest.raises(BadSource, match="nowhere"):
        read(tmp_path / "nowhere.jsonl", "m", SHAPE)
