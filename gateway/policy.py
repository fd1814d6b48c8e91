"""The gateway's policy: which defences stand between clients and models, and how strict they are. Pure; read from TOML.

What is said of a client goes before what is said of a model, and that before the defaults; without a file the built-in
defaults hold. Tables are laid over one another member by member; a list is replaced whole, "off" takes a limit away.
"""

import hashlib
import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeVar

import msgspec

from detector.decision import Action
from gateway.access import Issuer
from gateway.access.address import Network
from gateway.limits.policy import THROTTLE, Limit, Limits
from gateway.outputs import ClassLabels, Output, Rounded
from gateway.serving.ensemble import Ensemble
from gateway.watermark.dawn import SHARE_MAX

DELAY_MAX: Final = 10.0  # s
OFF: Final = "off"  # TOML has no null


class BadPolicy(ValueError):  # noqa: N818  # named for what it says to the operator
    """A policy that cannot be used; the message says which member is wrong and how."""

    for_people = True  # the command line prints the message as it is


class Response(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How queries are answered that nothing refuses."""

    outputs: tuple[Output, ...] = ()
    limit: Limit | None = None  # beside the limits that hold for everyone
    delay: Annotated[float, msgspec.Meta(ge=0, le=DELAY_MAX)] = 0.0  # s that a query waits before the model is asked
    mark: Annotated[float, msgspec.Meta(ge=0, le=SHARE_MAX)] = 0.0  # share of inputs answered with another label (DAWN)


class Defences(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What holds for a client's queries of a model.

    `always` holds for everyone; `perturb` and `throttle` are added to it under such a decision. In shadow everything is
    computed and recorded, and nothing of it changes an answer: access alone is enforced.
    """

    limits: Limits = Limits()
    always: Response = Response()
    perturb: Response = Response(outputs=(Rounded(decimals=1),))
    throttle: Response = Response(outputs=(ClassLabels(),), limit=THROTTLE)
    keep_top: bool = True  # the model's top class stays the only highest, whatever the outputs do (marks aside)
    shadow: bool = False

    def __post_init__(self) -> None:
        if self.always.mark:
            raise ValueError("always.mark: only the answers of clients under a decision are marked")

    def response(self, action: Action) -> Response:
        """Return how queries are answered under a decision: `always`, and what the action adds to it."""
        if action is Action.ALLOW:
            return self.always
        added = self.perturb if action is Action.PERTURB else self.throttle
        return Response(
            outputs=self.always.outputs + added.outputs,
            limit=added.limit or self.always.limit,
            delay=max(self.always.delay, added.delay),
            mark=added.mark,
        )

    @property
    def keyed(self) -> bool:
        """Tell whether something of it draws from the gateway's secret."""
        responses = (self.always, self.perturb, self.throttle)
        return any(each.mark or any(step.keyed for step in each.outputs) for each in responses)


@dataclass(frozen=True, slots=True)
class Policy:
    """The defences by model and client, who issues tokens, and which hops may say whom they pass on."""

    defaults: Defences = Defences()  # noqa: RUF009  # it is frozen
    models: Mapping[str, Defences] = field(default_factory=dict)
    clients: Mapping[str, Mapping[str | None, Defences]] = field(default_factory=dict)  # by model; None: any other
    ensembles: Mapping[str, Ensemble] = field(default_factory=dict)
    issuers: tuple[Issuer, ...] = ()
    proxies: tuple[Network, ...] = ()
    version: str = "built in"  # 12 hexadecimal digits of the file's content: equal policies have equal versions

    def defences(self, model: str, client: str) -> Defences:
        """Return what holds for a client's queries of a model."""
        own = self.clients.get(client)
        if own is not None:
            return own.get(model) or own[None]
        return self.models.get(model, self.defaults)

    @property
    def keyed(self) -> bool:
        """Tell whether the policy draws from the gateway's secret, which then must be set."""
        each = (self.defaults, *self.models.values(), *(one for own in self.clients.values() for one in own.values()))
        sticky = any(ensemble.mode == "sticky" for ensemble in self.ensembles.values())
        return sticky or any(one.keyed for one in each)


Tables = dict[str, Any]
T = TypeVar("T")


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The members of a policy file."""

    defaults: Tables = {}
    models: dict[str, Tables] = {}
    clients: dict[str, Tables] = {}
    issuers: tuple[Issuer, ...] = ()
    trusted_proxies: tuple[str, ...] = ()


def parse(text: str) -> Policy:
    """Read a policy from TOML. Raises BadPolicy with what is wrong and where."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadPolicy(f"gateway policy: {error}") from error
    own = {name: _without_ensemble(table) for name, table in file.models.items()}
    return Policy(
        defaults=_defences("defaults", file.defaults),
        models={name: _defences(f"models.{name}", file.defaults, table) for name, table in own.items()},
        clients={
            name: _of_client(f"clients.{name}", file.defaults, own, table) for name, table in file.clients.items()
        },
        ensembles={
            name: _converted(f"models.{name}.ensemble", table["ensemble"], Ensemble)
            for name, table in file.models.items()
            if "ensemble" in table
        },
        issuers=file.issuers,
        proxies=tuple(_network(text) for text in file.trusted_proxies),
        version=hashlib.blake2b(msgspec.json.encode(file, order="deterministic"), digest_size=6).hexdigest(),
    )


def _without_ensemble(table: Tables) -> Tables:
    return {name: value for name, value in table.items() if name != "ensemble"}


def _of_client(where: str, defaults: Tables, models: Mapping[str, Tables], own: Tables) -> dict[str | None, Defences]:
    found: dict[str | None, Defences] = {
        model: _defences(where, defaults, table, own) for model, table in models.items()
    }
    return {**found, None: _defences(where, defaults, own)}


def _defences(where: str, *layers: Tables) -> Defences:
    whole: Tables = {}
    for layer in layers:
        whole = _laid_over(whole, layer)
    return _converted(where, _laid_over(msgspec.to_builtins(Defences()), whole), Defences)


def _laid_over(below: Tables, above: Tables) -> Tables:
    merged = dict(below)
    for name, value in above.items():
        under = below.get(name)
        if isinstance(value, dict) and isinstance(under, dict):
            merged[name] = _laid_over(under, value)
        else:
            merged[name] = None if value == OFF else value
    return merged


def _converted(where: str, table: Tables, kind: type[T]) -> T:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise BadPolicy(f"gateway policy: [{where}] {error}") from error


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise BadPolicy(f"gateway policy: trusted_proxies: {error}") from error
