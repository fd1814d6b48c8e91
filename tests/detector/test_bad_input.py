"""Odd pasts and odd streams, each against the other: what happens is defined, nothing breaks, nobody is blocked."""

import functools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from detector import geometry
from detector.detector import ClientLine, Detector
from detector.learning import LearnError, Options, foreign, gather, learn
from detector.learning.virtual import NUMBERS_MAX, Pool
from detector.policy import Policy
from detector.population import CLIENTS_MIN, Population
from detector.query import Queries, Shape
from detector.records import Input, Output, encode_record
from detector.standing import Standing
from detector.wire import RawRecord, decode
from gamekeeper.demo import honest
from tests.detector import build
from tests.wire.make import prediction

Live = Callable[[int, int], Queries]
Floats = npt.NDArray[np.float32]
MILLION = 1_000_000
LARGEST = np.finfo(np.float32).max
CLIENTS, FEW = 24, 12  # of a past; few, where learning from more takes seconds
EACH, LATER = 64, 208  # queries of a client of the past, and of one that is judged
FIRST_LATER = 1_000  # number of the first client that has not taught


def _random(*words: object) -> np.random.Generator:
    return np.random.default_rng(build.seed(*words))


def _sure(name: str, inputs: Floats | None, label: npt.NDArray[np.int64], margin: Floats) -> Queries:
    return build.queries(name, inputs, label, margin_low=margin, margin_high=margin)


def _one_kind(number: int, count: int) -> Queries:
    return build.life(honest.KINDS[0], number, count, past=True)


def _two_classes(number: int, count: int) -> Queries:
    """Return a client with a table of 9 columns and the answers of a binary score."""
    inputs = _random("two classes", number).standard_normal((count, 9), np.float32)
    margin = np.tanh(inputs.sum(axis=1))
    return _sure(f"table {number}", inputs, (margin > 0).astype(np.int64), np.abs(margin))


def _one_class(number: int, count: int) -> Queries:
    """Return a client with one number and the only answer that there is."""
    inputs = _random("one class", number).random((count, 1), np.float32)
    return _sure(f"number {number}", inputs, np.zeros(count, np.int64), np.ones(count, np.float32))


def _many_classes(number: int, count: int) -> Queries:
    """Return a client whose answers hardly ever come twice."""
    random = _random("many classes", number)
    inputs = random.standard_normal((count, 9), np.float32)
    return _sure(f"many {number}", inputs, random.integers(0, 100_000, count), random.random(count, np.float32))


def _large(number: int, count: int) -> Queries:
    """Return a client with few inputs of 100,000 numbers."""
    count, random = count // 4, _random("large", number)
    inputs = random.random((count, 100_000), np.float32)
    return _sure(f"large {number}", inputs, random.integers(0, 5, count), random.random(count, np.float32))


def _too_large(number: int, count: int) -> Queries:
    """Return a client with inputs of 1,000,000 numbers; they take no memory here, for all are equal."""
    count = count // 4
    label = _random("too large", number).integers(0, 5, count)
    return build.queries(f"too large {number}", np.broadcast_to(np.float32(1), (count, MILLION)), label)


WORLDS: dict[str, tuple[Shape, int, Live]] = {
    "one kind of client": ((8, 8), FEW, _one_kind),
    "two classes": ((9,), FEW, _two_classes),
    "one class and one number": ((1,), FEW, _one_class),
    "100,000 classes": ((9,), FEW, _many_classes),
    "inputs of 100,000 numbers": ((100_000,), FEW, _large),
    "inputs of 1,000,000 numbers": ((1_000, 1_000), CLIENTS, _too_large),
}


@functools.cache
def _population(world: str) -> Population:
    """Return what the world teaches, taken as if enough clients had taught it: so nothing is held back as cold."""
    shape, clients, live = WORLDS[world]
    learnt = learn([live(number, EACH) for number in range(clients)], shape)
    assert learnt.cold
    return replace(learnt, known=CLIENTS_MIN)


