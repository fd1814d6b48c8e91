"""Whether a broker of Kafka lets us in."""

from collections.abc import Iterator

from consumers.doctor.finding import Finding, Patient, ok
from consumers.kafka import knock


def look(patient: Patient) -> Iterator[Finding]:
    """Connect, log in, and leave again."""
    knock(patient.kafka)
    yield ok("brokers", f"{patient.kafka.bootstrap} lets us in")
