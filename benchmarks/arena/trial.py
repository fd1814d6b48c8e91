"""Trial: streams before the product's detector, and what became of each client."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.arena.stream import Stream, World, queries
from detector.detector import Detector
from detector.learning import learn
from detector.learning.making import Options
from detector.policy import Policy
from detector.population import Population
from detector.standing import Standing
from detector.verdict import Verdict

HELD: Final = 1 << 26  # input numbers laid out at once (256 MiB)
BATCH: Final = 8_192  # queries in one batch


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a client; queries are counted from 1, None: it did not happen."""

    client: str
    kind: str
    queries: int
    suspected: int | None  # at least suspected
    blocked: int | None
    because: str = ""


def learnt(world: World, streams: Sequence[Stream], options: Options | None = None) -> Population:
    """Return the population that these streams teach, as a first installation's `learn` would."""
    return learn([queries(streams, world.data.name)], world.data.shape, options)


def judged(streams: Sequence[Stream], population: Population, policy: Policy | None = None) -> list[Outcome]:
    """Return the outcome of each stream."""
    found: list[Outcome] = []
    for part in _parts(streams):
        detector = Detector(policy or Policy(), {population.model: population})
        whole = queries(part, population.model)
        verdicts: list[Verdict] = []
        for begin in range(0, len(whole), BATCH):
            verdicts += detector.assess(whole.take(slice(begin, begin + BATCH)))
        found += [_outcome(stream, verdicts) for stream in part]
    return found


def _parts(streams: Sequence[Stream]) -> Iterator[list[Stream]]:
    part: list[Stream] = []
    for stream in streams:
        part.append(stream)
        if sum(held.inputs.size for held in part) >= HELD:
            yield part
            part = []
    if part:
        yield part


def _outcome(stream: Stream, verdicts: Sequence[Verdict]) -> Outcome:
    own = [verdict for verdict in verdicts if verdict.client == stream.client]
    rose = [verdict for verdict in own if verdict.standing.rank >= Standing.SUSPECTED.rank]
    blocks = [verdict for verdict in own if verdict.standing is Standing.CONFIRMED]
    return Outcome(
        client=stream.client,
        kind=stream.kind,
        queries=len(stream),
        suspected=rose[0].queries if rose else None,
        blocked=blocks[0].queries if blocks else None,
        because=(blocks or rose)[0].reason if rose else "",
    )
