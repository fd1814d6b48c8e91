"""Leave to ask a model: what holds for one guarded query, from the door to what is served."""

import asyncio
import time
from dataclasses import dataclass, field

from detector.decision import Action, Decision
from detector.times import format_time
from gateway.access import Identity
from gateway.faults import Fault, blocked, too_large, too_many
from gateway.guard import Guard
from gateway.limits.limiter import Spent
from gateway.limits.policy import Applied
from gateway.outputs import Asked, served
from gateway.policy import Defences, Response
from gateway.querylog import Answer, Withheld
from gateway.table import Asker
from gateway.tensors import Floats
from gateway.watermark.dawn import Marking, marked


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to ask `model` once, under the decision in force (None: nothing holds against the client)."""

    asker: Asker
    identity: Identity
    model: str
    decision: Decision | None
    defences: Defences
    response: Response  # how the query is answered, if nothing refuses it
    applied: Applied  # the limits in force for it
    _guard: Guard
    headers: dict[str, str] = field(default_factory=dict)  # of the answer: how the limits stand
    _withheld: list[Fault] = field(default_factory=list)  # refusals that shadow held back
    _spent: list[int] = field(default_factory=list)  # rows that may be answered

    @property
    def action(self) -> Action:
        """What the decision in force asks for."""
        return Action.ALLOW if self.decision is None else self.decision.action

    @property
    def about(self) -> dict[str, str]:
        """What our log says of whoever was refused."""
        return {"client": self.asker.client, "credential": self.identity.credential, "model": self.model}

    async def check(self) -> None:
        """Raise Fault (403, 429, 503) where this query is refused whatever it asks, and log that. Spends nothing."""
        try:
            self._guard.access.allow(self.identity, self.model, "predict")
        except Fault as fault:
            self._deny(fault)
        if self.decision is not None and self.action is Action.BLOCK:
            self._refuse(refusal(self.decision))
        self._take(await self._guard.limiter.look(self.asker, self.model, self.applied))

    async def spend(self, rows: int) -> None:
        """Count `rows` queries against the limits, all or none, and wait where the policy slows the client down.

        Raises Fault (429, 413, 503), and logs it.
        """
        self._take(await self._guard.limiter.spend(self.asker, self.model, rows, self.applied))
        self._spent.append(rows)
        if self.response.delay and not self.defences.shadow:
            await asyncio.sleep(self.response.delay)

    def answer(self, inputs: Floats, probabilities: Floats, version: str | None = None) -> Floats:
        """Log n predictions (inputs [n, …], the model's own probabilities [n, K], float32) and return what to serve.

        `version` of the model is for whoever reads the log.
        Raises RuntimeError for rows that were not spent: an app that forgets it would have no limits.
        """
        if len(probabilities) > sum(self._spent):
            raise RuntimeError(
                f"{len(probabilities)} rows are answered, {sum(self._spent)} were spent: await grant.spend"
            )
        made = self._made(inputs, probabilities)
        shadow = self.defences.shadow
        answer = Answer(
            asker=self.asker,
            model=self.model,
            time=now(),
            status=200,
            decision=None if shadow else self.decision,
            input=inputs,
            output=probabilities,
            served=None if shadow or made is probabilities else made,
            withheld=self._held(made, probabilities) if shadow else None,
            version=version,
        )
        self._guard.log.put(answer)
        self._guard.metrics.rows.labels(self.model, (Action.ALLOW if shadow else self.action).word).inc(len(made))
        return probabilities if shadow else made

    def _made(self, inputs: Floats, probabilities: Floats) -> Floats:
        secret, share = self._guard.secret, self.response.mark
        asked = Asked(self.model, probabilities, secret)
        made = served(self.response.outputs, asked, self.defences.keep_top)
        return marked(inputs, made, Marking(secret, self.asker.client, self.model, share))[0] if share else made

    def _held(self, made: Floats, probabilities: Floats) -> Withheld | None:
        """Return what would have been done to this query, if anything."""
        status = self._withheld[0].status if self._withheld else 200
        if status == 200 and self.decision is None and made is probabilities:  # noqa: PLR2004  # HTTP: OK
            return None
        return Withheld(self.decision, status, None if made is probabilities else made)

    def _take(self, spent: Spent) -> None:
        if not self.defences.shadow:
            self.headers.update(spent.headers)
        if spent.refused is not None:
            self._refuse(too_fast(spent))

    def _refuse(self, fault: Fault) -> None:
        """Refuse, unless in shadow: then only remember it."""
        if not self.defences.shadow:
            self._deny(fault)
        self._withheld.append(fault)
        self._guard.metrics.withheld.labels(fault.code).inc()

    def _deny(self, fault: Fault) -> None:
        decision = None if self.defences.shadow else self.decision
        self._guard.log.put(Answer(self.asker, self.model, now(), fault.status, decision))
        fault.about = {**self.about, **fault.about}
        raise fault


def granted(guard: Guard, identity: Identity, model: str, ip: str | None) -> Grant:
    """Return leave to ask, to be checked before anything else. Raises Fault (503) while decisions are not known."""
    fault = guard.shut()
    if fault is not None:
        raise fault
    asker = Asker(identity.client, identity.tenant, ip, identity.key)
    decision = guard.table.find(asker, model, now())
    defences = guard.policy.defences(model, asker.client)
    response = defences.response(Action.ALLOW if decision is None else decision.action)
    quota = guard.access.quota(identity)
    applied = Applied(defences.limits, response.limit, quota.day, quota.month)
    return Grant(asker, identity, model, decision, defences, response, applied, guard)


def refusal(decision: Decision) -> Fault:
    """Return how a decision to block refuses a query."""
    return blocked(format_time(decision.until), f"GK-{decision.id}-{decision.serial}")


def too_fast(spent: Spent) -> Fault:
    """Return how a limit refuses a query."""
    if spent.seconds == 0:
        return too_large(f"{spent.most} rows are the most that limit {spent.refused} allows in one request")
    return too_many(spent.seconds, spent.most, spent.window)


def now() -> int:
    """Return the time, in µs since 1970 UTC."""
    return time.time_ns() // 1000
