"""From a file to a model that answers: the only module that imports TensorFlow.

What is trusted. A `.keras` file is data: it is loaded with `safe_mode`, never unpickled, and refused where it holds a
Lambda layer or other Python code. A SavedModel is a program of TensorFlow operations: no Python in it is run, and
those whose operations read or write files, or call Python, are refused by name. That is a list, not a sandbox
(TensorFlow's own SECURITY.md: "models are programs"), and the checkpoint operations that every SavedModel holds stay:
serve SavedModels only of people whom you would let run programs here. HDF5 files are not read at all.
"""

import contextlib
import gc
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gateway.serving.batching import Served
from gateway.serving.model import BadAnswer, BadModel, Floats

OUTPUT = "output_0"  # as exported Keras models call it
COUNTED = re.compile(r"(input_layer|keras_tensor)_\d+")  # Keras counts what has no name: another number each training
SIGNATURE = "serving_default"
FOREIGN = re.compile(
    r"(?!ShardedFilename$)\w*(File|PyFunc|Reader|Dataset|Summary|LMDB|Sql|Rpc|Debug|Print|Abort|Sleep)\w*"
)  # operations
UNREADABLE = (  # what loaders raise for files that are none
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OSError,
    EOFError,
    ImportError,
    RuntimeError,
    AssertionError,
    zipfile.BadZipFile,
    zlib.error,
)


class _Loaded(NamedTuple):
    shape: tuple[int, ...]
    classes: int
    input_name: str
    output_name: str
    call: Callable[[Any], Any]  # tensor float32 [n, *shape] -> tensor [n, classes]
    model: Any  # kept: without it its variables would be gone


def load(name: str, path: Path, version: str = "1") -> Served:
    """Load a `.keras` file or a folder with a SavedModel, and ask it once; its worker is not started yet.

    Raises BadModel.
    """
    loaded = _saved_model(path) if path.is_dir() else _keras_model(path)
    return _served(name, loaded, path, version)


def held(name: str, model: Any) -> Served:
    """Return a Keras model that is in memory as one that is served. Raises BadModel."""
    return _served(name, _compiled(Path(name), model), Path(name), "1")


def _served(name: str, loaded: _Loaded, path: Path, version: str) -> Served:
    import tensorflow as tf  # noqa: PLC0415

    def call(batch: Floats) -> Floats:
        try:
            return np.asarray(loaded.call(tf.constant(batch)), dtype=np.float32)
        except tf.errors.OpError as error:
            raise BadAnswer(f"model {name}: {error.message}") from error

    served = Served(name, *loaded[:4], call, version=version)
    try:
        served.ask(_probe(loaded.shape))  # compiles, and shows what it answers
    except BadAnswer as error:
        raise BadModel(f"{path}: {error}; end it with softmax or sigmoid") from error
    served.calls = 0
    return served


def import_tensorflow() -> None:
    """Import TensorFlow: five seconds, once.

    Its 400,000 objects live as long as the process: frozen, no garbage collection looks at them again (0.5 s each).
    """
    if "tensorflow" in sys.modules:
        return
    with _quiet():
        import keras  # noqa: F401, PLC0415
        import tensorflow as tf  # noqa: F401, PLC0415
    gc.freeze()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what TensorFlow's C++ half writes to stderr during its import off the screen."""
    os.putenv("TF_CPP_MIN_LOG_LEVEL", "3")  # for later; during the import it is not heeded
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def opened(path: Path) -> Any:
    """Return the Keras model of a `.keras` file, never unpickling and never running code of it. Raises BadModel."""
    import_tensorflow()
    import keras  # noqa: PLC0415

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except UNREADABLE as error:
        raise BadModel(f"{path}: {_why(error)}") from error


def _keras_model(path: Path) -> _Loaded:
    return _compiled(path, opened(path))


