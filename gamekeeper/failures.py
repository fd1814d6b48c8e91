"""Failures: what went wrong, as one line that says what to do.

Anything not named here is a defect of ours and shows its traceback.
"""

from sqlalchemy.exc import OperationalError, ProgrammingError

from consumers.records import BadSource
from consumers.store.engine import BadDatabase
from consumers.store.facts import Missing
from consumers.store.people import Exempt
from detector.policy import BadPolicy
from detector.population import BadPopulation
from detector.records import BadRecord
from gamekeeper.demo.assets import NotMade
from gamekeeper.embedded import EmbeddedError
from gamekeeper.settings import BadSettings
from gamekeeper.supervisor import NotReady

SAID_WELL = (
    BadDatabase,
    BadPolicy,
    BadPopulation,
    BadRecord,
    BadSettings,
    BadSource,
    EmbeddedError,
    Exempt,
    Missing,
    NotMade,
    NotReady,
)


def explain(error: Exception) -> str | None:
    """Return the line for `error`, or None when it is a defect of ours."""
    if isinstance(error, SAID_WELL):
        return str(error)
    if isinstance(error, OperationalError):
        return f"Postgres: {_first_line(error.orig)}; check DATABASE_URL and that the server runs"
    if isinstance(error, ProgrammingError):
        return f"Postgres: {_first_line(error.orig)}; is the schema there? Run `gamekeeper migrate`"
    if isinstance(error, OSError):
        return f"{error.filename or 'system'}: {error.strerror or error}"
    return None


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().splitlines()[0] if error and str(error).strip() else "no answer"
