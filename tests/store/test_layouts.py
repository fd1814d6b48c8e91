"""Added partitions: whom they wait for, and that a client who moved is not written by two."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from consumers.store import layouts
from consumers.store.checkpoint import claim, load, save
from consumers.store.facts import Checkpoint, Fenced
from tests.store.given import PLACE, population, rows, snapshot

ADDED = replace(PLACE, partition=3)


def test_the_first_layout_waits_for_nobody(engine: Engine) -> None:
    """However many partitions a topic has when it is first seen: none of them was added."""
    assert not layouts.note(engine, ADDED, 4)
    assert layouts.that_added(engine, ADDED).ends == ()
    assert layouts.behind(engine, ADDED, ()) == []


def test_an_added_partition_waits_for_all_before_it(engine: Engine) -> None:
    """It waits until the snapshots of each old partition hold everything before its end; old ones never wait."""
    layouts.note(engine, PLACE, 2)
    assert layouts.note(engine, PLACE, 4)
    assert not layouts.note(engine, PLACE, 3)  # an old answer
    layout = layouts.that_added(engine, ADDED)
    assert (layout.partitions, layout.before, layout.ends) == (4, 2, None)
    layouts.mark(engine, ADDED, layout, {0: 10, 1: 0})
    layouts.mark(engine, ADDED, layout, {0: 99, 1: 99})  # too late: the first counts
    layout = layouts.that_added(engine, ADDED)
    assert layout.ends == (10, 0)
    assert layouts.that_added(engine, PLACE).ends == ()
    old = claim(engine, PLACE)
    save(engine, old, Checkpoint(next=9))
    assert layouts.behind(engine, ADDED, layout.ends) == [0]
    save(engine, old, Checkpoint(next=10, snapshotted=False))
    assert layouts.behind(engine, ADDED, layout.ends) == [0]
    save(engine, old, Checkpoint(next=10))
    assert layouts.behind(engine, ADDED, layout.ends) == []


def test_of_two_additions_each_waits_for_its_own(engine: Engine) -> None:
    """A partition that a later addition brought waits also for those that the one before it had brought."""
    for partitions in (2, 4, 6):
        layouts.note(engine, PLACE, partitions)
    assert layouts.that_added(engine, replace(PLACE, partition=2)).before == 2
    assert layouts.that_added(engine, replace(PLACE, partition=5)).before == 4


def test_a_new_life_begins_anew(engine: Engine) -> None:
    """A topic that was made anew with more partitions has no past to wait for."""
    layouts.note(engine, PLACE, 2)
    assert not layouts.note(engine, replace(ADDED, topic_id="life-2"), 4)


def test_an_older_memory_overwrites_nothing(engine: Engine) -> None:
    """An old partition still remembers a client who moved: what the new one has written since is not overwritten."""
    old, new = claim(engine, PLACE), claim(engine, ADDED)
    save(engine, old, Checkpoint(next=5, snapshots=[snapshot(queries=17, serial=1)]))
    save(engine, new, Checkpoint(next=5, snapshots=[snapshot(queries=20, serial=1), snapshot("other", queries=1)]))
    for stale in (snapshot(queries=19, serial=1), snapshot(queries=20, serial=0)):
        with pytest.raises(Fenced, match="another partition"):
            save(engine, old, Checkpoint(next=6, snapshots=[stale, snapshot("third")]))
    assert load(engine, "digits", ["thief", "third"]) == [snapshot(queries=20, serial=1)]
    assert rows(engine, "SELECT next FROM offsets ORDER BY partition") == [(5,), (5,)]


def test_an_added_partition_begins_with_what_is_in_force(engine: Engine) -> None:
    """Its clients' evidence was gathered under that population, and is not left behind."""
    old = claim(engine, PLACE)
    population(engine, "p1")
    save(engine, old, Checkpoint(next=5, adopted=["p1"]))
    assert claim(engine, ADDED).populations == {"digits": "p1"}
    assert rows(engine, "SELECT partition, from_offset, population FROM in_force ORDER BY 1") == [
        (0, 5, "p1"),
        (3, 0, "p1"),
    ]
    assert claim(engine, ADDED).populations == {"digits": "p1"}
