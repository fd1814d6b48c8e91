"""The guard around a Keras model in a script: the same access, decisions, limits, answers and log, without HTTP."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from gateway.grant import granted, now
from gateway.guard import guarding
from gateway.serving import Floats, Served, held
from gateway.settings import GatewaySettings

T = TypeVar("T")


class Wrapped:
    """A model that answers only whom the guard lets through. Use it with `with`: the threads end with the block."""

    def __init__(self, model: Served, settings: GatewaySettings) -> None:
        """Raise what `guarding` raises."""
        self._model = model
        self.guard = guarding(settings, lambda _path: model.name)
        self._loop = asyncio.new_event_loop()  # of its own thread: a notebook has one that runs already
        self._thread = threading.Thread(target=self._loop.run_forever, name="wrapped", daemon=True)

    def __enter__(self) -> Self:
        self._model.start()
        self.guard.start()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._model.stop()
        self.guard.stop()

    def predict(self, inputs: npt.ArrayLike, key: str) -> Floats:
        """Return what the client with this API key gets for inputs [n, …]: float32 [n, K].

        Raises Fault where it is refused (`status`, `code`, `message` say why), BadAnswer, Busy; ValueError for inputs
        that are not the model's.
        """
        batch = np.ascontiguousarray(inputs, dtype=np.float32)
        if batch.shape[1:] != self._model.shape or not len(batch):
            raise ValueError(f"inputs of shape {batch.shape}: the model takes {('n', *self._model.shape)}")
        return self._wait(self._predict(batch, key))

    async def _predict(self, batch: Floats, key: str) -> Floats:
        identity = self.guard.access.admit([(b"x-api-key", key.encode())], now())
        grant = granted(self.guard, identity, self._model.name, None)
        await grant.check()
        await grant.spend(len(batch))
        answers = await asyncio.wrap_future(self._model.predict(batch))
        return grant.answer(batch, answers, self._model.version)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def wrap(model: Any, settings: GatewaySettings, name: str = "model") -> Wrapped:
    """Guard a Keras model in a script; `name` is what decisions, roles and the log call it. Raises BadModel."""
    return Wrapped(held(name, model), settings)
