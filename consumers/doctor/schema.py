"""Whether Postgres answers, and has the schema that this program needs."""

from collections.abc import Iterator

from consumers.doctor.finding import Finding, Patient, fail, ok
from consumers.store.migrate import newest, version


def look(patient: Patient) -> Iterator[Finding]:
    """Compare the schema's version with ours."""
    held, needed = version(patient.engine), newest()
    if held == needed:
        yield ok("schema", f"at {held}, as needed")
    elif held is None:
        yield fail("schema", "there are no tables", "gamekeeper migrate")
    elif held < needed:
        yield fail("schema", f"at {held}, {needed} is needed", "gamekeeper migrate")
    else:
        yield fail("schema", f"at {held}, newer than this program's {needed}", "run the newer program here too")
