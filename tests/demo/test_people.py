"""Who comes to the demo: enough clients of each sort, with names and keys of their own."""

from collections import Counter
from collections.abc import Mapping, Sequence

from gamekeeper.demo import data, honest, people, thieves


def _register(clients: Sequence[str]) -> Mapping[str, str]:
    return {client: f"key of {client}" for client in clients}


def test_enough_clients_come() -> None:
    """At least 120 honest clients warm up; 60 honest ones of six kinds and thieves of six kinds are judged."""
    parts = data.load()
    early, late = people.warm_up(parts, _register), people.run(parts, _register, 60.0)
    ordinary = Counter(visitor.kind.name for visitor in late if visitor.kind.honest)
    stealing = Counter(visitor.kind.name for visitor in late if not visitor.kind.honest and not visitor.kind.control)
    assert len(early) >= 120
    assert all(visitor.kind.honest for visitor in early)
    assert ordinary.total() >= 60
    assert len(ordinary) >= 6
    assert len(stealing) == 6
    assert len({visitor.name for visitor in (*early, *late)}) == len(early) + len(late)


def test_visitors_do_not_tell_who_is_the_thief() -> None:
    """An honest client of each kind and the thief that was asked for; never a name twice, not even on another visit."""
    parts, thief = data.load(), thieves.KINDS[0]
    once, again = people.visit(parts, _register, thief, 30.0), people.visit(parts, _register, thief, 30.0)
    assert [visitor.kind for visitor in once] == [*honest.KINDS, thief]
    assert len({visitor.name for visitor in (*once, *again)}) == len(once) + len(again)
    assert not any(visitor.kind.name in visitor.name for visitor in once)


def test_everybody_is_done_in_time() -> None:
    """Honest clients spread what they ask over the run, and thieves have arrived before its half."""
    late = people.run(data.load(), _register, 60.0)
    assert all(visitor.start + visitor.pause * visitor.budget / 4.5 <= 60.0 for visitor in late if visitor.kind.honest)
    assert max(visitor.start for visitor in late) < 30.0
