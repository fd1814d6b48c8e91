"""TensorFlow without what its C++ half writes to stderr while it is imported."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Keep what TensorFlow's C++ half writes to stderr off the screen; to be held around its first import."""
    os.putenv("TF_CPP_MIN_LOG_LEVEL", "3")  # for later; during the import it is not heeded
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
