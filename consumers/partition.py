"""One partition that is ours: its detector, and what it has reached since the last checkpoint.

A step only adds to memory; `save` writes everything at once. Whatever fails in between, the whole object is
dropped and made again from what Postgres holds: memory is never ahead of it for longer than two checkpoints.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

from sqlalchemy import Engine

from consumers import metrics
from consumers.poison import Doubt, Poisoned
from consumers.store import checkpoint, feedback
from consumers.store.facts import Channels, Checkpoint, Claim, Mark
from detector import wire
from detector.decision import ANY_MODEL
from detector.detector import Detector
from detector.policy import Policy
from detector.population import Population
from detector.query import Queries
from detector.verdict import Verdict
from detector.wire import RawRecord, Unreadable

MARKS_BYTES_MAX = 8 << 20  # of marked inputs waiting for a checkpoint
UNREADABLE_MAX = 1_000  # waiting for a checkpoint, 4 KiB each: more than that are written at once
STRANGERS_MAX = 10_000  # clients of one SELECT of snapshots
SNAPSHOT_CHECKPOINTS = 5  # snapshots go with every fifth checkpoint at the latest, and
SNAPSHOT_QUERIES = 50_000  # after so many predictions: what a new owner reads again at the most, some seconds' work


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all partitions of a process."""

    engine: Engine
    policy: Policy  # until another is wanted
    channels: Channels
    population: Callable[[str], Population]  # of a version
    keep_marks: Callable[[Sequence[bytes]], list[Mark]] = lambda _: []  # sealed; by default none
    policies: Callable[[str], Policy | None] = lambda _: None  # of a version; None: it is not known any more
    wanted: Callable[[], Policy | None] = lambda: None  # which policy should be in force; None: the one that is
    aside: Executor | None = None  # writes what nothing waits for, while more is read; None: it is waited for


@dataclass(slots=True)
class Pending:
    """What no checkpoint has yet."""

    scored: int = 0
    counted: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)
    poisoned: int = 0  # those of them at which the detector itself failed
    verdicts: list[Verdict] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    gap: tuple[int, int] | None = None

    @property
    def lasting(self) -> bool:
        """Tell whether there is something that a new owner could not, or should not have to, derive again."""
        return self.poisoned > 0 or self.gap is not None or bool(self.marks)

    @property
    def read(self) -> int:
        """Predictions since the last checkpoint, whatever became of them."""
        return self.scored + self.counted + len(self.unreadable)

    @property
    def urgent(self) -> bool:
        """Tell whether this should not wait for the next checkpoint's time."""
        return bool(self.verdicts) or self.gap is not None or self.large

    @property
    def presses(self) -> bool:
        """Tell whether somebody waits for this."""
        return any(verdict.presses for verdict in self.verdicts)

    @property
    def large(self) -> bool:
        """Tell whether this takes so much memory that it must not become more."""
        return len(self.unreadable) >= UNREADABLE_MAX or sum(len(one.input) for one in self.marks) >= MARKS_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Entrusted:
    """What becomes true when a checkpoint is in Postgres."""

    pending: Pending
    next: int
    written: int  # µs, the broker's time of the newest record
    whole: bool
    keep: int  # clients that stay in memory


