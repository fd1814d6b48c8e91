"""What another policy would have done: the same records judged twice, and who would have been treated otherwise.

Both policies begin without memory of what came before the records, and neither acts on them: what a client that was
refused would have asked next, nobody knows. The breaker is left out, since it is no property of a client.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from consumers.records import check
from consumers.replay import Options, assess, batches
from consumers.said import Said
from detector.decision import Action
from detector.detector import Detector
from detector.policy import Policy
from detector.population import Population
from detector.verdict import Verdict
from detector.wire import decode

Name = tuple[str, str]  # client, model


@dataclass(frozen=True, slots=True, order=True)
class Treatment:
    """The strictest that a policy would have done with a client. What is enforced comes before what is not."""

    enforced: Action = Action.ALLOW
    otherwise: Action = Action.ALLOW  # in shadow, or proposed to a person
    at_query: int = 0  # of the client, at which it came to that

    @property
    def word(self) -> str:
        """Say it in a word or two."""
        if self.otherwise <= self.enforced:
            return self.enforced.word
        waits = f"{self.otherwise.word} not enforced"
        return waits if self.enforced is Action.ALLOW else f"{self.enforced.word}, {waits}"

    @property
    def acts(self) -> tuple[Action, Action]:
        """What makes two treatments the same."""
        return self.enforced, self.otherwise


@dataclass(frozen=True, slots=True)
class Changed:
    """A client that would have been treated otherwise."""

    client: str
    model: str
    before: Treatment
    after: Treatment


@dataclass(frozen=True, slots=True)
class Difference:
    """Who would have been treated otherwise, of how many clients and models, over how many predictions."""

    changed: Sequence[Changed]
    clients: int
    read: int


def differ(
    sources: Sequence[str], populations: Mapping[str, Population], policies: tuple[Policy, Policy], options: Options
) -> Difference:
    """Judge the records of `sources` under both policies. Raises BadSource."""
    check(sources)
    sides = [_Side(policy, populations, options) for policy in policies]
    shapes = {model: population.shape for model, population in populations.items()}
    read = 0
    for batch in batches(sources, options):
        queries = decode(batch.raw, shapes, options.limit_bytes).queries
        read += sum(map(len, queries))
        for side in sides:
            side.note(assess(side.detector, queries, side.said))
    for side in sides:
        side.note(verdict for feedback in side.said.rest() for verdict in side.detector.hear(feedback))
    before, after = sides
    return Difference(list(_changed(before, after)), len(list(before.detector.clients())), read)


class _Side:
    """One policy's judgement of everybody."""

    def __init__(self, policy: Policy, populations: Mapping[str, Population], options: Options) -> None:
        self.detector = Detector(policy, populations)
        self.said = Said(options.feedback)
        self.found: dict[Name, Treatment] = {}
        self._asks = policy.approval

    def note(self, reached: Iterator[Verdict] | Sequence[Verdict]) -> None:
        """Keep the strictest of each client."""
        for verdict in reached:
            name = verdict.client, verdict.model
            held, seen = self.found.get(name, Treatment()), self._treatment(verdict)
            best = Treatment(max(held.enforced, seen.enforced), max(held.otherwise, seen.otherwise), seen.at_query)
            if best.acts != held.acts:
                self.found[name] = best

    def _treatment(self, verdict: Verdict) -> Treatment:
        if verdict.shadow:
            return Treatment(otherwise=verdict.action, at_query=verdict.queries)
        if verdict.action is Action.BLOCK and self._asks.blocks:
            held = self._asks.meanwhile
            meanwhile = Action.ALLOW if held == "shadow" else Action.parse(held)
            return Treatment(meanwhile, verdict.action, verdict.queries)
        return Treatment(enforced=verdict.action, at_query=verdict.queries)


def _changed(before: _Side, after: _Side) -> Iterator[Changed]:
    for name in sorted(before.found.keys() | after.found.keys()):
        was, would = before.found.get(name, Treatment()), after.found.get(name, Treatment())
        if was.acts != would.acts:
            yield Changed(*name, was, would)
