"""Policy: every threshold, duration and bound that a person may set; versioned by its content."""

import hashlib
import tomllib
from typing import Annotated, Any, Literal

import msgspec

from detector.decision import Action

Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Part = Annotated[float, msgspec.Meta(gt=0, le=1)]  # 1: never more than that
Seconds = Annotated[int, msgspec.Meta(ge=1, le=366 * 86_400)]
Step = Literal["allow", "perturb", "throttle", "block"]


class BadPolicy(ValueError):  # noqa: N818  # named for what it says to the operator
    """A policy that cannot be read; the message says which member is wrong and how."""

    for_people = True  # the command line prints the message as it is


class Actions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each standing means at the gateway."""

    watched: Step = "allow"
    suspected: Step = "throttle"
    confirmed: Step = "block"


class Durations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long each standing holds, in seconds of event time; doubled with every further episode up to `longest`."""

    watched: Seconds = 24 * 3600
    suspected: Seconds = 4 * 3600
    confirmed: Seconds = 24 * 3600
    longest: Seconds = 30 * 86_400


class Leakage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a client has learnt too much of the model, whoever it is, and what that means at the gateway.

    An honest heavy user learns as much as a thief who asks ordinary questions: so nobody is blocked for it.
    """

    budget: Share | None = None  # of what heavy honest use teaches; none: beyond what the past's clients learnt
    action: Literal["allow", "perturb", "throttle"] = "allow"  # besides the alert


class Breaker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much the detector may newly block of one model within `seconds`, before a person must look.

    It acts where decisions are written, never on verdicts: `replay` knows nothing of it.
    """

    clients: Part = 0.02  # of the clients that asked the model within that time
    traffic: Part = 0.02  # of all queries that those clients ever asked
    least: Annotated[int, msgspec.Meta(ge=1)] = 5  # clients: so many may always be blocked
    seconds: Seconds = 3600


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a person must confirm the detector's blocks, and what holds until then. It, too, acts on decisions."""

    blocks: bool = False
    meanwhile: Literal["shadow", "perturb", "throttle"] = "throttle"


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The policy in force. The defaults carry the guarantee; no file is needed."""

    alpha: Share = 0.001  # chance that an ordinary client is ever blocked, over its whole life
    window: Annotated[int, msgspec.Meta(ge=8, le=256)] = 16  # scored queries judged together
    watch: Annotated[float, msgspec.Meta(gt=0, le=20)] = 3.0  # nats of evidence in one kind: watched
    shadow: bool = False  # record and deliver the detector's decisions, enforce none
    shadow_models: tuple[str, ...] = ()  # the same for these models only
    actions: Actions = Actions()
    durations: Durations = Durations()
    leakage: Leakage = Leakage()
    breaker: Breaker = Breaker()
    approval: Approval = Approval()

    @property
    def version(self) -> str:
        """12 hexadecimal digits of the content: equal policies have equal versions."""
        return hashlib.blake2b(canonical(self).encode(), digest_size=6).hexdigest()

    def in_shadow(self, model: str) -> bool:
        """Tell whether the detector's decisions on a model are not to be enforced."""
        return self.shadow or model in self.shadow_models

    def action(self, standing: str) -> Action:
        """Return the action for a standing's name; clear is always allow."""
        return Action.parse(getattr(self.actions, standing, "allow"))

    def seconds(self, standing: str, episode: int) -> int:
        """Return how long `standing` holds in a client's `episode` (1, 2, …): doubled each time, capped."""
        base: int = getattr(self.durations, standing)
        doublings = min(max(episode - 1, 0), 20)  # 2^20 s is past any `longest`
        return int(min(base << doublings, self.durations.longest))


def parse(text: str) -> Policy:
    """Read a policy from TOML. Raises BadPolicy with what is wrong and where."""
    try:
        return msgspec.convert(tomllib.loads(text), Policy)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadPolicy(f"policy: {error}") from error


def canonical(policy: Policy) -> str:
    """Return a policy as JSON, every member written out: what its version is made of."""
    return msgspec.json.encode(policy, order="deterministic").decode()


def restore(content: str) -> Policy:
    """Read a policy that `canonical` wrote, perhaps of an older version. Raises BadPolicy."""
    try:
        return msgspec.json.decode(content, type=Policy)
    except msgspec.ValidationError as error:
        raise BadPolicy(f"policy: {error}") from error


def lines(policy: Policy) -> list[str]:
    """Return a policy as TOML, a line a member; members that are not set are left out."""
    return [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in flat(policy).items()]


def flat(policy: Policy) -> dict[str, Any]:
    """Return the members that are set by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in msgspec.to_builtins(policy).items():
        inner = value if isinstance(value, dict) else {None: value}
        found |= {name if key is None else f"{name}.{key}": held for key, held in inner.items()}
    return {name: value for name, value in found.items() if value is not None}
