"""The table of decisions: any order of arrival gives the same table, and the strictest in force is found."""

import timeit

from hypothesis import given
from hypothesis import strategies as st

from detector.decision import Action, Decision, Key, Origin, Scope
from gateway.table import GRACE, Asker, DecisionTable
from tests.gateway.build import FAR, SECOND, decision

KEYS = [Key(Scope.CLIENT, "alice", "digits"), Key(Scope.CLIENT, "alice", "*"), Key(Scope.TENANT, "acme", "*")]
ALICE = Asker("alice", "acme", "203.0.113.7")


@given(st.data())
def test_order_and_duplicates_do_not_matter(data: st.DataObject) -> None:
    """Every permutation of the same decisions, with any of them repeated, ends in the newest of each key."""
    actions = st.lists(st.sampled_from(Action), min_size=1, max_size=5)
    written = [
        decision(serial, action, key=key) for key in KEYS for serial, action in enumerate(data.draw(actions), start=1)
    ]
    repeated = written + data.draw(st.lists(st.sampled_from(written), max_size=5))
    table = DecisionTable()
    for one in data.draw(st.permutations(repeated)):
        table.apply(one)
    newest = {one.key: one for one in written}  # serials rise in `written`
    expected = max(one.action for one in newest.values())
    found = table.find(ALICE, "digits", 0)
    assert found is not None
    assert found.action == expected
    assert len(table) == len(KEYS)


@given(st.data())
def test_tombstones_do_not_matter_either(data: st.DataObject) -> None:
    """Read again from any point of the compacted topic, with pushes between: what is in force ends the same.

    Tombstones come in their place, after the decision that they bury; a push may come again at any moment.
    """
    over = [decision(serial, Action.ALLOW, key=key, until=SECOND) for key in KEYS for serial in (1,)]
    live = [decision(2, data.draw(st.sampled_from(Action)), key=key) for key in KEYS]
    pushed = data.draw(st.lists(st.sampled_from(over + live), max_size=6))
    table = DecisionTable()
    for one in data.draw(st.permutations(over)):
        table.apply(one)
        for late in pushed:
            table.apply(late)
        table.forget(one.key, 2 * SECOND)
    for one in data.draw(st.permutations(live + pushed)):
        table.apply(one)
        table.forget(one.key, 2 * SECOND)
    assert {key: held.serial for key in KEYS if (held := _held(table, key))} == dict.fromkeys(KEYS, 2)


def _held(table: DecisionTable, key: Key) -> Decision | None:
    return table._scopes[key.scope].get(key.value, {}).get(key.model)


def test_older_serial_is_refused() -> None:
    """An older or equal serial changes nothing and says so."""
    table = DecisionTable()
    assert table.apply(decision(7, Action.ALLOW))
    assert not table.apply(decision(6, Action.BLOCK))
    assert not table.apply(decision(7, Action.BLOCK))
    found = table.find(ALICE, "digits", 0)
    assert found is not None
    assert found.action is Action.ALLOW


def test_strictest_over_scopes_and_models() -> None:
    """Client, tenant and address, for this model or all, are all asked; the strictest binds."""
    table = DecisionTable()
    table.apply(decision(1, Action.PERTURB, key=KEYS[0]))
    table.apply(decision(1, Action.THROTTLE, key=KEYS[2]))
    table.apply(decision(1, Action.BLOCK, key=Key(Scope.IP, "203.0.113.7", "other")))
    found = table.find(ALICE, "digits", 0)
    assert found is not None
    assert found.action is Action.THROTTLE
    blocked = table.find(ALICE, "other", 0)
    assert blocked is not None
    assert blocked.action is Action.BLOCK
    assert table.find(Asker("bob"), "digits", 0) is None


def test_allowlist_shadow_and_expiry() -> None:
    """The allowlist wins, shadow does not bind, and what is past its time is over."""
    table = DecisionTable()
    table.apply(decision(1, Action.BLOCK, until=10 * SECOND))
    assert table.find(ALICE, "digits", 10 * SECOND) is None
    table.apply(decision(2, Action.BLOCK, shadow=True))
    assert table.find(ALICE, "digits", 0) is None
    table.apply(decision(3, Action.BLOCK))
    table.apply(decision(1, Action.ALLOW, key=KEYS[2], origin=Origin.ALLOWLIST))
    found = table.find(ALICE, "digits", 0)
    assert found is not None
    assert found.origin is Origin.ALLOWLIST


def test_lift_that_is_already_past_holds() -> None:
    """A lift's time is past when it comes; the block that it lifted does not return behind it."""
    table = DecisionTable()
    table.apply(decision(2, Action.ALLOW, until=5 * SECOND))
    table.apply(decision(1, Action.BLOCK))
    assert table.find(ALICE, "digits", 6 * SECOND) is None


def test_tombstone_and_prune() -> None:
    """A tombstone drops what is over and leaves what is in force; pruning waits for the grace."""
    table = DecisionTable()
    live, over = decision(1, key=KEYS[0]), decision(1, key=KEYS[1], until=SECOND)
    table.apply(live)
    table.apply(over)
    assert not table.forget(live.key, 2 * SECOND)
    assert table.forget(over.key, 2 * SECOND)
    assert not table.forget(over.key, 2 * SECOND)
    table.apply(over)
    assert table.prune(SECOND + GRACE) == 0
    assert table.prune(SECOND + GRACE + 1) == 1
    assert len(table) == 1
    assert table.prune(FAR + GRACE + 1) == 1
    assert table.find(ALICE, "digits", 0) is None


def test_look_up_is_cheap() -> None:
    """A client without decisions costs about a microsecond among 10,000 others (5 allowed, for busy machines)."""
    table = DecisionTable()
    for number in range(10_000):
        table.apply(decision(key=Key(Scope.CLIENT, f"client-{number}", "*")))
    asker = Asker("nobody", "acme", "203.0.113.7")
    rounds = 10_000
    seconds = min(timeit.repeat(lambda: table.find(asker, "digits", 0), number=rounds, repeat=5))
    assert seconds / rounds < 5e-6
