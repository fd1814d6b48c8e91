"""RECORDS: files of every kind, whole and cut off, folders, and ranges of a topic."""

import gzip
import time
from pathlib import Path

import pytest
import zstandard
from kafka import KafkaProducer

from consumers import topics
from consumers.records import BadSource, check, read
from detector.records import CONTENT_TYPE_BATCH
from detector.times import format_time
from detector.wire import RECORD_BYTES_MAX, RawRecord, decode, frame

LINES = [b'{"line":%d}' % number for number in range(1, 8)]
TEXT = b"".join(line + b"\n" for line in LINES)
FRAMES = b"".join(frame(line) for line in LINES)
FAULTLESS = list(zip(LINES, range(1, 8), strict=True))


def everything(path: Path | str, limit_bytes: int = RECORD_BYTES_MAX) -> list[RawRecord]:
    """Return all records of a source."""
    return [record for batch in read(str(path), limit_bytes=limit_bytes) for record in batch]


def write(folder: Path, name: str, data: bytes) -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(data)
    return path


PACKED = {
    "plain.jsonl": TEXT,
    "no-newline-at-the-end.jsonl": TEXT[:-1],
    "any.name": TEXT,
    "packed.jsonl.gz": gzip.compress(TEXT, mtime=0),
    "packed.gz": gzip.compress(TEXT, mtime=0),
    "members.gz": gzip.compress(TEXT[:30], mtime=0) + gzip.compress(TEXT[30:], mtime=0),
    "packed.jsonl.zst": zstandard.compress(TEXT),
    "frames.zst": zstandard.compress(TEXT[:30]) + zstandard.compress(b"") + zstandard.compress(TEXT[30:]),
    "framed.gkb": FRAMES,
    "framed.gkb.gz": gzip.compress(FRAMES, mtime=0),
    "framed.GKB.ZST": zstandard.compress(FRAMES),
}


@pytest.mark.parametrize("name", PACKED)
def test_files(name: str, tmp_path: Path) -> None:
    """Whatever a file is packed in, its records and their places are the same."""
    records = everything(write(tmp_path, name, PACKED[name]))
    assert [(record.value, record.place) for record in records] == FAULTLESS
    assert {(record.broker_time, record.fault) for record in records} == {(None, None)}


def test_batch_records(tmp_path: Path) -> None:
    """In a `.gkb` file msgpack maps are batch records, and JSON is JSON."""
    records = everything(write(tmp_path, "mixed.gkb", frame(b"\x81\xa1v\x01") + frame(b"{}") + frame(b"")))
    assert [record.content_type for record in records] == [CONTENT_TYPE_BATCH, None, CONTENT_TYPE_BATCH]


def test_batches_are_bounded(tmp_path: Path) -> None:
    """A batch holds as many records as asked for, and the last one the rest."""
    path = write(tmp_path, "plain.jsonl", TEXT)
    assert [len(batch) for batch in read(str(path), batch_records=3)] == [3, 3, 1]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cut.jsonl.gz", gzip.compress(TEXT, mtime=0)[:-9]),
        ("wrong.jsonl.gz", TEXT),
        ("tail.jsonl.gz", gzip.compress(TEXT, mtime=0) + b"tail"),
        ("flipped.jsonl.gz", gzip.compress(TEXT, mtime=0)[:-6] + bytes(6)),
        ("cut.jsonl.zst", zstandard.compress(TEXT)[:-3]),
        ("wrong.jsonl.zst", TEXT),
        ("tail.jsonl.zst", zstandard.compress(TEXT) + b"tail"),
        ("cut.gkb", FRAMES[:-1]),
        ("length.gkb", FRAMES + b"\x05\x00"),
        ("huge.gkb", FRAMES + b"\xff\xff\xff\xff tail"),
    ],
)
def test_cut_off(name: str, data: bytes, tmp_path: Path) -> None:
    """What comes before a broken end is read; the end is one unreadable record that says what is wrong."""
    *whole, tail = everything(write(tmp_path, name, data))
    assert [record.fault for record in whole] == [None] * len(whole)
    assert [record.value for record in whole] == LINES[: len(whole)]
    assert tail.fault is not None
    assert tail.place == len(whole) + 1
    assert decode([tail], {}).unreadable[0].reason == tail.fault


