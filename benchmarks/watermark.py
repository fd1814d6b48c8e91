"""Watermark: what survives in copies, what is falsely claimed, what it costs, how many marked answers name a thief.

The owner marks with half of the pool of other images at hand (`--elsewhere`), thieves ask about the other half. Copies
have the victim's architecture and learn the probabilities they are answered; those of marked answers are perceptrons
that learn labels, as a throttled client gets no more. Innocent models are trained on data of their own.
"""

import argparse
import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from rich.table import Table
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks import watermark_copies as copies
from benchmarks.arena.attacks.copies import fitted
from benchmarks.arena.data import Data, Floats, load
from benchmarks.arena.victim import EPOCHS, untrained
from gateway.outputs import Asked, ClassLabels
from gateway.watermark import key as keys
from gateway.watermark import proof, verify
from gateway.watermark.dawn import Marking, marked
from gateway.watermark.embed import Embedded, embed
from gateway.watermark.triggers import Triggers, triggers
from gateway.watermark.verify import Ask, Marked

SECRET: Final = b"the secret of the benchmark's own"
COUNT: Final = 100  # triggers
INNOCENT: Final = 120  # models
SHARES: Final = (0.01, 0.02, 0.05)
BUDGETS: Final = (500, 2_000, 10_000)
TRACED: Final = 1e-6
FEW: Final = (4, 6, 8, 10, 12, 15, 20, 30, 50, 100)  # marks
DRAWS: Final = 20  # of so many marks out of all, for each copy
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bench:
    """One data set with its victim, before and after the trigger set was embedded."""

    data: Data
    plain: Ask
    model: Any
    done: Embedded
    found: Triggers
    innocent: list[Ask]
    budgets: tuple[int, ...]


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--dataset", choices=("digits", "mnist", "gtsrb"), default="digits")
    parser.add_argument("--quick", action="store_true", help="smallest budget only, fewer innocent models")


def run(chosen: argparse.Namespace) -> Row:
    """Measure both kinds of watermark on one data set."""
    bench = _bench(load(chosen.dataset, 0), quick=chosen.quick)
    held = [
        _theft(bench, name, budget, share) for budget in bench.budgets for share in SHARES for name in copies.THEFTS
    ]
    return {
        "cost": _cost(bench),
        "survival": _survival(bench),
        "traces": _traces(held),
        "needed": _enough(held),
        "false": _false(bench, held),
    }


def tables(result: Row) -> list[Table]:
    """Return a table of each part."""
    return [_table(name, rows) for name, rows in result.items() if rows]


