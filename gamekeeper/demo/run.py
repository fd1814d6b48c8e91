"""`gamekeeper demo`: the whole system on this machine, on real data, with honest clients and thieves.

Everything goes the road it goes in production: keys through Kafka, queries over HTTP, a population learnt
from the topic, verdicts through Postgres, decisions back to the gateway. The steps are numbered in `run`.
"""

import asyncio
import json
import logging
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from gamekeeper.demo import data, measure, people, traffic
from gamekeeper.demo.outcome import Outcome
from gamekeeper.demo.screen import Advance, Screen, beats
from gamekeeper.demo.system import System, started
from gamekeeper.demo.traffic import Visitor
from gamekeeper.demo.webhook import Receiver, receiving
from gamekeeper.settings import Settings

_WARM_UP_SECONDS = 90.0  # at most; it ends when every client has asked what it came to ask
_DRAIN_SECONDS = 30.0  # until everything written is read


def run(settings: Settings, seconds: int, out: Path | None) -> int:
    """Run the demo and return its exit code. Raises NotReady, NotMade, Broken and what `learn` raises."""
    screen = Screen(Console())
    signal.signal(signal.SIGTERM, _leave)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # the screen is ours; what matters comes as an exception
    with ExitStack() as stack:
        folder = stack.enter_context(_folder())
        receiver = stack.enter_context(receiving())
        system = stack.enter_context(started(settings, folder, receiver, screen))  # 1. everything real, all of it here
        parts = data.load()
        _warm_up(system, people.warm_up(parts, system.register), screen)  # 2. honest clients make a past
        model = _learn(system, screen)  # 3. a population out of the topic, in force everywhere
        visitors = people.run(parts, system.register, seconds)
        replay_from = measure.now()
        _traffic(system, visitors, seconds, screen)  # 4. honest clients and thieves, at once
        known = measure.Known(model, parts, replay_from)
        outcome = _measure(system, visitors, receiver, known, screen)  # 5. what came of it
    screen.result(outcome)
    if out is not None:
        out.write_text(json.dumps(outcome.document(), indent=2) + "\n", encoding="utf-8")
    return 0 if outcome.passed else 1


def _leave(number: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does: everything is stopped, and the folder goes."""
    raise SystemExit(128 + number)


@contextmanager
def _folder() -> Iterator[Path]:
    """Yield a folder for everything; of a demo that breaks off, the logs in it stay."""
    folder = Path(tempfile.mkdtemp(prefix="gamekeeper-demo-"))
    try:
        yield folder
    except BaseException:
        for entry in folder.iterdir():
            if entry.name != "logs":
                shutil.rmtree(entry, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _warm_up(system: System, visitors: list[Visitor], screen: Screen) -> None:
    title = f"{len(visitors)} honest clients make a past over HTTP"
    with screen.step(title) as advance:
        _go(system, visitors, _WARM_UP_SECONDS, lambda: _tell(visitors, advance))
        system.drain(_DRAIN_SECONDS)


def _learn(system: System, screen: Screen) -> measure.Model:
    """Learn the population and put it in force; meanwhile load the model, to ask it in process later."""
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(measure.Model.load, system.model_path)
        with screen.step("learn a population from kafka://predictions") as advance:
            version = system.learn(beats(advance))
        with screen.step("in force in every partition") as advance:
            system.put_in_force(version, beats(advance))
        return loading.result()


def _traffic(system: System, visitors: Sequence[Visitor], seconds: float, screen: Screen) -> None:
    with screen.step(f"{len(visitors)} clients over HTTP") as advance:
        _go(system, visitors, seconds, lambda: _tell(visitors, advance))


def _go(system: System, visitors: Sequence[Visitor], seconds: float, tell: Callable[[], None]) -> None:
    def beat() -> None:
        system.tend()
        tell()

    asyncio.run(traffic.run(visitors, system.predict_url, seconds, beat))


def _tell(visitors: Sequence[Visitor], advance: Advance) -> None:
    asked = sum(visitor.asked for visitor in visitors)
    honest = len([visitor for visitor in visitors if visitor.kind.honest and visitor.blocked])
    thieves = [visitor for visitor in visitors if not (visitor.kind.honest or visitor.kind.control)]
    blocked = len([visitor for visitor in thieves if visitor.blocked])
    text = f"blocked {honest} honest, {blocked} of {len(thieves)} thieves" if thieves else f"{asked:,} asked"
    advance(asked / sum(visitor.budget for visitor in visitors), text)


def _measure(
    system: System, visitors: Sequence[Visitor], receiver: Receiver, known: measure.Known, screen: Screen
) -> Outcome:
    with screen.step("all that was written is read; copies compared") as advance:
        reading = threading.Thread(target=system.drain, args=(_DRAIN_SECONDS,))
        reading.start()
        copies = measure.copies(visitors, known, beats(advance))
        reading.join()
        return measure.outcome(system, visitors, copies, measure.Heard(receiver.received, known.replay_from))
