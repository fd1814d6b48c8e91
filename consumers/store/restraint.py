"""What keeps the detector's decisions back: the breaker while it is open, and the policy that wants a person's word.

It acts on decisions, never on verdicts. A block that is kept back becomes a proposal, for a person to approve.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from consumers.store.heads import Draft, Head
from detector.decision import Action, Origin
from detector.policy import Approval

SHADOW = "shadow"


class Cause(StrEnum):
    """Why a block waits for a person's word."""

    APPROVAL = "approval"
    BREAKER = "breaker"


@dataclass(frozen=True, slots=True)
class Restraint:
    """What holds while a checkpoint's decisions are written."""

    open: Collection[str] = ()  # models whose breaker is open
    approval: Approval = field(default_factory=Approval)

    def keeps_back(self, draft: Draft) -> Cause | None:
        """Tell why a decision may not be enforced as it is, if so. What ends something always may."""
        if draft.shadow or draft.action is Action.ALLOW:
            return None
        if draft.key.model in self.open:
            return Cause.BREAKER
        return Cause.APPROVAL if self.approval.blocks and draft.action is Action.BLOCK else None

    def milder(self, draft: Draft, cause: Cause, head: Head, now: datetime) -> Draft | None:
        """Return what is decided instead, or None: what is in force stays, since a shadow would end it."""
        if cause is Cause.APPROVAL and self.approval.meanwhile != SHADOW:
            return replace(draft, action=Action.parse(self.approval.meanwhile))
        acting = head.holds(now) and not head.shadow and head.action is not Action.ALLOW
        return None if acting else replace(draft, shadow=True)


def newly_blocks(draft: Draft, head: Head, now: datetime) -> bool:
    """Tell whether the detector's decision blocks somebody who is not blocked yet."""
    blocked = head.holds(now) and not head.shadow and head.action is Action.BLOCK
    return draft.origin is Origin.DETECTOR and draft.action is Action.BLOCK and not draft.shadow and not blocked
