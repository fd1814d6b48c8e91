"""The model that `learn` asks for true answers: a Keras file on this machine, or an address."""

import importlib.util
import math
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gamekeeper.settings import BadSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from detector.learning import Ask
    from detector.query import Shape
    from gateway.serving import Floats, Served

ANSWER_SECONDS = 60.0  # for one batch of a model on this machine


@contextmanager
def asking(model: str | None, settings: Settings) -> "Iterator[Callable[[Shape], Ask] | None]":
    """Yield what makes, for the shape of one input, a function that asks `model` (FILE or URL); None for none.

    Raises BadSettings, BadModel for a file that cannot be served, Unanswered for an address that does not answer.
    """
    if model is None:
        yield None
    elif "://" in model:
        from consumers.asking import over_http  # noqa: PLC0415

        with over_http(model, settings.model_key) as made:
            yield made
    else:
        with _kept(Path(model)) as served:
            yield lambda shape: _ask(served, shape)


@contextmanager
def _kept(path: Path) -> "Iterator[Served]":
    """Serve one `.keras` file inside this process."""
    if path.suffix != ".keras" or not path.is_file():
        raise BadSettings(f"--model {path}: neither a .keras file nor an address such as http://HOST/v1/models/NAME")
    if importlib.util.find_spec("keras") is None:
        raise BadSettings("--model FILE needs TensorFlow: pip install 'gamekeeper[gateway]', or give an address")
    from gateway import serving  # noqa: PLC0415

    served = serving.load(path.stem, path)
    served.start()
    try:
        yield served
    finally:
        served.stop()


def _ask(served: "Served", shape: "Shape") -> "Ask":
    import numpy as np  # noqa: PLC0415

    from detector.learning import LearnError  # noqa: PLC0415
    from gateway.serving import BadAnswer  # noqa: PLC0415

    if math.prod(shape) != math.prod(served.shape):
        raise LearnError(f"the model takes inputs of shape {served.shape}, the records hold {shape}")

    def ask(inputs: "Floats") -> "Floats":
        rows = inputs.reshape(-1, *served.shape)
        batches = [rows[at : at + served.batch_rows] for at in range(0, len(rows), served.batch_rows)]
        try:
            return np.concatenate([served.predict(batch).result(ANSWER_SECONDS) for batch in batches])
        except (BadAnswer, TimeoutError) as error:
            raise LearnError(str(error) or f"the model did not answer within {ANSWER_SECONDS:.0f} s") from error

    return ask
