"""Whether gateways are there, and how old their tables of decisions are."""

from collections.abc import Iterator

from consumers.doctor.finding import Finding, Patient, fail, ok, warn
from consumers.store.vitals import Gateway, gateways

SILENT_SECONDS = 60.0  # a gateway reports every 2 s
TABLE_SECONDS = 60.0  # as old as the gateway itself allows, see GAMEKEEPER_GATEWAY_FAIL_OPEN
GONE_SECONDS = 86_400.0  # then it is taken to be gone, and no failure


def look(patient: Patient) -> Iterator[Finding]:
    """Look at what each last said of itself."""
    found = gateways(patient.engine)
    if not found:
        yield warn("gateways", "none has ever reported", "start one, unless bouncers or proxies enforce")
    for one in found:
        yield _finding(one)


def _finding(one: Gateway) -> Finding:
    if one.silent > GONE_SECONDS:
        return warn(one.name, f"silent for {one.silent / 86_400:,.0f} days", "start it, or pay no heed if it is gone")
    if one.silent > SILENT_SECONDS:
        return fail(one.name, f"silent for {one.silent:,.0f} s", "see its /healthz, and whether deliver runs")
    if one.table_age is None:
        return fail(one.name, "does not know the decisions in force", "see table.why in its /healthz")
    if one.table_age > TABLE_SECONDS:
        return fail(one.name, f"its table is {one.table_age:,.0f} s old", "see table.why in its /healthz")
    if one.dropped:
        return warn(one.name, f"{one.dropped:,} predictions were not logged", "see whether Kafka is away or too slow")
    return ok(one.name, f"its table is {one.table_age:.0f} s old, {one.decisions:,} decisions")