def test_empty_lines_are_accounted_for(tmp_path: Path) -> None:
    """An empty line holds no record: unreadable, and the numbers of lines stay true."""
    records = everything(write(tmp_path, "gaps.jsonl", b"{}\n\n{}\r\n"))
    assert [(record.value, record.place) for record in records] == [(b"{}", 1), (b"", 2), (b"{}\r", 3)]


@pytest.mark.parametrize("name", ["long.jsonl", "long.gkb", "long.jsonl.gz"])
def test_long_records(name: str, tmp_path: Path) -> None:
    """Of a record far above the limit only enough is kept to call it unreadable; what follows is read."""
    long, short = b"{" + b"x" * 3_000_000, b'{"after":1}'
    data = frame(long) + frame(short) if name.endswith("gkb") else long + b"\n" + short + b"\n"
    first, second = everything(
        write(tmp_path, name, gzip.compress(data, mtime=0) if name.endswith("gz") else data), limit_bytes=1000
    )
    assert (first.value, first.place) == (long[:1001], 1)
    assert (second.value, second.place) == (short, 2)
    assert decode([first], {}, limit_bytes=1000).unreadable[0].reason == "record: more than 1000 bytes"


def test_folder(tmp_path: Path) -> None:
    """A folder's record files are read in order of their names; others are not records."""
    write(tmp_path, "b.jsonl", TEXT)
    write(tmp_path, "a.jsonl.gz", gzip.compress(b"first\n", mtime=0))
    write(tmp_path, "notes.txt", b"no record\n")
    check([str(tmp_path)])
    assert [record.value for record in everything(tmp_path)] == [b"first", *LINES]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("/nowhere/at-all.jsonl", "/nowhere/at-all.jsonl: no such file or directory; give files of JSON lines"),
        ("kafka://", "kafka://: no topic"),
        ("kafka://predictions?since=2026-11-23T12:00:00Z", "'since' is not from or until"),
        ("kafka://predictions?from=yesterday", "from: not an RFC 3339 time"),
        ("kafka://predictions?until=2026-11-23T12:00:00", "until: no offset"),
    ],
)
def test_bad_sources(source: str, said: str) -> None:
    """A source that is not there or written wrongly is refused in one line, before anything is read."""
    with pytest.raises(BadSource) as caught:
        check([source])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_sources_when_read(tmp_path: Path) -> None:
    """An empty folder holds no records, and a topic needs a broker."""
    with pytest.raises(BadSource, match="a folder without records"):
        check([str(tmp_path)])
    with pytest.raises(BadSource, match="no such file"):
        everything(tmp_path / "gone.jsonl")
    with pytest.raises(BadSource, match="set KAFKA_BOOTSTRAP_SERVERS"):
        everything("kafka://predictions?from=2026-11-23T12:00:00%2B01:00")
    with pytest.raises(BadSource, match="no broker answers; check KAFKA_BOOTSTRAP_SERVERS"):
        list(read("kafka://predictions", "127.0.0.1:1"))


def test_topic(kafka: str, topics_prefix: str) -> None:
    """A range of a real topic: from one time of the broker's until before another; batch records keep their kind."""
    topics.ensure(kafka, 2, topics_prefix)
    name = f"{topics_prefix}predictions"
    producer = KafkaProducer(bootstrap_servers=kafka)
    times = []
    for line, kind in zip(LINES, [b"application/json", CONTENT_TYPE_BATCH.encode(), b"application/json"], strict=False):
        there = producer.send(name, line, partition=0, headers=[("content-type", kind)]).get(timeout=10)
        times.append(there.timestamp * 1000)
        while time.time() * 1000 <= there.timestamp:  # the next one is a millisecond later
            pass
    producer.close()
    since, until = format_time(times[1]).replace("Z", "+00:00"), format_time(times[2])
    batches = list(read(f"kafka://{name}?from={since}&until={until.replace('Z', '%2B00:00')}", kafka))
    assert batches == [[RawRecord(LINES[1], CONTENT_TYPE_BATCH, times[1], 1)]]
    assert [len(batch) for batch in read(f"kafka://{name}", kafka, batch_records=2)] == [2, 1]
    with pytest.raises(BadSource, match="does not exist"):
        list(read(f"kafka://{name}-not", kafka))
