"""Fuzz: what nobody would write, through `wire`. No exception leaves it, and every record is accounted for.

Records of both forms: good ones, ones that hypothesis builds of right and wrong members, mutations of all of these, and
pure garbage, random bytes of the length of good ones. Garbage must be read at least half as fast as good records.
"""

import argparse
import json
import random
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from detector.query import Shape
from detector.records import CONTENT_TYPE_BATCH, Input, Output, Record, encode_record
from detector.times import format_time
from detector.wire import RawRecord, Unreadable, decode, encode_batch

NOON = 1_795_435_200_000_000  # µs: 2026-11-23T12:00:00Z
SHAPES: dict[str, Shape] = {"digits": (4, 2)}
FORMS = {"JSON": None, "batch": CONTENT_TYPE_BATCH}
ROWS = 4  # of a batch record
BATCH = 500  # records decoded together
PLAIN = 0.1  # share of the records that are good, and as many garbage
BUILT = 0.01  # share that hypothesis builds; it needs a millisecond for each
SLOWEST = 0.5  # of the rate of good records
TOKENS = (b"null", b"-1", b"1e999", b"[]", b"{}", b'"', b"true", b"\\u0000", b"\xff", b"NaN", b"9" * 40, b"[[", b"2")

Make = Callable[[random.Random], bytes]


