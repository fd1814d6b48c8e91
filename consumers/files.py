"""Files that appear when they are whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path | None) -> Iterator[BinaryIO]:
    """Write beside `path` and take its place when the block ends well; a failure leaves what was there.

    None takes what is written and drops it. What is no plain file (a pipe, /dev/stdout) is written directly.
    Raises OSError.
    """
    if path is None:
        with _Nowhere() as nowhere:
            yield nowhere
        return
    if path.exists() and not path.is_file():
        with path.open("wb") as direct:
            yield direct
        return
    unfinished = path.with_name(path.name + ".part")
    try:
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


class _Nowhere(BytesIO):
    def write(self, data: object) -> int:
        del data
        return 0

    def writelines(self, lines: object) -> None:
        del lines