def _compiled(path: Path, model: Any) -> _Loaded:
    import tensorflow as tf  # noqa: PLC0415

    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise BadModel(f"{path}: only models with one input and one output are served")
    source = model.inputs[0]
    shape, classes = _dimensions(path, source.shape, model.outputs[0].shape)

    def call(batch: Any) -> Any:
        return model(tf.cast(batch, source.dtype), training=False)

    spec = tf.TensorSpec((None, *shape), tf.float32)
    compiled = tf.function(call, input_signature=[spec], autograph=False).get_concrete_function()
    return _Loaded(shape, classes, COUNTED.sub(r"\1", source.name), OUTPUT, compiled, model)


def _saved_model(path: Path) -> _Loaded:
    import_tensorflow()
    import tensorflow as tf  # noqa: PLC0415

    try:
        _refuse_foreign(path)
        model = tf.saved_model.load(str(path))
    except (*UNREADABLE, tf.errors.OpError) as error:
        raise error if isinstance(error, BadModel) else BadModel(f"{path}: {_why(error)}") from error
    signature = model.signatures.get(SIGNATURE)
    if signature is None:
        raise BadModel(f"{path}: it has no signature {SIGNATURE!r}; write it with model.export(FOLDER)")
    source, spec = _only(path, signature.structured_input_signature[1])
    output, answer = _only(path, signature.structured_outputs)
    shape, classes = _dimensions(path, tuple(spec.shape), tuple(answer.shape))

    def call(batch: Any) -> Any:
        return signature(**{source: tf.cast(batch, spec.dtype)})[output]

    return _Loaded(shape, classes, source, output, call, model)


def _refuse_foreign(path: Path) -> None:
    """Raise BadModel where a SavedModel's operations, those of its functions too, reach outside of it."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # noqa: PLC0415  # TensorFlow's
    from tensorflow.core.protobuf import saved_model_pb2  # noqa: PLC0415

    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((path / "saved_model.pb").read_bytes())
    except DecodeError as error:
        raise BadModel(f"{path}: {_why(error)}") from error
    graphs = [meta.graph_def for meta in model.meta_graphs]
    nodes = [node for graph in graphs for node in graph.node]
    nodes += [node for graph in graphs for function in graph.library.function for node in function.node_def]
    foreign = sorted({node.op for node in nodes if FOREIGN.fullmatch(node.op)})
    if foreign:
        raise BadModel(f"{path}: refused: its operations {', '.join(foreign[:5])} reach outside of the model")


def _only(path: Path, tensors: Mapping[str, Any]) -> tuple[str, Any]:
    if len(tensors) != 1:
        raise BadModel(f"{path}: only models with one input and one output are served")
    return next(iter(tensors.items()))


def _dimensions(path: Path, shape: Sequence[Any], answer: Sequence[Any]) -> tuple[tuple[int, ...], int]:
    """Return one input's shape and the number of classes. Raises BadModel for what this gateway cannot serve."""
    if not shape or shape[0] is not None:
        raise BadModel(f"{path}: the input's shape {tuple(shape)} has no open batch axis")
    if any(size is None for size in shape[1:]):
        raise BadModel(f"{path}: the input's shape {tuple(shape[1:])} is not fixed")
    if len(answer) != 2 or answer[1] is None:  # noqa: PLR2004  # batch, classes
        raise BadModel(f"{path}: the answer's shape {tuple(answer)} is not (batch, classes)")
    return tuple(int(size) for size in shape[1:]), int(answer[1])


def _probe(shape: tuple[int, ...]) -> Floats:
    """Return inputs that show logits for what they are: one of zeros, some between 0 and 1; always the same."""
    probe = np.random.default_rng(0).random((4, *shape), dtype=np.float32)
    probe[0] = 0
    return probe


def _why(error: BaseException) -> str:
    text = str(error)
    if "Lambda" in text or "unsafe" in text.lower():
        return "refused: it holds a Lambda layer or other code, which would run here"
    return f"not a readable Keras model ({text.splitlines()[0][:200] if text else type(error).__name__})"
