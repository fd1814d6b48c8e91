"""The year that `python -m benchmarks sql` asks about is whole, and each day's rows belong to it."""

from datetime import UTC, datetime

from benchmarks.sql_year import CHUNK, LIFE, READINGS, Year, _rows

YEAR = Year(100, datetime(2025, 11, 26, 10, 30, tzinfo=UTC))


def test_every_verdict_has_its_day() -> None:
    """Days follow one another without a gap; a verdict goes to the partition of its own time."""
    days = list(YEAR.days())
    assert [number for _, numbers in days for number in numbers] == list(range(YEAR.verdicts))
    assert all((YEAR.start + number * YEAR.apart).date() == day for day, numbers in days for number in numbers)


def test_a_life() -> None:
    """Every client has as many verdicts; each has its readings, and each that acts a decision."""
    rows = _rows(YEAR, range(YEAR.verdicts), lambda: 0.5)
    told = [line.split("\t") for line in rows["verdicts"].splitlines()]
    assert len(told) == YEAR.verdicts <= CHUNK
    assert {line[0] for line in told} == {f"client-{number}" for number in range(YEAR.clients)}
    assert [int(line[2]) for line in told if line[0] == "client-7"] == list(range(1, LIFE + 1))
    assert rows["evidence"].count("\n") == len(READINGS) * len(told)
    assert rows["decisions"].count("\n") == sum(line[10] != "allow" for line in told)
