"""What came of the run: fates of clients out of what they saw and what Postgres holds, and the thieves' copies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from consumers.store import reads
from gamekeeper.demo import surrogate, victim
from gamekeeper.demo.clients import Ask, Learnt, drive
from gamekeeper.demo.data import MODEL, Images, Labels, Parts, patches
from gamekeeper.demo.outcome import STANDINGS, Fate, Ledger, Outcome, sum_up
from gamekeeper.demo.people import THIEF_QUERIES
from gamekeeper.demo.screen import Beat
from gamekeeper.demo.system import System
from gamekeeper.demo.traffic import Visitor

COPIES_A_KIND = 2  # thieves whose copies are trained: some seconds each on a busy machine
_MICROSECONDS = 1e6


@dataclass(frozen=True, slots=True)
class Model:
    """The model in process: asked only for what no client of the run was answered."""

    ask: Ask

    @classmethod
    def load(cls, path: Path) -> "Model":
        """Return the model that the gateway serves; also opens the photographs, which needs TensorFlow too."""
        patches()
        return cls(victim.ask(victim.load(path)))

    def labels(self, images: Images) -> Labels:
        """Return the model's labels of images [n, 8, 8]."""
        found = self.ask(images)
        if found is None:
            raise ValueError("a model in process refuses nobody")
        return found.labels


@dataclass(frozen=True, slots=True)
class Known:
    """What is known before the run: the model, the images, and from when the population was in force."""

    model: Model
    parts: Parts
    replay_from: str


@dataclass(frozen=True, slots=True)
class Copy:
    """How far a thief's copy agrees with the model: when it was blocked (None: it was not), and had it not been."""

    at_block: float | None
    unstopped: float


@dataclass(frozen=True, slots=True)
class Heard:
    """Alerts received, and from when on a replay reaches the same verdicts."""

    webhooks: int
    replay_from: str


def now() -> str:
    """Return this instant as RFC 3339 with milliseconds, as Kafka counts time."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def copies(visitors: Sequence[Visitor], known: Known, beat: Beat) -> Mapping[str, Copy]:
    """Train the thieves' copies: on what each had learnt, and on what it learns when it goes on in process."""
    test = known.parts.test.images
    truth = known.model.labels(test)
    thieves = _some([visitor for visitor in visitors if not visitor.kind.honest])
    found = {}
    for at, visitor in enumerate(thieves):
        beat(f"copy {at + 1} of {len(thieves)}")
        at_block = _agreement(visitor.conversation.learnt(), test, truth) if visitor.blocked else None
        on = drive(visitor.conversation, known.model.ask, THIEF_QUERIES)
        found[visitor.name] = Copy(at_block, _agreement(on, test, truth))
    return found


def _some(thieves: Sequence[Visitor]) -> list[Visitor]:
    """Return at most COPIES_A_KIND clients of each kind, blocked ones first."""
    by_kind: dict[str, list[Visitor]] = {}
    for visitor in sorted(thieves, key=lambda thief: not thief.blocked):
        by_kind.setdefault(visitor.kind.name, []).append(visitor)
    return [visitor for of_kind in by_kind.values() for visitor in of_kind[:COPIES_A_KIND]]


def outcome(system: System, visitors: Sequence[Visitor], found: Mapping[str, Copy], heard: Heard) -> Outcome:
    """Return what came of the run."""
    verdicts: dict[str, list[reads.VerdictLine]] = {}
    for verdict in reads.verdicts(system.engine, MODEL):
        verdicts.setdefault(verdict.client, []).append(verdict)
    counts = system.counts()
    ledger = Ledger(counts.written, counts.read, counts.unreadable, heard.webhooks, heard.replay_from)
    return sum_up([_fate(visitor, verdicts.get(visitor.name, []), found) for visitor in visitors], ledger)


def _fate(visitor: Visitor, verdicts: Sequence[reads.VerdictLine], found: Mapping[str, Copy]) -> Fate:
    deciding = next((verdict for verdict in verdicts if verdict.action == "block" and not verdict.shadow), None)
    copy = found.get(visitor.name)
    return Fate(
        name=visitor.name,
        kind=visitor.kind,
        asked=visitor.asked,
        blocked=visitor.blocked,
        standing=max((verdict.standing for verdict in verdicts), key=STANDINGS.index, default="clear"),
        queries_to_block=None if deciding is None else deciding.queries,
        seconds_to_enforce=_seconds(deciding, visitor.turned_away),
        copy_at_block=None if copy is None else copy.at_block,
        copy_unstopped=None if copy is None else copy.unstopped,
    )


def _seconds(deciding: reads.VerdictLine | None, turned_away: int | None) -> float | None:
    """Return seconds from the deciding query's answer to the client's first 403."""
    if deciding is None or turned_away is None:
        return None
    answered = deciding.at.timestamp()
    return max(turned_away / _MICROSECONDS - answered, 0.0)


def _agreement(learnt: Learnt, test: Images, truth: Labels) -> float:
    return surrogate.agreement(learnt.inputs, learnt.answers.labels, test, truth)
