"""Growth: what a query costs as clients, their queries and models become many. The detector alone, in one process.

Each row is measured in a process of its own. Everybody asks a few times first; then time is taken over further queries
of clients at random (uniform) or in zipf(1.2) shares. "Bytes" is what resident memory grew by for each client in
memory; "out" and "in" are the time to write a client's snapshot and to take it back.
"""

import argparse
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.world import MODEL, START, World, taught, zipf
from detector.detector import Detector
from detector.policy import Policy
from detector.population import dump, load
from detector.query import Queries
from detector.verdict import Snapshot

BATCH: Final = 4_096
BEFORE: Final = 4  # queries of everybody before time is taken
MANY: Final = 1_000_000
SHAPED: Final = 2_000  # clients whose snapshots are timed
POOL: Final = 20_000  # different inputs
LATE: Final = (100, 100_000)  # a client's queries so far, where its next ones are timed
NEXT: Final = 2_048
KEYS: Final = {"uniform": lambda random, clients, count: random.integers(0, clients, count), "zipf(1.2)": zipf}

_SELECT: Final = "SELECT snapshot FROM idle WHERE client = ?"
_UPSERT: Final = "INSERT OR REPLACE INTO idle VALUES (?, ?)"

Row = dict[str, Any]


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--clients", type=int, nargs="+", default=[1_000, 10_000, 100_000], metavar="N")
    parser.add_argument("--million", action="store_true", help=f"also {MANY:,} clients; needs some 40 GB")
    parser.add_argument("--models", type=int, nargs="+", default=[1, 10, 100], metavar="N")
    parser.add_argument(
        "--known", type=int, nargs=2, default=[], metavar="N", help="so many known clients, of which so many are active"
    )
    parser.add_argument("--queries", type=int, default=100_000, metavar="N", help="over which time is taken")
    parser.add_argument("--floats", type=int, default=64, metavar="N", help="numbers in an input")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write a plot here: ours beside PRADA by age")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure every row."""
    population = dump([taught(World(np.random.default_rng(0), chosen.floats))])
    sizes = [*chosen.clients, *([MANY] if chosen.million else [])]
    calls: list[tuple[Callable[..., Row], tuple[Any, ...]]] = [
        *((clients, (population, many, keys, chosen.queries)) for many in sizes for keys in KEYS),
        *((late, (population, asked)) for asked in LATE),
        *((models, (population, many, chosen.queries)) for many in chosen.models),
    ]
    if chosen.known:
        calls.append((known, (population, *chosen.known, chosen.queries)))
    rows = [_apart(call, given) for call, given in calls]
    if chosen.plots:
        from benchmarks import growth_plot  # noqa: PLC0415  # matplotlib is slow to load

        growth_plot.draw(lambda age: float(_apart(lived, (population, age))), chosen.floats, chosen.plots)
    return {"rows": rows, "note": "CPU time; see the benchmark's description"}


def clients(population: bytes, many: int, keys: str, queries: int) -> Row:
    """Return what a query costs with `many` clients in memory."""
    stream = Stream(population)
    detector = Detector(Policy(), {MODEL: stream.population})
    before = _resident()
    everybody = np.arange(many * BEFORE, dtype=np.int64) % many
    _ask(detector, stream, everybody)
    grown = (_resident() - before) / many
    asking = KEYS[keys](np.random.default_rng(1), many, queries)
    used = _ask(detector, stream, asking)
    out, back = _moved(detector, stream)
    return _row(f"{many:,} clients, {keys}", used / queries, bytes_a_client=grown, out=out, back=back)


def known(population: bytes, many: int, active: int, queries: int) -> Row:
    """Return what a query costs where most known clients are idle: they leave memory, and snapshots are on disk."""
    stream = Stream(population)
    detector = Detector(Policy(), {MODEL: stream.population})
    before, idle = _resident(), _Idle(active)
    everybody = np.repeat(np.arange(many), BEFORE)
    for start in range(0, len(everybody), BATCH):
        idle.ask(detector, stream.batch(everybody[start : start + BATCH]))
    asking = np.random.default_rng(1).integers(many - active, many, queries)
    used = sum(idle.ask(detector, stream.batch(asking[start : start + BATCH])) for start in range(0, queries, BATCH))
    grown = (_resident() - before) / active
    return _row(f"{many:,} known clients, {active:,} active ones, uniform", used / queries, bytes_a_client=grown)