class Escaped(AssertionError):  # noqa: N818  # named for what happened
    """An exception left `wire`, or a record is not accounted for; the message holds the record."""


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Decode `chosen.records` records, half of each form. Raises Escaped."""
    rows = [row for form in FORMS for row in _form(form, chosen.records // len(FORMS), chosen.seed)]
    rates = {(row["form"], row["what"]): row["a second of CPU"] for row in rows}
    slowest = min(rates[form, "garbage"] / rates[form, "good"] for form in FORMS)
    note = f"no exception, all accounted for; garbage is read at {slowest:.2f} of the rate of good records or faster"
    return {"rows": rows, "garbage_to_good": slowest, "note": note}


def failed(result: dict[str, Any]) -> bool:
    """Tell whether garbage holds good records up."""
    return bool(result["garbage_to_good"] < SLOWEST)


def _form(form: str, count: int, number: int) -> Iterator[dict[str, Any]]:
    dice = random.Random(f"{form} {number}")  # noqa: S311  # the same each time
    fine, odd = good(form), built(form, max(int(count * BUILT), 100), number)
    makers: dict[str, tuple[int, Make]] = {
        "good": (int(count * PLAIN), lambda dice: dice.choice(fine)),
        "garbage": (int(count * PLAIN), lambda dice: dice.randbytes(len(fine[0]))),
        "mutated": (count - 2 * int(count * PLAIN) - len(odd), lambda dice: mutate(dice.choice((fine, odd)), dice)),
    }
    yield _row(form, "built", iter(odd))
    for what, (many, make) in makers.items():
        yield _row(form, what, (make(dice) for _ in range(many)))


def _row(form: str, what: str, values: Iterator[bytes]) -> dict[str, Any]:
    queries = unreadable = records = 0
    spent = 0.0
    while batch := list(islice(values, BATCH)):
        found = accounted(batch, FORMS[form])
        records, queries, unreadable = records + len(batch), queries + found[0], unreadable + found[1]
        spent += found[2]
    return {
        "form": form,
        "what": what,
        "records": records,
        "queries": queries,
        "unreadable": unreadable,
        "a second of CPU": records / spent,
    }


def accounted(values: Sequence[bytes], content_type: str | None) -> tuple[int, int, float]:
    """Decode records with a good one behind them; return queries, unreadables and seconds of CPU. Raises Escaped."""
    raw = [RawRecord(value, content_type, None, at) for at, value in enumerate(values)]
    begun = time.process_time()
    try:
        decoded = decode([*raw, _WITNESS], SHAPES)
    except Exception as error:
        raise Escaped(f"{type(error).__name__} at one of {values!r}") from error
    spent = time.process_time() - begun
    read = sum(map(len, decoded.queries))
    places = {int(place) for queries in decoded.queries for place in queries.place}
    aside = {one.place for one in decoded.unreadable}
    if decoded.read != read + len(decoded.unreadable) or places | aside != {
        record.place for record in [*raw, _WITNESS]
    }:
        raise Escaped(f"not all accounted for: {values!r}")
    if _WITNESS.place not in places or not all(map(_said, decoded.unreadable)):
        raise Escaped(f"a good record beside them suffers, or a reason says nothing: {values!r}")
    return read - 1, len(decoded.unreadable), spent


def _said(one: Unreadable) -> bool:
    return bool(one.reason) and one.reason.isprintable()


def good(form: str) -> list[bytes]:
    """Return good records of a form."""
    records = [_prediction(number) for number in range(64)]
    if form == "batch":
        return [encode_batch(records[at : at + ROWS]) for at in range(0, len(records), ROWS)]
    return [encode_record(record) for record in records]


def mutate(value: bytes | Sequence[bytes], dice: random.Random) -> bytes:
    """Return one of the values (or the value) with one to three random changes."""
    changed = value if isinstance(value, bytes) else dice.choice(value)
    for _ in range(dice.randint(1, 3)):
        at, end = sorted(dice.choices(range(len(changed) + 1), k=2))
        end = min(end, at + dice.choice([1, 4, 40]))
        middle = dice.choice([dice.randbytes(end - at), b"", changed[at:end] * 2, dice.choice(TOKENS)])
        changed = changed[:at] + middle + changed[end:]
    return changed


def built(form: str, count: int, number: int) -> list[bytes]:
    """Return records that hypothesis builds of right and wrong members, the same for the same number."""
    found: list[bytes] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(_documents(form))
    def collect(document: Any) -> None:
        found.append(json.dumps(document).encode() if form == "JSON" else msgspec.msgpack.encode(document))

    collect()
    return found


def _documents(form: str) -> st.SearchStrategy[Any]:
    """Return documents that have each member of a good one as it is, of another kind, or not at all."""
    plain = json.loads(good("JSON")[0]) if form == "JSON" else msgspec.msgpack.decode(good("batch")[0])
    least, most = -(2**63), 2**63 - 1  # msgpack knows no others
    leaf: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers(least, most) | st.floats() | st.text()
    if form == "batch":
        leaf |= st.binary(max_size=40)
    any_value = st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    )
    members = {name: _mostly(value, _near(value) | any_value) for name, value in plain.items()}
    optional = st.fixed_dictionaries({}, optional={**members, "beside": any_value})
    return st.fixed_dictionaries(members) | optional | any_value


def _mostly(value: Any, other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a value nine times in ten, so that a record is not wrong in every member."""
    return st.integers(0, 9).flatmap(lambda die: st.just(value) if die else other)


def _near(value: Any) -> st.SearchStrategy[Any]:
    """Return values of the same kind with other content."""
    if isinstance(value, dict):
        return st.fixed_dictionaries({}, optional={name: st.just(one) | _near(one) for name, one in value.items()})
    if isinstance(value, list):
        return st.lists(st.sampled_from(value) | st.floats() | st.none(), max_size=len(value) + 2)
    if isinstance(value, bytes):
        return st.binary(min_size=len(value), max_size=len(value)) | st.binary(max_size=len(value) + 8)
    return st.text(max_size=40) if isinstance(value, str) else st.integers(-(2**63), 2**63 - 1)


def _prediction(number: int) -> Record:
    chance = np.random.default_rng(number)
    return Record(
        id=str(uuid.UUID(int=number + 1)),
        time=format_time(NOON + number * 1_000),
        model="digits",
        client=f"key_{number % 5}",
        tenant="acme",
        input=Input([4, 2], "float32", chance.random(8, np.float32).tobytes()),
        output=Output(chance.dirichlet(np.ones(3)).astype(np.float32).tolist()),
        status=200,
    )


_WITNESS = RawRecord(encode_record(_prediction(77)), None, None, -1)
