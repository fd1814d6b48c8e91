"""Whether every partition of predictions is read, and how far behind."""

from collections.abc import Iterator

from consumers.doctor.finding import Finding, Patient, fail, ok, warn
from consumers.kafka import ends, find
from consumers.store.facts import Place
from consumers.store.vitals import Read, read_so_far

SILENT_SECONDS = 60.0  # records wait and no checkpoint came for so long: nobody reads
MANY = 50_000  # records that wait: more than one checkpoint's


def look(patient: Patient) -> Iterator[Finding]:
    """Compare the ends of the partitions with what checkpoints account for."""
    topic = patient.topics.predictions
    found = find(patient.kafka, topic)
    if found is None:
        yield fail(topic, "there is no such topic", "gamekeeper topics")
        return
    last = ends(patient.kafka, topic)
    read = read_so_far(patient.engine, Place(patient.group, topic, found.id, 0))
    waiting = {number: end - read[number].next if number in read else end for number, end in last.items()}
    yield _offsets(waiting, read)
    yield _lag(waiting, read)
    yield from _lost(read)


def _offsets(waiting: dict[int, int], read: dict[int, Read]) -> Finding:
    never = sorted(waiting.keys() - read.keys())
    if never:
        return warn("offsets", f"never read: partitions {', '.join(map(str, never))}", "start gamekeeper detect")
    ahead = sorted(number for number, records in waiting.items() if records < 0)
    if ahead:
        told = f"past the end of the topic: partitions {', '.join(map(str, ahead))}"
        return fail("offsets", told, "the broker has lost records that were read; see its log")
    return ok("offsets", f"all {len(read)} partitions have been read")


def _lag(waiting: dict[int, int], read: dict[int, Read]) -> Finding:
    behind = {number: records for number, records in waiting.items() if records > 0}
    total = sum(behind.values())
    if not behind:
        return ok("lag", "nothing waits")
    silent = [number for number in behind if number in read and read[number].seconds > SILENT_SECONDS]
    if silent:
        longest = max(read[number].seconds for number in silent)
        return fail("lag", f"{total:,} records wait, no checkpoint for {longest:,.0f} s", "see what detect's log says")
    if total > MANY:
        return warn("lag", f"{total:,} records wait", "start more detect processes, up to the number of partitions")
    return ok("lag", f"{total:,} records wait")


def _lost(read: dict[int, Read]) -> Iterator[Finding]:
    lost = sum(one.lost for one in read.values())
    if lost:
        yield warn("lost", f"{lost:,} records were removed before they were read", "lengthen retention.ms of the topic")
