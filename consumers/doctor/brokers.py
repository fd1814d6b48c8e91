"""Whether each broker of Kafka that the settings name lets us in."""

from collections.abc import Iterator

from consumers.doctor.finding import Finding, Patient, State, ok
from consumers.kafka import KafkaError, knock
from detector.brokers import Brokers

DO = "check KAFKA_BOOTSTRAP_SERVERS, how we log in, and that the broker runs"


def look(patient: Patient) -> Iterator[Finding]:
    """Connect to each, log in, and leave again. One is enough to go on with."""
    kept_out = {server: _why(Brokers(server, patient.kafka.security)) for server in patient.kafka.servers}
    state = State.WARN if None in kept_out.values() else State.FAIL
    for server, why in kept_out.items():
        yield ok(server, "lets us in") if why is None else Finding(server, state, why, DO)


def _why(broker: Brokers) -> str | None:
    """Return why a broker does not let us in; None: it does."""
    try:
        knock(broker)
    except KafkaError as error:
        return str(error)
    return None
