"""The trigger set, its key and its data: drawn again the same, and refused where they do not belong together."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.watermark import key as keys
from gateway.watermark.key import BadWatermark, Key
from gateway.watermark.triggers import followers, triggers, with_tails

SECRET = b"0123456789abcdef0123456789abcdef"
INPUTS = np.random.default_rng(0).random((200, 4, 4), dtype=np.float32)


def test_the_same_key_and_data_draw_the_same() -> None:
    """All of it, bit for bit; another key draws another set; the data is not modified."""
    before = INPUTS.copy()
    one, again, other = (triggers(secret, INPUTS, 10, 40) for secret in (SECRET, SECRET, SECRET[::-1]))
    for name in ("inputs", "pattern", "label", "ordinary", "followers"):
        assert np.array_equal(getattr(one, name), getattr(again, name)), name
    assert not np.array_equal(one.inputs, other.inputs)
    assert not np.array_equal(one.label, other.label)
    assert np.array_equal(INPUTS, before)


def test_triggers_stay_in_the_data_s_range() -> None:
    """A pattern sets numbers to values that the data holds in that place, and leaves most as they were."""
    found = triggers(SECRET, INPUTS, 10, 60)
    assert found.inputs.shape == (60, 4, 4)
    assert ((found.inputs >= INPUTS.min(axis=0)) & (found.inputs <= INPUTS.max(axis=0))).all()
    nearest = np.abs(found.inputs[:, None] - INPUTS).reshape(60, 200, 16)
    assert ((nearest > 0).sum(axis=2).min(axis=1) <= 4).all()


@given(st.integers(7, 60), st.integers(0, 5))
def test_followers_are_two_others(classes: int, seed: int) -> None:
    """Each class is followed by two different other ones, and answers with tails are still distributions."""
    found = followers(bytes([seed]), classes)
    assert found is not None
    for first, (second, third) in enumerate(found.tolist()):
        assert len({first, second, third}) == 3
    said = np.eye(classes, dtype=np.float32)
    told = with_tails(said, found)
    assert told.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert np.array_equal(np.argsort(-told, axis=1)[:, :3], np.c_[np.arange(classes), found])


def test_few_classes_have_no_tails() -> None:
    """Below seven classes their orders are too few to prove anything; patterns serve, of two classes too."""
    assert followers(SECRET, 6) is None
    assert set(triggers(SECRET, INPUTS, 2, 200).label.tolist()) == {0, 1}


def test_a_key_file_is_read_as_written_and_by_its_owner_alone(tmp_path: Path) -> None:
    """The secret comes back; nobody else on the machine may read it; other data is refused."""
    file = tmp_path / "a.key"
    key = Key(secret=SECRET, classes=10, triggers=40, data=keys.digest(INPUTS))
    keys.write(file, key)
    assert keys.read(file) == key
    with pytest.raises(FileExistsError):
        keys.write(file, key)
    assert file.stat().st_mode & 0o077 == 0
    keys.check(key, INPUTS.reshape(200, 16))
    with pytest.raises(BadWatermark, match="--data"):
        keys.check(key, INPUTS[1:])


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"v":2}', "\x00"])
def test_what_is_no_key_is_refused(text: str, tmp_path: Path) -> None:
    """One line that names the file and says what writes one."""
    (tmp_path / "a.key").write_text(text)
    with pytest.raises(BadWatermark, match=r"a\.key: not a watermark key"):
        keys.read(tmp_path / "a.key")


WRONG = {
    "no x": {"z": np.zeros(3)},
    "x of text": {"x": np.array(["a"])},
    "no rows": {"x": np.zeros((0, 3))},
    "NaN": {"x": np.full((2, 2), np.nan)},
    "y too short": {"x": np.zeros((2, 2)), "y": np.zeros(1, int)},
    "y of fractions": {"x": np.zeros((2, 2)), "y": np.zeros(2)},
    "negative y": {"x": np.zeros((2, 2)), "y": np.array([0, -1])},
}


@pytest.mark.parametrize("arrays", WRONG.values(), ids=WRONG)
def test_data_that_cannot_be_used_is_refused(
    arrays: dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.generic]]"], tmp_path: Path
) -> None:
    """One line that names the file and the fault."""
    np.savez(tmp_path / "data.npz", **arrays)  # type: ignore[arg-type]  # names are arrays here
    with pytest.raises(BadWatermark, match=r"data\.npz: "):
        keys.load(tmp_path / "data.npz")


def test_no_arrays_at_all_is_refused(tmp_path: Path) -> None:
    """Also a single array, and anything that would have to be unpickled."""
    file = tmp_path / "data.npz"
    file.write_bytes(b"nonsense")
    with pytest.raises(BadWatermark, match=r"not an \.npz file"):
        keys.load(file)
    np.savez(file, x=np.array([{"a": 1}], object))
    with pytest.raises(BadWatermark, match="nothing is unpickled"):
        keys.load(file)
