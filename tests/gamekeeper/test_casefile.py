"""What `gamekeeper show` prints: readable at 80 columns, with everything that a person decides by."""

import io
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from rich.console import Console

from consumers.report.words import odds
from consumers.store.reads import ClientLine, ReadingLine, Shown, VerdictLine
from gamekeeper.commands import casefile

NOON = datetime(2026, 11, 23, 12, 0, 48, tzinfo=UTC)
IDS = [str(uuid.UUID(int=(4 << 76) | (2 << 62) | number)) for number in range(200)]
QUERIES = [
    {"query": number, "time": f"2026-11-23T12:00:0{number % 10}.123456Z", "label": label, "id": IDS[number]}
    for number, label in ((132, None), (127, 3), (130, 8))
]
EXAMPLE = {
    "says": "query 132 (12:00:02) lies halfway between query 127 (label 3) and query 130 (label 8)",
    "queries": QUERIES,
}
BECAUSE = (
    "10 of 48 queries lie halfway between two recent queries with different answers: bisection"
    " (ordinary clients: at most 1.0%)"
)


def shown() -> Shown:
    """Return a thief: a block with examples, and a verdict of a version that kept none."""
    verdict = VerdictLine(
        id=uuid.UUID(int=1),
        client="thief",
        model="digits",
        serial=2,
        at=NOON,
        queries=1_048,
        standing="confirmed",
        previous="watched",
        cause="evidence",
        action="block",
        shadow=False,
        score=1.0,
        leakage=0.31,
        episode=1,
        reason=BECAUSE,
        policy="c1",
        evidence=(ReadingLine("line", "line", 22.2, BECAUSE, [EXAMPLE, EXAMPLE]),),
    )
    line = ClientLine("thief", "digits", "acme", "confirmed", NOON, 1.0, None, "block", False, 1, 1_066, NOON, "reason")
    decision = SimpleNamespace(
        action="block", until=NOON, origin="detector", shadow=False, reason=BECAUSE, model="digits"
    )
    old = VerdictLine(
        **{name: getattr(verdict, name) for name in VerdictLine.__slots__}
        | {"serial": 1, "standing": "watched", "evidence": (ReadingLine("probe", "probe", None, "7 of 9 queries", []),)}
    )
    return Shown([line], [verdict, old], [decision], [])


def printed(width: int = 80) -> str:
    """Return what is printed on a terminal of that width."""
    out = io.StringIO()
    casefile.write(Console(file=out, width=width), shown())
    return out.getvalue()


def test_everything_is_there() -> None:
    """Standing, since, score, leakage, decision, sentence, what is usual, examples and the records' ids."""
    text = " ".join(printed().split())

    for words in (
        "thief of acme: confirmed with digits since 2026-11-23 12:00:48Z",
        "score 1.00, leakage not known yet; the policy's answer: block",
        "1,066 queries",
        "block until 2026-11-23 12:00:48Z, by detector",
        "confirmed with digits at query 1,048",
        "score 1.00, leakage 0.31",
        BECAUSE,
        EXAMPLE["says"],
        "1 in 4 billion",
        "7 of 9 queries",
    ):
        assert str(words) in text
    assert [text.count(IDS[number]) for number in (132, 127, 130)] == [1, 1, 1]


def test_it_fits_a_terminal() -> None:
    """Nothing is wider than 80 columns and no id is broken."""
    lines = printed().splitlines()

    assert max(map(len, lines)) <= 80
    assert any(IDS[127] in line for line in lines)


@pytest.mark.parametrize(
    ("nats", "words"),
    [
        (None, "unknown"),
        (0.0, "unknown"),
        (3.0, "1 in 20"),
        (9.0, "1 in 8,100"),
        (14.6, "1 in 2 million"),
        (22.2, "1 in 4 billion"),
        (99.0, "less than 1 in 1,000 trillion"),
    ],
)
def test_odds_read_well(nats: float | None, words: str) -> None:
    """Nats are told as how rarely an ordinary client comes so far."""
    assert odds(nats) == words