def late(population: bytes, asked: int, following: int = NEXT) -> Row:
    """Return what a query costs of clients that have asked so many already; a young client is soon old: 32 of them."""
    stream, many = Stream(population), 1 if asked > following else 32
    detector = Detector(Policy(), {MODEL: stream.population})
    _ask(detector, stream, np.repeat(np.arange(many), asked))
    used = _ask(detector, stream, np.repeat(np.arange(many), following // many))
    return _row(f"after {asked:,} queries of a client", used / following)


def lived(population: bytes, queries: int) -> float:
    """Return the CPU seconds of one client's first queries."""
    stream = Stream(population)
    return _ask(Detector(Policy(), {MODEL: stream.population}), stream, np.zeros(queries, np.int64))


def models(population: bytes, many: int, queries: int) -> Row:
    """Return what a query costs where a poll holds queries of so many models; each client asks one of them."""
    stream = Stream(population)
    names = [f"{MODEL}-{number}" for number in range(many)]
    detector = Detector(Policy(), {name: replace(stream.population, model=name) for name in names})
    asking, used = np.random.default_rng(1).integers(0, 1_000, queries), 0.0
    for start in range(0, queries, BATCH):
        poll = asking[start : start + BATCH]
        parts = [(name, stream.batch(poll[poll % many == number])) for number, name in enumerate(names)]
        begun = time.process_time()
        for name, part in parts:
            detector.assess(replace(part, model=name))
        used += time.process_time() - begun
    return _row(f"{many:,} models, 1,000 clients", used / queries)


class Stream:
    """Queries of whatever clients, without end."""

    def __init__(self, population: bytes) -> None:
        [self.population] = load(population).values()
        numbers = int(np.prod(self.population.shape))
        self._pool = World(np.random.default_rng(0), numbers).asked("client", 100, POOL)
        self._asked = 0

    def batch(self, client: npt.NDArray[np.int64]) -> Queries:
        """Return one query of each client named."""
        at = self._asked + np.arange(len(client))
        self._asked += len(client)
        held, number = np.unique(client, return_inverse=True)
        one = self._pool.take(at * 7 % POOL)
        return replace(
            one,
            clients=tuple(f"client-{name}" for name in held.tolist()),
            tenants=(None,) * len(held),
            client=number.astype(np.int32),
            time=START + 1_000 * at,
            id=np.stack([at, at], axis=1).astype(np.uint64),
            place=at,
        )


class _Idle:
    """Who is not in memory: snapshots in a file, as Postgres would hold them."""

    def __init__(self, active: int) -> None:
        self._active = active
        self._file = sqlite3.connect("")  # on disk, and gone with the process
        self._file.execute("CREATE TABLE idle (client TEXT PRIMARY KEY, snapshot BLOB)")

    def ask(self, detector: Detector, queries: Queries) -> float:
        """Assess queries, with whoever comes back; let the idle go from a tenth too many on. Return the CPU seconds."""
        strangers = [(name,) for name in detector.strangers(queries)]
        found = [row for name in strangers for row in self._file.execute(_SELECT, name)]
        back = [msgspec.msgpack.decode(row[0], type=Snapshot) for row in found]
        begun = time.process_time()
        detector.restore(back)
        detector.assess(queries)
        going = detector.changed() if detector.size > 1.1 * self._active else []
        used = time.process_time() - begun
        if going:
            self._file.executemany(_UPSERT, ((one.client, msgspec.msgpack.encode(one)) for one in going))
            self._file.commit()
            detector.saved()
            detector.evict(self._active)
        return used


def _ask(detector: Detector, stream: Stream, client: npt.NDArray[Any]) -> float:
    """Ask in batches and return the CPU seconds of the detector."""
    used = 0.0
    for start in range(0, len(client), BATCH):
        batch = stream.batch(client[start : start + BATCH])
        begun = time.process_time()
        detector.assess(batch)
        used += time.process_time() - begun
    return used


def _moved(detector: Detector, stream: Stream) -> tuple[float, float]:
    """Return the CPU seconds of a client's snapshot, and of its return from it."""
    detector.saved()
    detector.assess(stream.batch(np.arange(min(SHAPED, detector.size))))
    begun = time.process_time()
    changed = detector.changed()
    written = time.process_time()
    Detector(Policy(), {MODEL: stream.population}).restore(changed)
    return (written - begun) / len(changed), (time.process_time() - written) / len(changed)


def _row(what: str, seconds: float, bytes_a_client: float = 0, out: float = 0, back: float = 0) -> Row:
    moved = {"µs out": f"{1e6 * out:.0f}" if out else "", "µs in": f"{1e6 * back:.0f}" if back else ""}
    return {"what": what, "ns a query": 1e9 * seconds, "bytes a client": bytes_a_client, **moved}


def _apart(call: Callable[..., Any], given: tuple[Any, ...]) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_compile) as pool:
        return pool.submit(call, *given).result()


def _compile() -> None:
    from detector import warm  # noqa: PLC0415  # takes seconds; only where something is measured

    warm.warm()


def _resident() -> int:
    """Return this process's resident memory in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1_024 * int(next(line.split()[1] for line in lines if line.startswith("VmRSS")))
