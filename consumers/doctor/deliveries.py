"""Whether what is owed to channels gets there."""

from collections.abc import Iterator

from consumers.doctor.finding import Finding, Patient, fail, ok, warn
from consumers.store.deliveries import GIVEN_UP, counts
from consumers.store.vitals import longest_wait

SILENT_SECONDS = 60.0  # owed for so long and never tried: nobody delivers


def look(patient: Patient) -> Iterator[Finding]:
    """Look at what was given up, and at what was never tried."""
    wait = longest_wait(patient.engine)
    if wait > SILENT_SECONDS:
        yield fail("deliveries", f"one has waited {wait:,.0f} s for its first try", "start gamekeeper deliver")
    given_up = {channel: number for (channel, outcome), number in counts(patient.engine).items() if outcome == GIVEN_UP}
    for channel, number in sorted(given_up.items()):
        yield warn(channel, f"{number:,} deliveries were given up", "mend it, then gamekeeper deliveries resend")
    if wait <= SILENT_SECONDS and not given_up:
        yield ok("deliveries", "none waits for its first try, none was given up")
