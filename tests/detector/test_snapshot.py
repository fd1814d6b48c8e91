"""Snapshots: exact, small, and an upgrade of one signal loses that signal's memory only."""

import lz4.frame
import msgspec
import numpy as np
import pytest
import zstandard

from detector import memory, snapshot
from detector.clients import Table
from detector.detector import Detector
from detector.policy import Policy
from detector.sections import Section, packed
from tests.detector import build


def _held(queries: int = 40) -> bytes:
    detector = Detector(Policy(), {build.MODEL: build.population()})
    detector.assess(build.life(build.THIEVES[0], 4, queries))
    return detector.changed()[0].data


def _table() -> Table:
    table = Table(16)
    table.slot("a client")
    return table


@pytest.mark.parametrize("queries", [1, memory.YOUNG, memory.YOUNG + 1, 40])
def test_round_trip(queries: int) -> None:
    """A slot that was read from bytes gives the same bytes."""
    table, data = _table(), _held(queries)
    snapshot.unpack(table, [snapshot.Held(0, data, True)])

    assert list(snapshot.pack(table, [0])) == [data]
    assert len(data) < 48 * 1024


def test_a_young_client_has_a_short_memory_in_a_slot_that_an_old_one_had() -> None:
    """Of few queries only their places are written; what an earlier release wrote of them all is read as well."""
    short, section = msgspec.msgpack.decode(lz4.frame.decompress(_held(4))), _section("memory")
    row = np.zeros(1, section.dtype)
    row["ordinal"] = -1
    written = np.frombuffer(short["sections"]["memory"][1], packed(section.young))
    for field in section.young:
        row[field.name][tuple(slice(size) for size in (1, *field.shape))] = written[field.name]
    whole = {**short, "sections": {**short["sections"], "memory": [section.version, row.tobytes()]}}

    assert written.nbytes < row.nbytes / 3
    for document in (short, whole):
        table = _table()
        snapshot.unpack(table, [snapshot.Held(0, _held(), True)])
        data = lz4.frame.compress(msgspec.msgpack.encode(document))
        assert snapshot.unpack(table, [snapshot.Held(0, data, True)]) == 0
        assert list(snapshot.pack(table, [0])) == [_held(4)]


def _section(name: str) -> Section:
    return next(section for section in _table().sections if section.name == name)


def test_an_upgraded_signal_starts_as_unknown() -> None:
    """A section of another version is left out and counted; standing, serial and other signals stay."""
    document = msgspec.msgpack.decode(lz4.frame.decompress(_held()))
    document["sections"]["line"][0] += 1
    document["head"]["of a later version"] = 1
    table = _table()
    data = lz4.frame.compress(msgspec.msgpack.encode(document))
    unknown = snapshot.unpack(table, [snapshot.Held(0, data, True)])

    assert unknown == 1
    assert table.columns["line"]["peak"][0] == 0.0
    assert table.columns["line"]["asked"][0] == 0
    assert table.head["unknown"][0] == 1
    assert (table.head["standing"][0], table.head["serial"][0]) == (3, 1)
    assert table.columns["memory"]["kept"][0] > 0


def test_another_population_keeps_the_head_only() -> None:
    """What was seen through another population is left behind; standing, serial and counts stay."""
    table = _table()
    snapshot.unpack(table, [snapshot.Held(0, _held(), False)])

    assert (table.head["standing"][0], table.head["queries"][0]) == (3, 40)
    assert table.columns["memory"]["kept"][0] == 0
    assert table.columns["line"]["peak"][0] == 0.0


def test_a_snapshot_of_an_earlier_release_is_read() -> None:
    """What was compressed with zstd gives the same slot."""
    table, data = _table(), _held()
    snapshot.unpack(table, [snapshot.Held(0, zstandard.compress(lz4.frame.decompress(data)), True)])

    assert list(snapshot.pack(table, [0])) == [data]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no frame",
        zstandard.compress(b"\xc1"),
        lz4.frame.compress(b"\xc1"),
        lz4.frame.compress(b"\x80"),
        lz4.frame.compress(b"\x80" * 99)[:-8],
        lz4.frame.compress(b"\x80", store_size=False),
        lz4.frame.compress(bytes(snapshot.LARGEST + 1)),
        zstandard.compress(bytes(snapshot.LARGEST + 1)),
    ],
)
def test_damaged_bytes_are_refused(data: bytes) -> None:
    """Bytes that are no snapshot raise the one error that says so."""
    with pytest.raises(snapshot.BadSnapshot, match="snapshot"):
        snapshot.unpack(_table(), [snapshot.Held(0, data, True)])
