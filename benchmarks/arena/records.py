"""Records: what became of each client, one a client and judge; every table and plot is reckoned from them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from benchmarks.arena.statistics import quantile

OURS: Final = "gamekeeper"
WITHOUT: Final = "without "
"""A judge's name: the product, the product without one signal, or a peer."""
Group: TypeAlias = Literal["honest", "old", "attack"]


@dataclass(frozen=True, slots=True)
class Record:
    """One client before one judge. Queries are counted from 1; None: it did not happen, or was not measured."""

    seed: int
    setting: str
    judge: str
    group: Group
    kind: str  # of honest client or attack
    variant: str  # of an attack
    seen: bool  # the kind is in the population
    client: str
    queries: int
    suspected: int | None
    blocked: int | None
    because: str = ""
    agreement_at_block: float | None = None  # of a copy with the victim
    agreement_undefended: float | None = None


def result(records: Sequence[Record], about: dict[str, Any]) -> dict[str, Any]:
    """Return all rows as JSON holds them; `about` is what else there is to say of the run."""
    ours = [record for record in records if record.judge == OURS]
    peers = {record.judge for record in records} - {OURS}
    return about | {
        "honest": honest(ours),
        "attacks": attacks(ours),
        "old": honest(ours, "old"),
        "peers": {name: _both(records, name) for name in sorted(peers) if not name.startswith(WITHOUT)},
        "ablation": {name: attacks(_of(records, name)) for name in sorted(peers) if name.startswith(WITHOUT)},
        "raw": [asdict(record) for record in records],
    }


def honest(records: Iterable[Record], group: Group = "honest") -> list[dict[str, Any]]:
    """Return one row a setting and honest kind; `suspected` and `blocked` count clients."""
    return [
        {"setting": setting, "kind": kind, "seen": held[0].seen} | _counts(held)
        for (setting, kind, _), held in _grouped(records, group)
    ]


def attacks(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Return one row a setting, attack and variant; medians and p90 are over the clients who were blocked."""
    return [
        {"setting": setting, "attack": kind, "variant": variant}
        | _counts(held)
        | {
            "median_queries_to_block": quantile([record.blocked for record in held], 0.5),
            "p90": quantile([record.blocked for record in held], 0.9),
            "agreement_at_block": _mean([record.agreement_at_block for record in held]),
            "agreement_undefended": _mean([record.agreement_undefended for record in held]),
        }
        for (setting, kind, variant), held in _grouped(records, "attack")
    ]


def _both(records: Iterable[Record], judge: str) -> dict[str, Any]:
    own = _of(records, judge)
    return {"honest": honest(own), "attacks": attacks(own)}


def _of(records: Iterable[Record], judge: str) -> list[Record]:
    return [record for record in records if record.judge == judge]


def _grouped(records: Iterable[Record], group: Group) -> list[tuple[tuple[str, str, str], list[Record]]]:
    """Return the group's records by setting, kind and variant, in the order in which these first came."""
    own = [record for record in records if record.group == group]
    first: dict[tuple[str, str, str], int] = {}
    for record in own:
        first.setdefault(_key(record), len(first))
    own.sort(key=lambda record: first[_key(record)])
    rows = [(key, list(held)) for key, held in groupby(own, _key)]
    return sorted(rows, key=lambda row: row[0][0])


def _key(record: Record) -> tuple[str, str, str]:
    return record.setting, record.kind, record.variant


def _counts(held: Sequence[Record]) -> dict[str, int]:
    return {
        "clients": len(held),
        "suspected": sum(record.suspected is not None for record in held),
        "blocked": sum(record.blocked is not None for record in held),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
