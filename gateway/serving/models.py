"""The models of a gateway: loaded from a folder, looked at again every few seconds, swapped without losing a request.

A new or changed version is loaded and warmed beside what serves. Then a new line-up takes the old one's place, and
what only the old one holds ends when the last request that asks it has its answer.
"""

import gc
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from gateway.serving import folder
from gateway.serving.batching import STOP_SECONDS, Served
from gateway.serving.ensemble import Ensemble
from gateway.serving.folder import Found, Key, Mark
from gateway.serving.lineup import Lineup, lineup
from gateway.serving.loading import import_tensorflow, load
from gateway.serving.model import BadModel, Model

_log = structlog.get_logger("gateway.serving")


@dataclass
class Models:
    """The models in `source`: a folder, one file, or files by name; and ensembles of them by name."""

    source: Path | Mapping[str, Path]
    batch_rows: int = 256
    batch_wait: float = 0.002
    ensembles: Mapping[str, Ensemble] = field(default_factory=dict)
    secret: bytes = field(default=b"", repr=False)
    wrong: Sequence[str] = ()  # what could not be served at the last look, in words
    _lineup: Lineup = field(default_factory=Lineup)
    _running: set[Served] = field(default_factory=set)  # whose workers run
    _retired: list[Lineup] = field(default_factory=list)  # that requests may still ask
    _loaded: dict[Key, tuple[Mark, Served]] = field(default_factory=dict)
    _failed: dict[Key, tuple[Mark, str]] = field(default_factory=dict)
    _seen: dict[Key, Mark] = field(default_factory=dict)  # at the last look
    _lock: threading.Lock = field(default_factory=threading.Lock)  # of which line-up serves, and its users
    _wake: "queue.SimpleQueue[bool]" = field(default_factory=queue.SimpleQueue)  # True: look now; False: end
    _thread: threading.Thread | None = None

    def load(self) -> None:
        """Load everything and start the workers. Raises BadModel at the first that cannot be served."""
        found, wrong = folder.look(self.source)
        if not found and not wrong:
            raise BadModel(f"{self.source}: no model to serve: NAME.keras, NAME/VERSION.keras or NAME/VERSION/")
        if not wrong:
            import_tensorflow()
            self.look(settled=True)
            wrong = list(self.wrong)
        if wrong:
            self.stop()
            raise BadModel(wrong[0])

    def start(self, every: float) -> None:
        """Look at the folder every so many seconds from now on."""
        self._thread = threading.Thread(target=self._watch, args=(every,), name="models", daemon=True)
        self._thread.start()

    def look_soon(self) -> None:
        """Look now, and take what is there as complete; callable from a signal handler."""
        self._wake.put(True)

    def stop(self) -> None:
        """End every worker; what waits is answered."""
        if self._thread is not None:
            self._wake.put(False)
            self._thread.join(STOP_SECONDS)
        for model in self._running:
            model.stop()

    @property
    def ready(self) -> bool:
        """Tell whether there is a model, and every model answers."""
        return bool(self._lineup.models) and all(member.ready for member in self._lineup.members)

    @property
    def served(self) -> Mapping[str, Model]:
        """Return the models by name, each in its highest version."""
        return {name: versions[max(versions, key=int)] for name, versions in self._lineup.models.items()}

    def knows(self, name: str) -> bool:
        """Tell whether a model of this name is served."""
        return name in self._lineup.models

    @contextmanager
    def using(self) -> Iterator[Lineup]:
        """Yield what is served now; nothing of it ends within the block."""
        with self._lock:
            used = self._lineup
            used.users += 1
        try:
            yield used
        finally:
            with self._lock:
                used.users -= 1

    def look(self, *, settled: bool = False) -> None:
        """Load what is new or changed, drop what is gone, and swap. What fails goes to `wrong`; the old goes on.

        A file counts as complete when it has not changed since the last look, or at once where `settled`.
        """
        try:
            found, wrong = folder.look(self.source)
        except BadModel as error:  # the folder is away: what is loaded goes on
            self._tell([str(error)])
            return
        for key, there in found.items():
            if self._due(key, there.mark, settled):
                self._take(key, there)
        self._forget(found, settled)
        self._seen = {key: there.mark for key, there in found.items()}
        wrong += [why for _, why in self._failed.values()]
        self._tell(wrong + self._swap())
        self._end_unused()

    def _watch(self, every: float) -> None:
        while True:
            try:
                told = self._wake.get(timeout=every)
            except queue.Empty:
                self.look()
                continue
            if not told:
                return
            self.look(settled=True)

    def _due(self, key: Key, mark: Mark, settled: bool) -> bool:
        if key in self._loaded and self._loaded[key][0] == mark:
            return False
        failed = key in self._failed and self._failed[key][0] == mark
        return settled or (mark == self._seen.get(key) and not failed)

    def _take(self, key: Key, there: Found) -> None:
        name, version = key
        try:
            model = load(name, there.path, version)
        except BadModel as error:
            self._failed[key] = (there.mark, str(error))
            return
        model.batch_rows, model.batch_wait = self.batch_rows, self.batch_wait
        model.start()
        self._running.add(model)
        self._loaded[key] = (there.mark, model)
        _log.info("model ready", model=name, version=version, shape=model.shape, classes=model.classes)

    def _forget(self, found: Mapping[Key, Found], settled: bool) -> None:
        """Drop what is gone (at two looks, lest a file that is being replaced costs its model), and past failures."""
        gone = self._loaded.keys() - found.keys() - (set() if settled else self._seen.keys())
        self._loaded = {key: entry for key, entry in self._loaded.items() if key not in gone}
        self._failed = {
            key: entry for key, entry in self._failed.items() if key in found and found[key].mark == entry[0]
        }

    def _swap(self) -> list[str]:
        """Put what is loaded in the place of what serves; return what is wrong with the ensembles."""
        new, wrong = lineup((model for _, model in self._loaded.values()), self.ensembles, self.secret, self._lineup)
        with self._lock:
            self._retired.append(self._lineup)
            self._lineup = new
        return wrong

    def _end_unused(self) -> None:
        """Stop the models that are neither loaded now nor in a line-up that serves or is still asked."""
        with self._lock:
            self._retired = [one for one in self._retired if one.users]
            asked = (self._lineup, *self._retired)
        used = {model for _, model in self._loaded.values()} | {member for one in asked for member in one.members}
        for model in self._running - used:
            model.stop()
            _log.info("model ended", model=model.name, version=model.version)
        if self._running - used:
            self._running &= used
            gc.collect()  # Keras models hold cycles

    def _tell(self, wrong: list[str]) -> None:
        for why in wrong:
            if why not in self.wrong:  # once, not at every look
                _log.error("model not served", why=why)
        self.wrong = tuple(wrong)
