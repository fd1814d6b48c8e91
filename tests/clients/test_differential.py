"""The decision API beside CrowdSec 1.4's own: the same decisions, the same requests, and every difference by name."""

from functools import partial

import pytest

from detector.decision import Origin
from tests.api.conftest import Api
from tests.clients.both import Both, both, pulled
from tests.clients.conftest import Lapi
from tests.consumers.road import until
from tests.proofs import DOCS

pytestmark = pytest.mark.clients
STREAM, LIST = "/v1/decisions/stream", "/v1/decisions"
START = f"{STREAM}?startup=true"
EXTRACTION = "scenarios_containing=extraction"

NONE: set[str] = set()

SAME = [
    STREAM, f"{STREAM}?startup=false", f"{STREAM}?scopes=client_id", START, f"{START}&scopes=client_id",
    f"{START}&scopes=Ip", f"{START}&scopes=IP,RANGE", f"{START}&scopes=client_id,tenant,ip",
    f"{START}&scopes=CLIENT_ID",
    f"{START}&scopes=nothing", f"{START}&scopes=client_id,,ip", f"{START}&scopes=client_id&origins=person",
    f"{START}&scopes=client_id&origins=person,detector", f"{START}&scopes=client_id&origins=PERSON",
    f"{START}&scopes=client_id&origins=CAPI", f"{START}&scopes=client_id&{EXTRACTION}",
    f"{START}&scopes=client_id&{EXTRACTION},person", f"{START}&scopes=client_id&scenarios_not_containing=extraction",
    f"{START}&scopes=client_id&scenarios_containing=gamekeeper&scenarios_not_containing=person",
    f"{START}&scopes=client_id&dedup=false", f"{START}&community_pull=false&additional_pull=false&nonsense=1",
    LIST, f"{LIST}?ip=192.0.2.7", f"{LIST}?ip=192.0.2.8", f"{LIST}?ip=2001:db8::7",
    f"{LIST}?ip=2001:DB8:0:0:0:0:0:7", f"{LIST}?ip=192.0.2.7&contains=false", f"{LIST}?ip=192.0.2.7&type=ban",
    f"{LIST}?ip=192.0.2.7&scopes=client_id", f"{LIST}?range=192.0.2.0/24", f"{LIST}?range=192.0.2.7/32",
    f"{LIST}?range=192.0.2.0/24&contains=false", f"{LIST}?range=192.0.2.1/24&contains=false",
    f"{LIST}?range=2001:db8::/32&contains=false", f"{LIST}?contains=false", f"{LIST}?scope=client_id&value=thief",
    f"{LIST}?scopes=client_id", f"{LIST}?scopes=client_id&value=thief", f"{LIST}?scopes=ip", f"{LIST}?value=thief",
    f"{LIST}?value=nobody", f"{LIST}?value=", f"{LIST}?value=thief&type=throttle", f"{LIST}?type=ban",
    f"{LIST}?type=throttle", f"{LIST}?type=captcha", f"{LIST}?type=BAN", f"{LIST}?type=", f"{LIST}?origins=person",
    f"{LIST}?origins=CAPI", f"{LIST}?{EXTRACTION}", f"{LIST}?dedup=false", f"{LIST}?nonsense=1", "/health",
]  # fmt: skip
HEADS = [STREAM, LIST, f"{STREAM}?startup=perhaps"]

BAD = "What cannot be read is 400 with the reason; CrowdSec answers 500, and takes such a `startup` for false."
NO_SCOPE = "An empty `scopes` is no `scopes`: addresses; CrowdSec tells nothing then."
BLANKS = "Blanks between scopes are left out; CrowdSec finds no such scope."
SCOPE = "`scope` narrows the list, as CrowdSec's description says; CrowdSec 1.4 ignores it."
CASE = "Parts of scenarios are compared in their case; CrowdSec on SQLite ignores it."
OFFICE = "Decisions are taken at `/api/v1` or the command line: here nothing is deleted, whoever asks."
DIFFERENT = {
    f"GET {STREAM}?startup=perhaps": BAD,
    f"GET {STREAM}?startup=": BAD,
    f"GET {LIST}?ip=garbage": BAD,
    f"GET {LIST}?ip=": BAD,
    f"GET {LIST}?range=garbage": BAD,
    f"GET {LIST}?range=1.2.3.4/99": BAD,
    f"GET {LIST}?contains=maybe": BAD,
    f"GET {START}&scopes=": NO_SCOPE,
    f"GET {START}&scopes=client_id%20,%20ip": BLANKS,
    f"GET {LIST}?scope=client_id": SCOPE,
    f"GET {START}&scopes=client_id&scenarios_containing=EXTRACTION": CASE,
    f"DELETE {LIST}": OFFICE,
}
STRICTEST = "Of a value the strictest decision is told, once; CrowdSec tells one of each type."
SINCE_LATER = "Usage metrics are taken; CrowdSec takes them since 1.6.3."