def _line(population: Population, *queries: Queries) -> ClientLine:
    """Return how the one client of a stream is judged."""
    detector = Detector(Policy(), {build.MODEL: population})
    for batch in queries:
        detector.assess(batch)
    [line] = detector.clients()
    return line


def _odd(life: Queries) -> Iterator[Queries]:
    """Yield odd streams of one client that are made from an ordinary one."""
    assert life.input is not None
    label, inputs, random = life.label, life.input, _random("odd")
    count, width = inputs.shape
    yield build.queries("no input", None, label)
    yield build.queries("no answer", inputs, np.full(count, -1, np.int64))
    yield build.queries("one answer", inputs, np.zeros(count, np.int64))
    yield build.queries("any answer", inputs, random.integers(0, 100_000, len(label)))
    yield build.queries("opaque answers", inputs, np.array([2**40, 2**61 + 7])[random.integers(0, 2, count)])
    yield _sure("never sure", inputs, label, np.zeros(count, np.float32))
    yield build.queries("half without input", inputs, label, has_input=np.arange(count) % 2 == 0)
    for low, high in ((0, 0), (1, 1), (LARGEST, LARGEST), (-LARGEST, LARGEST)):
        value = np.where(np.arange(count) % 2, low, high).astype(np.float32)
        yield build.queries(f"{low} and {high}", np.broadcast_to(value[:, None], (count, width)), label)
    for size in (1, width + 1, MILLION):
        few = label[: 2 * Policy().window]
        yield build.queries(f"of {size}", np.broadcast_to(np.float32(1), (len(few), size)), few)


@pytest.mark.parametrize("world", WORLDS)
def test_an_odd_past_judges_its_own_and_odd_streams(world: str) -> None:
    """Later clients of an odd past are not suspected; odd streams there break nothing and are not confirmed."""
    population, live = _population(world), WORLDS[world][2]
    own = [_line(population, live(FIRST_LATER + number, LATER)) for number in range(4)]
    odd = {queries.clients[0]: _line(population, queries) for queries in _odd(live(FIRST_LATER, LATER))}

    assert {line.highest_standing for line in own} <= {Standing.CLEAR, Standing.WATCHED}
    assert Standing.CONFIRMED not in {line.highest_standing for line in odd.values()}


def test_too_large_inputs_leave_the_signals_that_need_none() -> None:
    """Over the limit nothing is looked at or held, so the past holds as many queries as without inputs."""
    shape, clients, live = WORLDS["inputs of 1,000,000 numbers"]
    population = _population("inputs of 1,000,000 numbers")
    held, _ = gather([live(0, EACH)])

    assert population.shape == shape
    assert population.queries == clients * EACH // 4
    assert set(population.ceilings) <= {"labels"}
    assert "pca" not in population.arrays
    assert held.input is not None
    assert held.input.size == 0


def test_a_model_cannot_be_asked_about_too_large_inputs() -> None:
    """`learn --model` says that there is nothing to compare the model with."""
    shape, _, live = WORLDS["inputs of 1,000,000 numbers"]
    with pytest.raises(LearnError, match="learn without a model"):
        learn([live(0, EACH)], shape, Options(ask=lambda inputs: inputs))


def test_large_inputs_make_fewer_foreign_ones() -> None:
    """Foreign inputs fill at most as much memory as a virtual kind."""
    ordinary = _random("foreign").random((64, 20_000))
    rows = np.zeros(64, np.intp)
    pool = Pool(geometry.layout((20_000,)), ordinary, rows, np.ones(64, np.float32), rows, np.ones(20_000, np.bool_))

    assert 0 < foreign.inputs(pool, _random("made")).size <= NUMBERS_MAX


