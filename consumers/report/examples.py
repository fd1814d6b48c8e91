"""Examples of evidence as the page shows them: a sentence, queries by name, their inputs where those were found."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.report.inputs import Differing, Inputs, Key, differing, thumbnail
from consumers.report.recalled import Pair, Recalled
from consumers.store.cases import Case
from detector.names import Name
from detector.population import Population
from detector.times import format_time, parse_time

PICTURES_MAX = 24  # of a model's: a report stays a file to pass on
PAIRS_MAX = 6  # near pairs that are told


@dataclass(frozen=True, slots=True)
class Picture:
    """A thumbnail and what it is called."""

    uri: str
    caption: str


@dataclass(frozen=True, slots=True)
class Example:
    """One example. `queries` are as in `consumers.told`."""

    says: str
    queries: Sequence[Any]
    pictures: Sequence[Picture] = ()
    differing: Sequence[Differing] = ()  # of the first two queries, of inputs that are no images


def of_pairs(recalled: Recalled, pairs: Iterable[Pair]) -> list[Example]:
    """Return the nearest pairs with different answers, as far as they are told."""
    told: dict[int, Pair] = {}  # by query: each in one pair only, else one query would be in all of them
    for pair in pairs:
        if pair.flipped and not {pair.one, pair.other} & told.keys():
            told |= {pair.one: pair, pair.other: pair}
    chosen = list(dict.fromkeys(told.values()))[:PAIRS_MAX]
    return [_of_pair(recalled.called[pair.one], recalled.called[pair.other], pair.apart) for pair in chosen]


def _of_pair(one: Name, other: Name, apart: float) -> Example:
    says = f"{one} and {other} have different answers at {apart:.1%} of the usual distance between queries"
    queries = [
        {"query": name.number, "time": format_time(name.time), "label": name.label, "id": name.id}
        for name in (one, other)
    ]
    return Example(says, queries)


def of_evidence(case: Case, model: str) -> list[list[list[Example]]]:
    """Return the examples of each reading of each verdict about a model, the newest verdict first."""
    verdicts = [verdict for verdict in case.shown.verdicts if verdict.model == model]
    return [
        [[Example(one["says"], one["queries"]) for one in reading.examples] for reading in verdict.evidence]
        for verdict in verdicts
    ]


def named(model: str, examples: Iterable[Example]) -> dict[Key, int]:
    """Return the key of each query in examples, with its time in µs."""
    return {(model, query["id"]): parse_time(query["time"]) for one in examples for query in one.queries}


def illustrated(model: str, examples: Iterable[Example], inputs: Inputs, population: Population) -> Iterator[Example]:
    """Yield the examples with what was found of their inputs; each only once, and PICTURES_MAX thumbnails at most."""
    seen: set[str] = set()
    room = PICTURES_MAX
    for one in examples:
        found = [(query, inputs.get((model, query["id"]))) for query in one.queries]
        known = [(query, given) for query, given in found if given is not None]
        again = one.says in seen or len(known) > room
        seen.add(one.says)
        if again or not known:
            yield one
            continue
        pictures = [Picture(uri, _caption(query)) for query, given in known if (uri := thumbnail(population, given))]
        room -= len(pictures)
        differ = differing(population, known[0][1], known[1][1]) if len(known) > 1 and not pictures else ()
        yield Example(one.says, one.queries, pictures, differ)


def _caption(query: Any) -> str:
    return f"query {query['query']}" if query["label"] is None else f"query {query['query']}: {query['label']}"