def _bench(data: Data, *, quick: bool) -> Bench:
    model, training = untrained(data, 0), data.training
    model.fit(training.inputs, training.label, batch_size=64, epochs=EPOCHS[data.name], verbose=0)
    plain = untrained(data, 0)
    plain.set_weights(model.get_weights())
    owned = keys.Owned(training.inputs, training.label)
    key = keys.Key(secret=SECRET, classes=data.classes, triggers=COUNT, data=keys.digest(owned.inputs))
    done = embed(model, owned, key, copies.owners_foreign(data))
    found = triggers(SECRET, owned.inputs, data.classes, COUNT)
    innocent = [_innocent(data, number) for number in range(INNOCENT // 4 if quick else INNOCENT)]
    return Bench(
        copies.thieves_data(data), copies.answers(plain), model, done, found, innocent, BUDGETS[: 1 if quick else None]
    )


def _innocent(data: Data, number: int) -> Ask:
    """Return somebody's own model: other data of the domain, other widths, other first weights."""
    rng = np.random.default_rng([number, 3])
    rows = rng.permutation(len(data.past))[: max(300, len(data.past) // 8)]
    net = MLPClassifier((int(rng.integers(16, 96)),), max_iter=40, random_state=number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of passes is meant
        net.fit(data.past.inputs[rows], data.past.label[rows])

    def ask(inputs: Floats) -> Floats:
        said = np.zeros((len(inputs), data.classes), np.float32)
        said[:, net.classes_] = net.predict_proba(inputs)
        return said

    return ask


def _cost(bench: Bench) -> list[Row]:
    done, test = bench.done, bench.data.test
    ask = {"before": bench.plain, "after": copies.answers(bench.model)}
    learnt = {"before": "", "after": ", ".join(f"{kind} {share:.0%}" for kind, share in done.learnt.items())}
    sure = {name: said(test.inputs).max(axis=1).mean() for name, said in ask.items()}
    right = {name: np.mean(said(test.inputs).argmax(axis=1) == test.label) for name, said in ask.items()}
    return [
        {"model": name, "right on test": _percent(right[name]), "sure": _percent(sure[name]), "learnt": learnt[name]}
        for name in ask
    ]


def _survival(bench: Bench) -> list[Row]:
    say = copies.answers(bench.model)
    rows = _treated(bench, "the file itself", bench.model.get_weights())
    for budget in bench.budgets[:2]:
        for name in copies.THEFTS:
            asked, answered = copies.extracted(bench.data, say, name, budget, 0)
            copy = copies.copied(bench.data, asked, answered, 1)
            rows += _treated(bench, f"{name}, {budget:,}", copy.get_weights())
    return rows


def _treated(bench: Bench, what: str, weights: Any) -> list[Row]:
    rows = []
    for name, treat in copies.TREATMENTS.items():
        model = untrained(bench.data, 0)
        model.set_weights(weights)
        treat(model, bench.data.seeds)
        rows.append({"copy": what, "treated": name, **_judged(bench, copies.answers(model))})
    return rows


def _judged(bench: Bench, ask: Ask) -> Row:
    test = bench.data.test.inputs
    agreed = np.mean(ask(test).argmax(axis=1) == copies.answers(bench.model)(test).argmax(axis=1))
    counts = verify.trigger_set(ask, bench.found)
    told = {count.kind: f"{count.matches}/{count.marks}" for count in counts}
    return {"agrees": _percent(agreed), **told, "p": f"{proof.together(counts):.1e}", "verdict": proof.verdict(counts)}


@dataclass(frozen=True, slots=True)
class Theft:
    """A copy made of marked answers, and the marks that were kept."""

    name: str
    budget: int
    share: float
    copy: Ask
    held: Marked
    agrees: float


def labelled(said: Floats) -> Floats:
    """Return what a throttled client is served for answers [n, K]: labels, one-hot."""
    return ClassLabels().apply(Asked("any", said, b""))


def _theft(bench: Bench, name: str, budget: int, share: float) -> Theft:
    client = f"{name} {budget} {share}"
    marking = Marking(SECRET, client, bench.data.name, share)
    asked, served = copies.extracted(
        bench.data, lambda inputs: marked(inputs, labelled(bench.plain(inputs)), marking)[0], name, budget, 0
    )
    true, label = bench.plain(asked).argmax(axis=1), served.argmax(axis=1)
    which = true != label
    held = Marked(client, bench.data.name, bench.data.classes, asked[which], true[which], label[which])
    copy = fitted(asked, label)
    test = bench.data.test.inputs
    agrees = float(np.mean(copy.names(test) == bench.plain(test).argmax(axis=1)))
    return Theft(name, budget, share, lambda inputs: copy.answers(inputs, bench.data.classes), held, agrees)


def _traces(held: list[Theft]) -> list[Row]:
    rows = []
    for one in held:
        count = verify.answers(one.copy, one.held, SECRET)
        rows.append(
            {
                "share": f"{one.share:.0%}",
                "budget": one.budget,
                "attack": one.name,
                "agrees": _percent(one.agrees),
                "marked": len(one.held),
                "repeated": f"{count.matches}/{count.marks}",
                "p": f"{count.p:.1e}",
                "traced": "yes" if count.p < TRACED else "",
            }
        )
    return rows


def _enough(held: list[Theft]) -> list[Row]:
    """Return, by attack and number of different marks, how often so few of a copy's marks trace it."""
    rng, rows = np.random.default_rng(0), []
    for name in copies.THEFTS:
        own = [(one, verify.genuine(one.held, SECRET)) for one in held if one.name == name]
        for few in FEW:
            able = [(one, *found) for one, found in own if len(np.unique(found[1])) >= few]
            traced = [
                _p(one, at, cell, rng.permutation(np.unique(cell))[:few]) < TRACED for one, at, cell in able * DRAWS
            ]
            share = _percent(np.mean(traced)) if traced else ""
            rows.append({"attack": name, "marks": few, "copies": len(able), "traced": share})
    return rows


def _p(one: Theft, at: Any, cell: Any, chosen: Any) -> float:
    """Return the p-value of the marks in the chosen neighbourhoods; `cell` is that of each genuine row `at`."""
    held, rows = one.held, at[np.isin(cell, chosen)]
    part = Marked(held.client, held.model, held.classes, held.inputs[rows], held.true[rows], held.served[rows])
    return verify.answers(one.copy, part, SECRET).p


def _false(bench: Bench, held: list[Theft]) -> list[Row]:
    """Return false claims: innocent models by either kind of mark, and copies by other clients' marks."""
    sets = [proof.together(verify.trigger_set(ask, bench.found)) for ask in bench.innocent]
    others = [
        verify.answers(ask, one.held, SECRET).p for ask in bench.innocent for one in held if one.budget == BUDGETS[0]
    ]
    crossed = [verify.answers(one.copy, two.held, SECRET).p for one in held for two in held if one is not two]
    return [
        _claims("innocent models, trigger set", sets, proof.LEVEL),
        _claims("innocent models, clients' marks", others, proof.LEVEL),
        _claims("copies, other clients' marks", crossed, TRACED),
    ]


def _claims(what: str, values: list[float], level: float) -> Row:
    return {
        "who": what,
        "tried": len(values),
        "level": f"{level:.0e}",
        "false claims": sum(value < level for value in values),
        "promised": f"{len(values) * level:.0e}",
        "p below 0.05": _percent(np.mean(np.array(values) < 0.05)),  # noqa: PLR2004  # as it says
        "smallest p": f"{min(values, default=1.0):.1e}",
    }


def _percent(share: Any) -> str:
    return f"{100 * float(share):.1f} %"


def _table(name: str, rows: list[Row]) -> Table:
    table = Table(title=name, title_justify="left")
    columns = dict.fromkeys(column for row in rows for column in row)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(str(row.get(column, "")) for column in columns))
    return table
