"""The system that the demo runs on: services, processes, keys, population. All of it as in production."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Engine

from consumers.kafka import written
from consumers.store import keys, populations, reads
from consumers.store.people import Said
from detector.population import load
from detector.topics import Topics
from gamekeeper import brokers, up
from gamekeeper.demo import POLICY, assets
from gamekeeper.demo.data import MODEL
from gamekeeper.demo.screen import Beat, Screen, beats
from gamekeeper.demo.webhook import Receiver
from gamekeeper.settings import Settings, environment
from gamekeeper.supervisor import Spec, Supervisor

_READY_SECONDS = 90.0
_LEARN_SECONDS = 600.0
_ADOPT_SECONDS = 30.0
_POLL = 0.2  # s between two looks at something that takes a while
_WHO = Said(who="gamekeeper demo", why="demo")


class Stuck(RuntimeError):  # noqa: N818  # named for what it says to whoever runs the demo
    """A step did not end in time; the message says which, and where to look."""

    for_people = True


@dataclass(frozen=True, slots=True)
class Counts:
    """Predictions written to the topic, read by `detect`, and unreadable among those."""

    written: int
    read: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class System:
    """What is running, and how to reach it."""

    settings: Settings
    folder: Path
    parts: up.Parts
    engine: Engine
    supervisor: Supervisor
    model_path: Path

    @property
    def predict_url(self) -> str:
        """Return where the model answers."""
        return f"http://127.0.0.1:{self.parts.ports['gateway']}/v1/models/{MODEL}:predict"

    @property
    def topic(self) -> str:
        """Return the full name of the topic of predictions."""
        return Topics(self.settings.topic_prefix).predictions

    def tend(self) -> None:
        """Start again what died. From the main thread only: a process ends with the thread that started it."""
        self.supervisor.tend()

    def register(self, clients: Sequence[str]) -> Mapping[str, str]:
        """Return a new key for each client; gateways learn of them through Kafka."""
        pepper = self.settings.key_pepper.encode()
        return {
            client: keys.add_client_key(self.engine, keys.Holder(client), _WHO, pepper).secret for client in clients
        }

    def counts(self) -> Counts:
        """Return what the topic and Postgres say now."""
        scored, counted, unreadable = reads.counts(self.engine, self.settings.group, self.topic)
        return Counts(
            written(brokers.reached(self.settings, self.parts.bootstrap), self.topic),
            scored + counted + unreadable,
            unreadable,
        )

    def drain(self, seconds: float) -> None:
        """Wait until everything written is read, at most `seconds`; whoever counts afterwards sees whether it was."""
        deadline = time.monotonic() + seconds
        steady = -1
        while time.monotonic() < deadline:
            now = self.counts()
            if now.written == now.read == steady:  # twice the same: the gateway has no more to write
                return
            steady = now.written
            time.sleep(2 * _POLL)

    def learn(self, beat: Beat) -> str:
        """Learn a population from the topic, as an operator would. Return its version. Raises Stuck."""
        out, log = self.folder / "population.gk", self.folder / "logs" / "learn.log"
        command = [sys.executable, "-m", "gamekeeper", "learn", f"kafka://{self.topic}", "--out", str(out)]
        variables = environment({"KAFKA_BOOTSTRAP_SERVERS": self.parts.bootstrap, "DATABASE_URL": self.parts.database})
        beat("as `gamekeeper learn` does")
        with log.open("wb") as output:
            done = subprocess.run(  # noqa: S603  # our own command
                command, stdout=output, stderr=output, env=variables, timeout=_LEARN_SECONDS, check=False
            )
        if done.returncode != 0:
            raise Stuck(f"learn failed: {_last_line(log)}")
        content = out.read_bytes()
        populations.put(self.engine, content, _WHO.who)
        return load(content)[MODEL].version

    def put_in_force(self, version: str, beat: Beat) -> None:
        """Ask for the population and wait until every partition has adopted it. Raises Stuck."""
        populations.use(self.engine, MODEL, version, _WHO.who)
        deadline = time.monotonic() + _ADOPT_SECONDS
        while time.monotonic() < deadline:
            adopted = [there for there, _ in reads.in_force(self.engine, MODEL).values() if there == version]
            beat(f"{len(adopted)} of {self.settings.partitions} partitions")
            if len(adopted) == self.settings.partitions:
                return
            time.sleep(_POLL)
        raise Stuck(f"population {version} was not adopted in {_ADOPT_SECONDS:.0f} s; see {self.folder / 'logs'}")


@contextmanager
def started(settings: Settings, folder: Path, receiver: Receiver, screen: Screen) -> Iterator[System]:
    """Start everything in `folder`, wait until it is ready, and stop it all afterwards."""
    with ExitStack() as stack:
        with ThreadPoolExecutor(1) as pool, screen.step("Kafka, PostgreSQL, and a CNN trained on digits") as advance:
            training = pool.submit(assets.prepare_model, folder, lambda _: None)
            there = stack.enter_context(up.services(settings, folder, beats(advance)))
            beats(advance)("schema and topics")
            engine = up.prepare_store(settings, there.bootstrap, there.database)
            stack.callback(engine.dispose)
            beats(advance)("training the model")
            model_path = training.result()
        parts = up.Parts(there.bootstrap, there.database, up.free_ports(), push_token="")
        system = System(settings, folder, parts, engine, Supervisor(), model_path)
        stack.callback(system.supervisor.stop)
        with screen.step("detect, deliver, api and gateway, each a process") as advance:
            for spec in up.specs(settings, parts, folder, model_path.parent):
                system.supervisor.start(_for_demo(spec, receiver))
            system.supervisor.wait_ready(_READY_SECONDS, beats(advance))
        yield system


def _for_demo(spec: Spec, receiver: Receiver) -> Spec:
    """Return the process with the demo's policy, and alerts to our receiver, which is on a private address."""
    ours = {
        "GAMEKEEPER_POLICY": str(POLICY),
        "GAMEKEEPER_WEBHOOKS": f"security={receiver.url}",
        "GAMEKEEPER_WEBHOOK_SECRET": receiver.secret,
        "GAMEKEEPER_WEBHOOK_PRIVATE": "true",
    }
    return replace(spec, environment={**spec.environment, **ours})


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else f"without a word in {log}"