@pytest.fixture
def two(api: Api, lapi: Lapi) -> Both:
    """Return the two servers, with the same decisions in force."""
    servers = both(api, lapi)
    servers.decide("client_id", "thief", "ban", Origin.DETECTOR)
    servers.decide("client_id", "careful", "throttle")
    servers.decide("client_id", "perturbed", "perturb")
    servers.decide("tenant", "acme", "ban")
    servers.decide("Ip", "192.0.2.7", "ban")
    servers.decide("Ip", "2001:db8::7", "throttle", seconds=7200)
    return servers


@pytest.mark.proves(
    "CrowdSec", "beside it, the decision API answers the same requests the same, but for differences with a reason"
)
def test_the_same_answers(two: Both) -> None:
    """Status and decisions of every request are the same, or there is a reason why not."""
    asked = [f"GET {path}" for path in SAME] + [f"HEAD {path}" for path in HEADS]
    answers = {request: two.ask(*request.split(" ")) for request in [*asked, *DIFFERENT]}
    assert {request: answer for request, answer in answers.items() if answer[0] != answer[1]}.keys() == DIFFERENT.keys()


@pytest.mark.proves("CrowdSec", "beside it, whoever has no key is refused in the same words, by GET and by HEAD")
@pytest.mark.parametrize("key", ["wrong", ""])
def test_the_same_refusals(two: Both, key: str) -> None:
    """Also where a parameter is malformed: who may not ask learns nothing of it."""
    for path in HEADS:
        for method in ("GET", "HEAD"):
            ours, theirs = two.ask(method, path, headers={"X-Api-Key": key})
            assert ours == theirs
            assert ours[0] == 403


@pytest.mark.proves("CrowdSec", "beside it, a bouncer that pulls holds the same after each decision, lift and expiry")
def test_the_same_changes(two: Both) -> None:
    """What a bouncer holds that applies what each server tells: `deleted` first, then `new`, by value and type."""
    held = {two.ours: set[str](), two.theirs: set[str]()}
    now = {"thief ban", "careful throttle", "perturbed perturb", "acme ban", "192.0.2.7 ban", "2001:db8::7 throttle"}
    steps = (
        (partial(two.decide, "client_id", "thief", "ban", Origin.DETECTOR), NONE, NONE),
        (partial(two.lift, "Ip", "192.0.2.7"), NONE, {"192.0.2.7 ban"}),
        (partial(two.decide, "Ip", "192.0.2.7", "ban"), {"192.0.2.7 ban"}, NONE),
        (partial(two.decide, "Ip", "192.0.2.7", "throttle"), {"192.0.2.7 throttle"}, {"192.0.2.7 ban"}),
        (partial(two.decide, "client_id", "thief", "ban", Origin.DETECTOR, 9000), NONE, NONE),
        (partial(two.decide, "client_id", "careful", "perturb"), {"careful perturb"}, {"careful throttle"}),
        (partial(two.decide, "client_id", "brief", "ban", seconds=2), NONE, NONE),  # over when it was looked at
        (partial(two.lift, "tenant", "acme"), NONE, {"acme ban"}),
    )
    for step, more, less in steps:
        step()
        now = now - less | more
        until(lambda: [pulled(*one) for one in held.items()] == [now, now], patience=15)  # noqa: B023  # called at once


@pytest.mark.proves("CrowdSec", "beside it, filters come before the choice of one decision a value")
def test_the_strictest_of_two(two: Both) -> None:
    """Where both origins decided on a value, ours tells one; who asks for one origin is told of that by both."""
    two.decide("client_id", "both", "ban", Origin.DETECTOR, 1800)
    two.decide("client_id", "both", "throttle", seconds=7200)
    for origin in ("person", "detector"):
        ours, theirs = two.ask("GET", f"{LIST}?value=both&origins={origin}")
        assert ours == theirs
    (_, ours), (_, theirs) = two.ask("GET", f"{LIST}?value=both")
    assert [one[2] for one in ours] == ["ban"]
    assert [one[2] for one in theirs] == ["ban", "throttle"]


def test_usage_metrics_are_newer(two: Both) -> None:
    """CrowdSec 1.4 does not know them."""
    ours, theirs = two.ask("POST", "/v1/usage-metrics", json={"remediation_components": [], "log_processors": None})
    assert (ours[0], theirs[0]) == (201, 404)


def test_the_documentation_names_the_differences() -> None:
    """Each reason is in docs/integrations.md."""
    docs = " ".join(DOCS.read_text(encoding="utf-8").split())
    assert [one for one in {*DIFFERENT.values(), STRICTEST, SINCE_LATER} if one not in docs] == []
