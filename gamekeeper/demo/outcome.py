"""What came of a demo, by kind and in all, and whether it did what it promises."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from gamekeeper.demo.clients import Kind

STANDINGS = ("clear", "watched", "suspected", "confirmed")  # rising
KINDS_TO_STOP = 5  # of the six kinds of thieves
SHARE_TO_STOP = 0.5  # of a kind's clients


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one client."""

    name: str
    kind: Kind
    asked: int  # instances that were answered
    blocked: bool
    standing: str  # the highest it reached
    queries_to_block: int | None  # by the deciding verdict
    seconds_to_enforce: float | None  # from the deciding query's answer to its first 403
    copy_at_block: float | None = None  # 0..1: how far the thief's copy agrees with the model
    copy_unstopped: float | None = None  # the same had it not been stopped


@dataclass(frozen=True, slots=True)
class KindLine:
    """One row of the table."""

    kind: str
    honest: bool
    control: bool
    clients: int
    queries: int
    blocked: int
    standing: str  # the highest that any of its clients reached
    at_standing: int  # how many reached it
    median_queries: float | None
    p50: float | None
    p99: float | None
    copy_at_block: float | None
    copy_unstopped: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """All of it."""

    kinds: Sequence[KindLine]
    honest: int
    honest_blocked: int
    thieves: int
    thieves_blocked: int
    p50: float | None
    p99: float | None
    webhooks: int
    written: int
    read: int
    unreadable: int
    replay_from: str  # RFC 3339: the population was in force everywhere from here on

    @property
    def kinds_of_thieves(self) -> int:
        """Return how many kinds of thieves count."""
        return len([line for line in self.kinds if _counts(line)])

    @property
    def kinds_stopped(self) -> int:
        """Return of how many kinds of thieves at least half of the clients were blocked."""
        return len([line for line in self.kinds if _counts(line) and line.blocked >= SHARE_TO_STOP * line.clients])

    @property
    def complaints(self) -> list[str]:
        """Return what is not as promised."""
        found = []
        if self.honest_blocked:
            found.append(f"{self.honest_blocked} honest clients were blocked")
        if self.kinds_stopped < KINDS_TO_STOP:
            found.append(f"only {self.kinds_stopped} kinds of thieves were stopped")
        if self.written != self.read:
            found.append(f"{self.written} records were written and {self.read} read")
        return found

    @property
    def passed(self) -> bool:
        """Tell whether everything is as promised."""
        return not self.complaints

    def document(self) -> dict[str, Any]:
        """Return what `--json` writes."""
        honest = {"clients": self.honest, "blocked": self.honest_blocked}
        thieves = {"clients": self.thieves, "blocked": self.thieves_blocked}
        return {
            "passed": self.passed,
            "complaints": self.complaints,
            "honest": honest,
            "thieves": thieves,
            "kinds": [_kind_document(line) for line in self.kinds],
            "seconds_to_enforce": {"p50": self.p50, "p99": self.p99},
            "surrogates": [_copy_document(line) for line in self.kinds if line.copy_unstopped is not None],
            "webhooks_received": self.webhooks,
            "records": {"written": self.written, "read": self.read, "unreadable": self.unreadable},
            "replay_from": self.replay_from,
        }


@dataclass(frozen=True, slots=True)
class Ledger:
    """Counts that are not of clients: records at the topic and in Postgres, alerts received."""

    written: int
    read: int
    unreadable: int
    webhooks: int
    replay_from: str


def sum_up(fates: Sequence[Fate], ledger: Ledger) -> Outcome:
    """Return the outcome of these clients."""
    by_kind: dict[str, list[Fate]] = {}
    for fate in fates:
        by_kind.setdefault(fate.kind.name, []).append(fate)
    honest = [fate for fate in fates if fate.kind.honest]
    thieves = [fate for fate in fates if not fate.kind.honest and not fate.kind.control]
    seconds = [fate.seconds_to_enforce for fate in thieves if fate.seconds_to_enforce is not None]
    return Outcome(
        kinds=[_line(of_kind) for of_kind in by_kind.values()],
        honest=len(honest),
        honest_blocked=_blocked(honest),
        thieves=len(thieves),
        thieves_blocked=_blocked(thieves),
        p50=quantile(seconds, 0.5),
        p99=quantile(seconds, 0.99),
        webhooks=ledger.webhooks,
        written=ledger.written,
        read=ledger.read,
        unreadable=ledger.unreadable,
        replay_from=ledger.replay_from,
    )


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least `share` of the values do not exceed; None without values."""
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)] if values else None


def _line(fates: Sequence[Fate]) -> KindLine:
    kind = fates[0].kind
    highest = max((fate.standing for fate in fates), key=STANDINGS.index)
    seconds = _known([fate.seconds_to_enforce for fate in fates])
    return KindLine(
        kind=kind.name,
        honest=kind.honest,
        control=kind.control,
        clients=len(fates),
        queries=sum(fate.asked for fate in fates),
        blocked=_blocked(fates),
        standing=highest,
        at_standing=len([fate for fate in fates if fate.standing == highest]),
        median_queries=_median([fate.queries_to_block for fate in fates]),
        p50=quantile(seconds, 0.5),
        p99=quantile(seconds, 0.99),
        copy_at_block=_median([fate.copy_at_block for fate in fates]),
        copy_unstopped=_median([fate.copy_unstopped for fate in fates]),
    )


def _counts(line: KindLine) -> bool:
    return not line.honest and not line.control


def _blocked(fates: Sequence[Fate]) -> int:
    return len([fate for fate in fates if fate.blocked])


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _median(values: Sequence[float | None]) -> float | None:
    known = _known(values)
    return float(median(known)) if known else None


def _kind_document(line: KindLine) -> Mapping[str, Any]:
    return {
        "kind": line.kind,
        "honest": line.honest,
        "control": line.control,
        "clients": line.clients,
        "queries": line.queries,
        "standing": line.standing,
        "blocked": line.blocked,
        "median_queries_to_block": line.median_queries,
        "seconds_to_enforce": {"p50": line.p50, "p99": line.p99},
    }


def _copy_document(line: KindLine) -> Mapping[str, Any]:
    return {
        "kind": line.kind,
        "control": line.control,
        "agreement_at_block": line.copy_at_block,
        "agreement_unstopped": line.copy_unstopped,
    }
