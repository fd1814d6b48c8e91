"""Whether the topics are there, with the partitions and settings that they should have."""

from collections.abc import Iterator

from consumers import topics
from consumers.doctor.finding import Finding, Patient, fail, ok, warn


def look(patient: Patient) -> Iterator[Finding]:
    """Compare each topic with what `gamekeeper topics` would make."""
    states = topics.look(patient.kafka, patient.partitions, patient.topics.prefix)
    for name, state in states.items():
        if state is None:
            yield fail(name, "there is no such topic", "gamekeeper topics")
        elif state.differences:
            yield warn(name, "; ".join(state.differences), "alter it with Kafka's tools, or GAMEKEEPER_PARTITIONS")
        else:
            yield ok(name, f"{state.partitions} partitions" if state.partitions > 1 else "1 partition")
