"""Post: one model's clients, their standings and the verdicts that change them."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from detector import evidence, examples, judge, snapshot
from detector.clients import Table
from detector.decision import Action
from detector.evidence import Reading
from detector.examples import Seen, Waiting
from detector.judge import Judge
from detector.policy import Policy
from detector.population import Population
from detector.query import Queries
from detector.standing import Cause, Push, Standing, move
from detector.verdict import Feedback, Snapshot, Verdict
from detector.windows import Closed, Watch

STANDINGS: Final = tuple(Standing)
READINGS: Final = 5  # a verdict names the strongest; a person reads no more
CAUSES: Final = {Push.EXPIRY: Cause.EXPIRY, Push.LIFT: Cause.LIFT, Push.BUDGET: Cause.BUDGET}
TOLD: Final = ("standing", "serial", "episode", "queries", "expires", "leakage", "last")  # beside a snapshot's bytes
SPENT: Final = 1  # of `spent` in the head: the budget of leakage is used up and told of
LIFTED: Final = 2  # of it: a person lifted that
LIFTING: Final = frozenset({"lift", "false-positive", "authorised-test"})


class Post:
    """Who watches one model. Without a population queries are counted and nothing is judged."""

    def __init__(self, model: str, policy: Policy, population: Population | None) -> None:
        self.model = model
        self.policy = policy
        self.population = population
        self.version = "" if population is None else population.version
        self.shadow = policy.in_shadow(model) or population is None or population.cold
        self._watch = Watch(population, policy.window)
        self._judge = None if population is None else Judge(population, policy)

    @property
    def table(self) -> Table:
        """The clients' slots."""
        return self._watch.table

    def assess(self, queries: Queries, touch: int) -> list[Verdict]:
        """Take queries in stream order; return the verdicts in that order. `touch` orders clients for eviction."""
        slot = self._watch.seats(queries)
        closed, waiting = self._watch.look(queries, slot)
        self.table.touched[slot] = touch
        self.table.dirty[slot] = True
        if self._judge is None or waiting is None:
            return []
        verdicts = self._verdicts(self._judge, queries, closed, waiting)
        waiting.keep(len(queries))
        return verdicts

    def _verdicts(self, judged: Judge, queries: Queries, closed: Closed, waiting: Waiting) -> list[Verdict]:
        verdicts: list[Verdict] = []
        time, at = np.array(queries.time[closed.row]), 0
        while True:
            state = judge.state(self.table.head, self.table.evidence)
            at, push = judged.weigh(state, closed, time, at)
            if push is None:
                return verdicts
            slot, when = int(closed.slot[at]), int(time[at])
            if push is Push.EXPIRY and self._still_given(judged, slot):
                self._extend(slot, when)
                continue
            row = int(closed.row[at])
            waiting.keep(row)
            where = (int(closed.queries[at]), int(queries.place[row]), int(queries.row[row]))
            verdicts.append(self._verdict(slot, push, (when, float(closed.leakage[at])), where))
            # a window that spans the end of a standing holds queries asked before it: it is not weighed
            at += 1

    def _still_given(self, judged: Judge, slot: int) -> bool:
        """Tell whether a client still gives reason for its standing: then it stays, and a slow thief keeps its record.

        A confirmed client can't give reason: its queries are refused.
        """
        standing = STANDINGS[self.table.head["standing"][slot]]
        bounds = judged.bounds(int(self.table.head["episode"][slot]))
        least = {Standing.WATCHED: self.policy.watch, Standing.SUSPECTED: bounds.one}.get(standing, math.inf)
        return float(np.max(self.table.evidence["level"][slot])) >= least

    def _extend(self, slot: int, when: int) -> None:
        head = self.table.head
        standing = STANDINGS[head["standing"][slot]]
        seconds = self.policy.seconds(standing, int(head["episode"][slot]))
        head["expires"][slot] = when + seconds * 1_000_000

    def _verdict(self, slot: int, push: Push, then: tuple[int, float], where: tuple[int, int, int]) -> Verdict:
        """Move a client as the table says; `then`: time and leakage, `where`: its queries, the place and the row."""
        head = self.table.head
        previous = STANDINGS[head["standing"][slot]]
        standing, episode = move(previous, push), int(head["episode"][slot])
        cause = CAUSES.get(push, Cause.EVIDENCE)
        head["serial"][slot] += 1
        head["leakage"][slot] = then[1]
        head["spent"][slot] = _spent(int(head["spent"][slot]), push)
        verdict = self._worded(slot, (previous, standing, cause), then[0], where)
        self._settle(slot, verdict)
        if standing is Standing.CLEAR:
            head["episode"][slot] = episode + 1
            # a batch is folded before it is judged: at a closed window the open counts belong to later queries
            self.table.begin(slot)
            if push is Push.LIFT:
                self.table.discard(slot)
        return verdict

    def _worded(
        self, slot: int, moved: tuple[Standing, Standing, Cause], when: int, where: tuple[int, int, int]
    ) -> Verdict:
        head, (previous, standing, cause) = self.table.head, moved
        learnt = float(head["leakage"][slot])
        episode, readings = int(head["episode"][slot]), self._readings(slot, when)
        reasons = {
            Cause.EXPIRY: f"the time of {previous} is over",
            Cause.LIFT: "a person lifted it",
            Cause.BUDGET: f"has learnt an estimated {learnt:.0%} of the model: its budget is used up",
        }
        return Verdict(
            client=str(self.table.names[slot]),
            tenant=self.table.tenants[slot],
            model=self.model,
            queries=where[0],
            time=when,
            standing=standing,
            previous=previous,
            serial=int(head["serial"][slot]),
            episode=episode,
            cause=cause,
            action=self.action(slot, standing),
            seconds=self._seconds(standing, cause, episode),
            shadow=self.shadow,
            score=self.score(slot),
            leakage=_told(float(head["leakage"][slot])),
            evidence=readings,
            population=self.version,
            policy=self.policy.version,
            place=where[1],
            row=where[2],
            reason=reasons.get(cause) or evidence.sentence(readings),
        )

    def _settle(self, slot: int, verdict: Verdict) -> None:
        """Write where the client now stands."""
        head = self.table.head
        head["standing"][slot] = verdict.standing.rank
        head["highest"][slot] = max(head["highest"][slot], verdict.standing.rank)
        head["expires"][slot] = verdict.time + verdict.seconds * 1_000_000 if verdict.seconds else -1
        if verdict.action is Action.BLOCK and not verdict.shadow and head["first_block"][slot] < 0:
            head["first_block"][slot] = verdict.queries

    def hear(self, feedback: Feedback) -> list[Verdict]:
        """Take what a person said; nothing changes for a client that is not in memory or stands clear."""
        slot = self.table.slots.get(feedback.client)
        if slot is None or feedback.what not in LIFTING or self.table.head["standing"][slot] == 0:
            return []
        self.table.dirty[slot] = True
        queries = int(self.table.head["queries"][slot])
        return [self._verdict(slot, Push.LIFT, (feedback.at, self._watch.leakage(slot)), (queries, -1, 0))]

    def action(self, slot: int, standing: Standing) -> Action:
        """Return what a client's standing means at the gateway; a used up budget of leakage may mean more."""
        usual = self.policy.action(standing)
        spent = standing is not Standing.CLEAR and self.table.head["spent"][slot] == SPENT
        return max(usual, Action.parse(self.policy.leakage.action)) if spent else usual

    def _seconds(self, standing: Standing, cause: Cause, episode: int) -> int:
        """Return how long a standing holds: a budget the longest, since what was learnt stays learnt."""
        if standing is Standing.CLEAR:
            return 0
        return self.policy.durations.longest if cause is Cause.BUDGET else self.policy.seconds(standing, episode)

    def score(self, slot: int) -> float:
        """Return 0..1, rounded so that it reads the same everywhere."""
        if self._judge is None:
            return 0.0
        episode = int(self.table.head["episode"][slot])
        return round(self._judge.score(self.table.evidence, slot, episode), 4)

    def leakage(self, slot: int) -> float | None:
        """Return how much of the model the client has learnt by now; None: not enough known."""
        return _told(self._watch.leakage(slot))

    def _readings(self, slot: int, when: int) -> tuple[Reading, ...]:
        if self._judge is None or self.population is None:
            return ()
        readings = self._judge.readings(self.table.evidence, slot, self.policy.watch)[:READINGS]
        held, seen = self.table.columns["examples"], Seen(self.population, self.policy.window, when)
        return tuple(examples.shown(held, slot, reading, seen) for reading in readings)

    def clean(self) -> Iterator[tuple[str, int]]:
        """Return the clients of which nothing is unsaved."""
        return ((name, slot) for name, slot in self.table if not self.table.dirty[slot])

    def changed(self) -> list[Snapshot]:
        """Return snapshots of the clients that changed, by slot."""
        return self._snapshots(np.flatnonzero(self.table.dirty).tolist())

    def everyone(self) -> list[Snapshot]:
        """Return snapshots of all clients in memory."""
        return self._snapshots([slot for _, slot in self.table])

    def restore(self, held: Sequence[Snapshot], changed: bool = False) -> int:
        """Take clients back and return how many of their sections start as unknown.

        Evidence gathered under another population is left behind. Raises BadSnapshot.
        """
        self.table.reserve(len(held))
        slots = [self.table.slot(one.client) for one in held]
        for slot, one in zip(slots, held, strict=True):
            self.table.tenants[slot] = one.tenant
        if changed:
            self.table.dirty[slots] = True
        packed = [snapshot.Held(slot, one.data, one.population == self.version)
                  for slot, one in zip(slots, held, strict=True)]  # fmt: skip
        return snapshot.unpack(self.table, packed)

    def _snapshots(self, slots: Sequence[int]) -> list[Snapshot]:
        head, some, policy = self.table.head, np.array(slots, np.intp), self.policy.version
        told = [head[name][some].tolist() for name in TOLD]
        packed = snapshot.pack(self.table, slots)
        scores = self._scores(some)
        return [
            Snapshot(
                client=str(self.table.names[slot]),
                tenant=self.table.tenants[slot],
                model=self.model,
                standing=STANDINGS[standing],
                serial=serial,
                episode=episode,
                queries=queries,
                expires=None if expires < 0 else expires,
                score=score,
                leakage=_told(leakage),
                last=last,
                population=self.version,
                policy=policy,
                data=data,
            )
            for slot, data, score, standing, serial, episode, queries, expires, leakage, last in zip(
                slots, packed, scores, *told, strict=True
            )
        ]

    def _scores(self, slots: npt.NDArray[np.intp]) -> list[float]:
        """Return the clients' scores; most have nothing against them."""
        if self._judge is None:
            return [0.0] * len(slots)
        against = self._judge.against(self.table.evidence, slots).tolist()
        return [self.score(slot) if some else 0.0 for slot, some in zip(slots.tolist(), against, strict=True)]


def _spent(before: int, push: Push) -> int:
    """Return what becomes of a budget of leakage: a person has the last word, time lets it be told of again."""
    if push is Push.BUDGET:
        return SPENT
    if before == SPENT and push in CAUSES:
        return LIFTED if push is Push.LIFT else 0
    return before


def _told(value: float) -> float | None:
    return None if math.isnan(value) else value
