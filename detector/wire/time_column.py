"""Times: a column of RFC 3339 texts as µs since 1970 UTC."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detector.times import parse_time

NO_TIME = -1  # µs, of a text that is no time; before 1970, where no query can be
_FORM = "0000-00-00T00:00:00.000000Z"  # of most times
_LENGTH = len(_FORM)
_DIGITS = [place for place, char in enumerate(_FORM) if char == "0"]
_SIGNS = [place for place, char in enumerate(_FORM) if char != "0"]
_SIGN = np.frombuffer(_FORM.replace("0", "").encode(), np.uint8)

Chars = npt.NDArray[np.uint8]


def time_column(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return µs since 1970 UTC of each time, i8[n]; NO_TIME where `parse_time` would raise.

    Those that are written to the microsecond with a `Z`, as most producers do, all at once.
    """
    whole = "".join([text if len(text) == _LENGTH and text.isascii() else " " * _LENGTH for text in texts])
    chars = np.frombuffer(whole.encode(), np.uint8).reshape(-1, _LENGTH)
    usual = _is_usual(chars)
    time = np.full(len(texts), NO_TIME, np.int64)
    try:
        time[usual] = _read(chars[usual])
    except ValueError:  # one of them is no date: which, they tell alone
        usual[:] = False
    for row in np.flatnonzero(~usual).tolist():
        time[row] = _read_one(texts[row])
    return time


def _is_usual(chars: Chars) -> npt.NDArray[np.bool_]:
    digits = chars[:, _DIGITS]
    numbers = ((digits >= ord("0")) & (digits <= ord("9"))).all(axis=1)
    return np.asarray(numbers & (chars[:, _SIGNS] == _SIGN).all(axis=1), np.bool_)


def _read(chars: Chars) -> npt.NDArray[np.int64]:
    """Return the times in texts of the usual form; numpy reads them but for the `Z`. Raises ValueError."""
    return np.frombuffer(chars[:, :-1].tobytes(), f"S{_LENGTH - 1}").astype("M8[us]").astype(np.int64)


def _read_one(text: str) -> int:
    try:
        return parse_time(text)
    except ValueError:
        return NO_TIME