class Partition:
    """The detector of one claimed partition."""

    def __init__(self, terms: Terms, claim: Claim, start: int) -> None:
        """Go on at offset `start`. Raises SQLAlchemyError."""
        self.claim = claim
        self.next = start
        self.saved = start
        self._written = time.time_ns() // 1_000  # µs, the broker's time of the newest record; not known yet: older
        self.saved_written = self._written  # the same, of the newest in a checkpoint
        self._whole = start  # up to here Postgres holds snapshots of everybody
        # checkpoints and predictions since then; a place without any snapshot gets one at once
        self._since = SNAPSHOT_CHECKPOINTS if claim.next is None else 0, 0
        self.pending = Pending()
        self._aside: tuple[Future[None], Entrusted] | None = None
        self.in_force = dict(claim.populations)
        self._terms = terms
        populations = self._populations()
        self._shapes = {model: population.shape for model, population in populations.items()}
        known = None if claim.policy is None else terms.policies(claim.policy)
        self.detector = Detector(known or terms.wanted() or terms.policy, populations)

    def take(self, records: Sequence[RawRecord], doubt: Doubt | None) -> None:
        """Read records that follow on what was read before. Raises SQLAlchemyError, or Poisoned: then drop this."""
        with metrics.DECODE.time():
            decoded = wire.decode(records, self._shapes)
        self.pending.unreadable.extend(decoded.unreadable)
        self.pending.marks.extend(self._terms.keep_marks(decoded.enforced))
        for queries in decoded.queries:
            with metrics.RESTORE.time():
                self._meet(queries)
            with metrics.ASSESS.time():
                if doubt is None or not doubt.covers(queries):
                    self._assess(queries)
                else:
                    self._assess_each(queries, doubt, records)
        self.next = records[-1].place + 1
        self._written = records[-1].broker_time or self._written

    @property
    def writing(self) -> bool:
        """Tell whether a checkpoint is being written aside, or was and is not settled."""
        return self._aside is not None

    @property
    def written(self) -> bool:
        """Tell whether `settle` would not wait."""
        return self._aside is not None and self._aside[0].done()

    def settle(self) -> Pending:
        """Wait for the checkpoint that is written aside, if there is one, and return what is in Postgres by it.

        Raises as `save` does.
        """
        if self._aside is None:
            return Pending()
        (writing, made), self._aside = self._aside, None
        writing.result()
        return self._safe(made)

    def save(self, wanted: Mapping[str, str], keep: int, leaving: bool = False) -> Pending:
        """Write a checkpoint, if there is anything to write, and return what is now in Postgres.

        `wanted` names the population version of each model that should be in force: from here on it is, and so is the
        policy that is wanted. `keep` is how many clients stay in memory. Who is `leaving` hands everything over, so
        that nothing need be derived again. Verdicts that press, and what changes who judges by what, are waited for;
        all else is written aside if there is somebody to do it: nothing is in Postgres yet, and `settle` comes before
        the next.
        Raises Fenced or SQLAlchemyError: then drop this.
        """
        heard = self._hear()
        new = self.next >= self.claim.reached  # else verdicts of what was in force before are derived again
        adopted = {model: one for model, one in wanted.items() if new and self.in_force.get(model) != one}
        turned = self._turning() if new else None
        self._since = self._since[0] + 1, self._since[1] + self.pending.read
        turning = bool(heard or adopted or turned) or leaving
        whole = turning or self.pending.lasting or self._snapshots_due(keep)
        behind = self.next != (self._whole if whole else self.saved)
        if not (self.pending.read or self.pending.gap or heard or adopted or turned or behind):
            return self.pending
        with metrics.PACK.time():
            made = self._checkpoint(heard, tuple(adopted.values()), turned, whole)
        aside = not (turning or self.pending.presses)
        entrusted = self._entrust(whole, keep)
        if aside and self._terms.aside is not None:
            self._aside = self._terms.aside.submit(self._write, made), entrusted
            return Pending()
        arriving = [self._terms.population(version) for version in adopted.values()]
        self._write(made)
        for population in arriving:
            self._adopt(population)
        written = self._safe(entrusted)
        if turned is not None:
            self._turn(turned)
        return written

    def _entrust(self, whole: bool, keep: int) -> Entrusted:
        """Begin anew what the next checkpoint will hold; if this one fails, everything here is dropped."""
        entrusted = Entrusted(self.pending, self.next, self._written, whole, keep)
        self.pending = Pending()
        if whole:
            self._since = 0, 0
            self.detector.saved()
        return entrusted

    def _write(self, made: Checkpoint) -> None:
        with metrics.CHECKPOINT.time():
            checkpoint.save(self._terms.engine, self.claim, made)

    def _safe(self, made: Entrusted) -> Pending:
        """Do what may be done now that it is in Postgres."""
        self.saved, self.saved_written = made.next, made.written
        if made.whole:
            self._whole = made.next
            self.detector.evict(made.keep)
        return made.pending

    def _turning(self) -> Policy | None:
        """Return the policy to come into force, if another one is wanted than there is."""
        wanted = self._terms.wanted()
        return None if wanted is None or wanted.version == self.detector.policy.version else wanted

    def _turn(self, policy: Policy) -> None:
        """Judge under another policy from here on. Clients come back from their snapshots, which are all safe now."""
        self.detector = Detector(policy, self._populations())

    def _populations(self) -> dict[str, Population]:
        return {model: self._terms.population(version) for model, version in self.in_force.items()}

    def _snapshots_due(self, keep: int) -> bool:
        checkpoints, predictions = self._since
        patience = 2 if self.pending.verdicts else 1  # which should not be kept waiting: the next checkpoint may do
        often = checkpoints >= patience * SNAPSHOT_CHECKPOINTS or predictions >= SNAPSHOT_QUERIES
        return often or self.detector.size > keep  # nobody leaves memory without a snapshot

    def _checkpoint(
        self, heard: Sequence[int], adopted: Sequence[str], turned: Policy | None, whole: bool
    ) -> Checkpoint:
        return Checkpoint(
            next=self.next,
            scored=self.pending.scored,
            counted=self.pending.counted,
            unreadable=self.pending.unreadable,
            verdicts=self.pending.verdicts,
            snapshots=self.detector.changed() if whole else (),
            snapshotted=whole,
            marks=self.pending.marks,
            heard=heard,
            adopted=adopted,
            turned=turned,
            gap=self.pending.gap,
            policy=self.detector.policy,
            channels=self._terms.channels,
        )

    def _adopt(self, population: Population) -> None:
        self.detector.adopt(population)
        self.in_force[population.model] = population.version
        self._shapes[population.model] = population.shape

    def _hear(self) -> list[int]:
        """Take in what people said since the last checkpoint; this is its recorded point of the stream."""
        said = feedback.pending(self._terms.engine, self.claim.place)
        for _, one in said:
            models = self.in_force if one.model == ANY_MODEL else (one.model,)
            for model in (model for model in models if not self.detector.knows(one.client, model)):
                self._restore(model, [one.client])
            self.pending.verdicts.extend(self.detector.hear(one))
        return [number for number, _ in said]

    def _meet(self, queries: Queries) -> None:
        self._restore(queries.model, self.detector.strangers(queries))

    def _restore(self, model: str, clients: Sequence[str]) -> None:
        for start in range(0, len(clients), STRANGERS_MAX):
            snapshots = checkpoint.load(self._terms.engine, model, clients[start : start + STRANGERS_MAX])
            metrics.UNKNOWN.inc(self.detector.restore(snapshots))

    def _assess(self, queries: Queries) -> None:
        try:
            verdicts = self.detector.assess(queries)
        except Exception as error:  # our fault, whatever it is: find the query and set it aside
            raise Poisoned(int(queries.place[0]), int(queries.place[-1])) from error
        self._account(queries, verdicts)

    def _assess_each(self, queries: Queries, doubt: Doubt, records: Iterable[RawRecord]) -> None:
        """Assess query by query, to find the one at which the detector fails."""
        for at in range(len(queries)):
            one = queries.take(slice(at, at + 1))
            aside = doubt.aside(one, records)
            if aside is not None:
                self.pending.unreadable.append(aside)
                self.pending.poisoned += 1
                continue
            try:
                verdicts = self.detector.assess(one)
            except Exception as error:  # as above; after enough tries the query is left out
                doubt.failed(one, error)
                raise Poisoned(int(one.place[0]), int(one.place[0])) from error
            self._account(one, verdicts)

    def _account(self, queries: Queries, verdicts: Sequence[Verdict]) -> None:
        scored = int(queries.scored.sum()) if queries.model in self.in_force else 0
        self.pending.scored += scored
        self.pending.counted += len(queries) - scored
        self.pending.verdicts.extend(verdicts)
