"""Whether the endpoints of the operator can be reached. Nothing is sent: `gamekeeper channels test` does that."""

from collections.abc import Iterator

from consumers.channels import CHANNELS
from consumers.channels.endpoint import Endpoint
from consumers.channels.http import Refused, knock
from consumers.doctor.finding import Finding, Patient, fail, ok


def look(patient: Patient) -> Iterator[Finding]:
    """Connect to those that are spoken to over HTTP, and leave again."""
    if not patient.endpoints:
        yield ok("channels", "none is set up: nobody is alerted")
    for one in patient.endpoints:
        yield _tried(one) if one.url.startswith(("http://", "https://")) else _untried(one)


def _tried(one: Endpoint) -> Finding:
    own = CHANNELS[one.kind].takes == "decisions"  # what enforces is the operator's own and may be private
    try:
        knock(one.url, private=one.private or own)
    except (Refused, OSError) as error:
        return fail(
            one.channel, str(error) or type(error).__name__, f"mend it, then gamekeeper channels test {one.name}"
        )
    return ok(one.channel, "somebody answers there")


def _untried(one: Endpoint) -> Finding:
    return ok(one.channel, f"not tried; gamekeeper channels test {one.name} does")
