"""Reference data: a sample of the owner's own, as arrays (`.npz`, `.npy`) or as records."""

import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from consumers import records
from detector.learning import REFERENCE_MAX, Reference, unanswered
from detector.query import Queries, Shape
from detector.wire import RECORD_BYTES_MAX, decode

ARRAYS: Final = (".npz", ".npy")
KEY: Final = "x"  # of the inputs in an .npz, unless it holds one array only


class BadReference(ValueError):  # noqa: N818  # named for what it says to the operator
    """Reference data that cannot be used; the message says which file, what is wrong and what to do."""

    for_people = True  # the command line prints the message as it is


def read(path: Path, model: str, shape: Shape, limit_bytes: int = RECORD_BYTES_MAX) -> Reference:
    """Return up to REFERENCE_MAX inputs of this shape: of arrays spread over all rows, of records the first.

    Nothing is unpickled. Raises BadReference and BadSource.
    """
    if path.suffix.lower() not in ARRAYS:
        return _recorded(path, model, shape, limit_bytes)
    array = _array(path)
    rows = np.linspace(0, len(array) - 1, min(len(array), REFERENCE_MAX)).astype(np.intp)
    return unanswered(_inputs(path, array[rows], shape))


def _array(path: Path) -> npt.NDArray[Any]:
    try:
        held = np.load(path, mmap_mode="r", allow_pickle=False)
        found = _member(path, held) if isinstance(held, np.lib.npyio.NpzFile) else held
    except BadReference:
        raise
    except OSError as error:
        raise BadReference(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BadReference(f"{path}: not arrays of numbers as numpy saves them; nothing is unpickled") from error
    if found.dtype.kind not in "uif":
        raise BadReference(f"{path}: holds {found.dtype}, numbers are needed")
    if found.ndim == 0 or len(found) == 0:
        raise BadReference(f"{path}: holds no rows")
    return found


def _member(path: Path, held: Any) -> npt.NDArray[Any]:
    names = sorted(held.files)
    if KEY not in names and len(names) != 1:
        raise BadReference(f"{path}: holds {', '.join(names) or 'nothing'}; call the inputs {KEY!r}")
    found: npt.NDArray[Any] = held[KEY if KEY in names else names[0]]
    return found


def _inputs(path: Path, rows: npt.NDArray[Any], shape: Shape) -> npt.NDArray[np.float32]:
    size = int(np.prod(shape))
    if rows[0].size != size:
        raise BadReference(f"{path}: one input has shape {rows.shape[1:]}, the records' have {shape}")
    with np.errstate(over="ignore"):  # found below
        inputs = np.ascontiguousarray(rows, np.float32).reshape(len(rows), size)
    if not np.isfinite(inputs).all():
        raise BadReference(f"{path}: holds NaN, an infinity, or a number too large for float32; leave those rows out")
    return inputs


def _recorded(path: Path, model: str, shape: Shape, limit_bytes: int) -> Reference:
    held: list[Queries] = []
    records.check([str(path)])
    for batch in records.read(str(path), limit_bytes=limit_bytes):
        decoded = decode(batch, {model: shape}, limit_bytes)
        if decoded.unreadable:
            wrong = decoded.unreadable[0]
            raise BadReference(f"{path}: record {wrong.place}: {wrong.reason}; mend it or leave it out")
        held += [queries for queries in decoded.queries if queries.model == model]
        if sum(len(queries) for queries in held) >= REFERENCE_MAX:
            break
    parts = [_with_input(queries) for queries in held if queries.input is not None and queries.has_input.any()]
    if not parts:
        raise BadReference(f"{path}: no record of {model!r} with an input")
    return Reference(*(np.concatenate([getattr(part, name) for part in parts]) for name in Reference.__slots__))


def _with_input(queries: Queries) -> Reference:
    rows = np.flatnonzero(queries.has_input)
    inputs = queries.input[rows] if queries.input is not None else np.zeros((0, 0), np.float32)
    return Reference(inputs, queries.label[rows], queries.margin_high[rows])
