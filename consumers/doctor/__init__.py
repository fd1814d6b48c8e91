"""`gamekeeper doctor`: looks at an installation and changes nothing. One file a check; add one by adding it here."""

from collections.abc import Iterator, Mapping

from sqlalchemy.exc import SQLAlchemyError

from consumers.doctor import brokers, channels, clocks, deliveries, gateways, offsets, populations, schema, topics
from consumers.doctor.finding import Check, Finding, Patient, State, fail, warn
from consumers.kafka import KafkaError

CHECKS: Mapping[str, Check] = {
    "kafka": Check(brokers.look, brokers.DO),
    "topics": Check(topics.look, "see what the broker's log says", ("kafka",)),
    "schema": Check(schema.look, "check DATABASE_URL and that the server runs"),
    "offsets": Check(offsets.look, "see what the broker's log says", ("kafka", "topics", "schema")),
    "populations": Check(populations.look, "see what the server's log says", ("schema",)),
    "gateways": Check(gateways.look, "see what the server's log says", ("schema",)),
    "deliveries": Check(deliveries.look, "see what the server's log says", ("schema",)),
    "channels": Check(channels.look, "see what `gamekeeper channels list` says"),
    "clocks": Check(clocks.look, "see what the server's log says", ("schema",)),
}
_WORLD = (KafkaError, SQLAlchemyError, OSError)


def examine(patient: Patient, checks: Mapping[str, Check] = CHECKS) -> Iterator[tuple[str, Finding]]:
    """Yield each check's name with what it finds, in their order, as it is found."""
    failed: set[str] = set()
    for name, check in checks.items():
        missing = [need for need in check.needs if need in failed]
        findings = [_unseen(name, missing)] if missing else _looked(name, check, patient)
        for finding in findings:
            if finding.state is State.FAIL or missing:
                failed.add(name)
            yield name, finding


def _unseen(name: str, missing: list[str]) -> Finding:
    return warn(name, "not looked at", f"mend {', '.join(missing)} first")


def _looked(name: str, check: Check, patient: Patient) -> list[Finding]:
    try:
        return list(check.look(patient))
    except _WORLD as error:
        why = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
        return [fail(name, why.splitlines()[0], check.mend)]
