"""Whether the machines agree about the time: blocks end by the clock, and replays of signed requests are told by it."""

import time
from collections.abc import Iterator

from consumers.doctor.finding import Finding, Patient, State
from consumers.store.vitals import clock, gateways

LATE_SECONDS = 5.0  # a gateway's report may be on its way for so long
NOTABLE_SECONDS, WRONG_SECONDS = 2.0, 30.0
DO = "let NTP set the clock there"


def look(patient: Patient) -> Iterator[Finding]:
    """Compare Postgres' clock with this machine's, and with those of the gateways that report."""
    before = time.time()
    there = clock(patient.engine)
    between = (before + time.time()) / 2
    yield _finding("Postgres", there - between, "ahead of" if there > between else "behind")
    for one in gateways(patient.engine):
        skew = one.ahead if one.ahead > 0 else min(one.ahead + LATE_SECONDS, 0.0)
        yield _finding(one.name, skew, "ahead of" if skew > 0 else "behind")


def _finding(whose: str, skew: float, where: str) -> Finding:
    against = "this machine" if whose == "Postgres" else "Postgres"
    apart = abs(skew)
    if apart <= NOTABLE_SECONDS:
        return Finding(whose, State.OK, f"agrees with {against} within {NOTABLE_SECONDS:.0f} s")
    state = State.FAIL if apart > WRONG_SECONDS else State.WARN
    return Finding(whose, state, f"{apart:,.1f} s {where} {against}", DO)
