"""What holds for one query that a proxy asks about: who asks, which model, and the decision in force."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from detector.decision import ANY_MODEL, Action
from gateway.access.address import client_ip
from gateway.access.tokens import NAME_LONGEST
from gateway.faults import Fault, unauthorized
from gateway.grant import now, refusal, too_fast
from gateway.guard import Guard
from gateway.limits.policy import Applied, Limits
from gateway.table import Asker

CLIENT: Final = "x-gamekeeper-client"  # for the model server: whose query it is, as its record is to name it
ACTION: Final = "x-gamekeeper-action"  # and how it is to be answered: allow, perturb or throttle
UNLIMITED: Final = Limits(client=None)  # what a decision asks for is all that is limited here
QUERIES: Final = re.compile(
    r"/v1/models/([\w.-]+)(?:/versions/\w+)?:predict|/v2/models/([\w.-]+)(?:/versions/\w+)?/infer"
)

Headers = Sequence[tuple[bytes, bytes]]  # raw, names in lower case


@dataclass(frozen=True, slots=True)
class Names:
    """The headers in which a proxy says who asks, where it knows. Without `client` an API key or token says it."""

    client: str = ""
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A query that a proxy is about to pass on; `path` as the proxy got it."""

    headers: Headers = field(repr=False)
    path: str
    ip: str | None  # where it came from


@dataclass(frozen=True, slots=True)
class Checks:
    """The guard, and how it is told who asks."""

    guard: Guard
    names: Names = Names()

    async def ask(self, question: Question) -> Mapping[str, str]:
        """Return the headers that the model server gets with the query. Raises Fault where it is not to get it."""
        try:
            told = await self._ask(question)
        except Fault as fault:
            self.guard.metrics.requests.labels(str(fault.status)).inc()
            self.guard.refused(fault)
            raise
        self.guard.metrics.requests.labels("200").inc()
        return told

    async def _ask(self, question: Question) -> Mapping[str, str]:
        guard, model = self.guard, queried(question.path)
        shut = guard.shut()
        if shut is not None:
            raise shut
        asker = self._asker(question, model)
        decision = guard.table.find(asker, model, now())
        defences = guard.policy.defences(model or ANY_MODEL, asker.client)
        if decision is None or defences.shadow:
            return {CLIENT: asker.client, ACTION: Action.ALLOW.word}
        if decision.action is Action.BLOCK:
            raise _about(refusal(decision), asker, model)
        if decision.action is Action.THROTTLE:
            applied = Applied(UNLIMITED, defences.throttle.limit)
            spent = await guard.limiter.spend(asker, model or ANY_MODEL, 1, applied)
            if spent.refused is not None:
                raise _about(too_fast(spent), asker, model)
        return {CLIENT: asker.client, ACTION: decision.action.word}

    def _asker(self, question: Question, model: str | None) -> Asker:
        """Return who asks. Raises Fault: 401 where that is not known, 403 without a role that permits it."""
        if self.names.client:
            said = dict(question.headers)
            client = _name(said, self.names.client)
            if client is None:
                raise unauthorized("no_client", "who asks is not known")
            return Asker(client, _name(said, self.names.tenant), question.ip)
        identity = self.guard.access.admit(question.headers, now())
        self.guard.access.allow(identity, model, "predict")
        return Asker(identity.client, identity.tenant, question.ip, identity.key)


def queried(path: str) -> str | None:
    """Return which model a path queries; None where it does not say so plainly: then any model's decision counts.

    Plainly: what is escaped or leads elsewhere (`..`) may be another model's path to whoever serves it.
    """
    found = QUERIES.fullmatch(path.partition("?")[0])
    return None if found is None else found[1] or found[2]


def passed_on(headers: Headers, guard: Guard) -> str | None:
    """Return where a query came from, as the proxy says that asks us; None where it does not say."""
    said = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    before, _, last = said.rpartition(b",")
    return (
        client_ip(last.decode("latin-1").strip(), [(b"x-forwarded-for", before)], guard.policy.proxies)
        if last
        else None
    )


def _about(fault: Fault, asker: Asker, model: str | None) -> Fault:
    """Return the refusal with what our log says of it."""
    fault.about = {"client": asker.client, "model": model or ANY_MODEL}
    return fault


def _name(headers: Mapping[bytes, bytes], header: str) -> str | None:
    """Return the name in a header, as the query record can hold it; None where there is none."""
    name = headers.get(header.lower().encode(), b"").decode(errors="replace")
    return name if name.isprintable() and 0 < len(name.encode()) <= NAME_LONGEST else None
