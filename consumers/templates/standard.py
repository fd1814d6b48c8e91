"""The generic JSON of Standard Webhooks 1.0.0: type, timestamp, data. Names are as they are, for programs."""

import msgspec

from consumers.alert import Alert

NAME = 512  # characters: what a query may name, and the body stays below the 20 kB of the standard


def render(alert: Alert) -> Alert:
    """Return the alert: its own wire form is this one."""
    case = alert.data
    named = {"client": case.client, "model": case.model, "tenant": case.tenant, "reason": case.reason}
    short = {member: text and text[:NAME] for member, text in named.items()}
    return msgspec.structs.replace(alert, data=msgspec.structs.replace(case, **short))
