"""Failures: what went wrong, as one line that says what to do.

An exception whose class says `for_people = True` carries such a line already. Anything that is not named here is a
defect of ours and shows its traceback.
"""

from sqlalchemy.exc import OperationalError, ProgrammingError

from consumers.kafka import KafkaError, SaslAuthenticationFailedError


def explain(error: Exception) -> str | None:
    """Return the line for `error`, or None when it is a defect of ours."""
    if getattr(error, "for_people", False):
        return str(error)
    if isinstance(error, OperationalError):
        return f"Postgres: {_first_line(error.orig)}; check DATABASE_URL and that the server runs"
    if isinstance(error, ProgrammingError):
        return f"Postgres: {_first_line(error.orig)}; is the schema there? Run `gamekeeper migrate`"
    if isinstance(error, KafkaError):
        return f"Kafka: {_first_line(error)}; check {_kafka_settings(error)}"
    if isinstance(error, OSError):
        return f"{error.filename or 'system'}: {error.strerror or error}"
    return None


def _kafka_settings(error: KafkaError) -> str:
    if isinstance(error, SaslAuthenticationFailedError):
        return "GAMEKEEPER_KAFKA_USER, its password, and GAMEKEEPER_KAFKA_MECHANISM"
    return "KAFKA_BOOTSTRAP_SERVERS and that the broker runs"


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().splitlines()[0] if error and str(error).strip() else "no answer"