ANSWERS: dict[str, Callable[[int], list[float]]] = {
    "sum above 1": lambda number: [0.9, 0.8 if number % 2 else 1.0, 0.7],
    "sum to 0": lambda _: [0.0, 0.0, 0.0],
    "all 1": lambda _: [1.0, 1.0],
    "one score": lambda number: [number % 10 / 10],
    "100,000": lambda number: [0.1, *([0.0] * 99_999)][:: (-1) ** number],
    "another count each time": lambda number: [0.2] * (1 + number % 7),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_odd_probabilities(what: str) -> None:
    """Probabilities of any sum and count are read as label and margin in 0..1, and block nobody."""
    life, say = build.life(honest.KINDS[0], 3, EACH), ANSWERS[what]
    decoded = decode(
        [_raw(number, row, say(number)) for number, row in enumerate(np.asarray(life.input))], _EIGHT, ROOM
    )
    [queries] = decoded.queries

    assert len(queries) == EACH
    assert ((queries.margin_high >= 0) & (queries.margin_high <= 1)).all()
    assert _line(_population("one kind of client"), queries).highest_standing is not Standing.CONFIRMED


def test_a_million_numbers_in_a_record() -> None:
    """With the record limit raised a large input is read, counted and scored without it; else it is unreadable."""
    shape = WORLDS["inputs of 1,000,000 numbers"][0]
    raw = [_raw(number, np.full(shape, number, np.float32), [0.5, 0.5]) for number in range(2)]
    [queries] = decode(raw, {build.MODEL: shape}, ROOM).queries

    assert _line(_population("inputs of 1,000,000 numbers"), queries).queries == 2
    assert len(decode(raw, {build.MODEL: shape}).unreadable) == 2


ROOM = 16 << 20  # bytes of a record
_EIGHT = {build.MODEL: (8, 8)}


def _raw(number: int, values: Floats, probabilities: list[float]) -> RawRecord:
    shape = list(values.shape) if values.ndim > 1 else [8, 8]
    record = prediction(
        number, client="odd", input=Input(shape, "float32", values.tobytes()), output=Output(probabilities)
    )
    return RawRecord(encode_record(record), None, None, number)


def _replaced(model: MLPClassifier, since: int) -> Iterator[ClientLine]:
    """Yield how honest clients of all kinds are judged when another model answers from a query of each on."""
    detector = Detector(Policy(), {build.MODEL: build.population()})
    for life in (build.life(kind, number, 320) for kind in honest.KINDS for number in range(4)):
        ranked = np.sort(model.predict_proba(life.input), axis=1)
        new = np.arange(len(life)) >= since
        margin = np.where(new, ranked[:, -1] - ranked[:, -2], life.margin_low).astype(np.float32)
        label = np.where(new, model.predict(life.input), life.label).astype(np.int64)
        detector.assess(replace(life, label=label, margin_low=margin, margin_high=margin))
    return detector.clients()


def _trained(digits: npt.NDArray[np.int64], passes: int) -> MLPClassifier:
    """Return a model trained on half of the images only, as showing these digits."""
    images = build.parts().training.images
    half = slice(len(images) // 2, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # some are to be bad
        fresh = MLPClassifier((32,), max_iter=passes, random_state=3)
        return fresh.fit(images[half].reshape(-1, build.SIZE), digits[half])


@pytest.mark.parametrize("since", [0, 128])
def test_a_retrained_model_makes_no_thieves(since: int) -> None:
    """Another model of the same task in mid-stream, or before the client came: no honest client is suspected."""
    lines = _replaced(_trained(build.parts().training.digits, 120), since)

    assert {line.highest_standing for line in lines} <= {Standing.CLEAR, Standing.WATCHED}


@pytest.mark.parametrize("since", [0, 128])
@pytest.mark.parametrize("passes", [4, 16, 120])
def test_a_model_of_another_task_blocks_nobody(passes: int, since: int) -> None:
    """Where all answers mean something else, sure or unsure, honest clients may be suspected and none is blocked."""
    lines = list(_replaced(_trained((build.parts().training.digits + 1) % 10, passes), since))

    assert Standing.SUSPECTED in {line.highest_standing for line in lines}
    assert {line.first_block_at_query for line in lines} == {None}
