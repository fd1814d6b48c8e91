"""How alerts look to other people's tools: pure functions, one file each. Add one by adding its name.

What CrowdSec is told is a decision, and has a file of its own here.
"""

from collections.abc import Callable, Mapping
from typing import Any

from consumers.alert import Alert
from consumers.templates import alertmanager, cef, mail, ocsf, pagerduty, slack, standard, teams

TEMPLATES: Mapping[str, Callable[[Alert], Any]] = {
    "webhook": standard.render,
    "slack": slack.render,
    "teams": teams.render,
    "pagerduty": pagerduty.render,
    "alertmanager": alertmanager.render,
    "ocsf": ocsf.render,
    "syslog": cef.render,
    "email": mail.render,
}
"""What each alert channel sends: something for JSON, a text, or a Mail."""
