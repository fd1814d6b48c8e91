"""Where decisions and alerts go. One file a channel; add one by adding its name here."""

from collections.abc import Mapping

from consumers.channels import crowdsec, haproxy, keys, mail, pagerduty, push, syslog, topic, webhook
from consumers.channels.hook import sender
from consumers.channels.outcome import KAFKA_WAITS, STANDARD_WAITS, Kind
from consumers.templates import TEMPLATES

CHANNELS: Mapping[str, Kind] = {
    "topic": Kind(topic.send, KAFKA_WAITS, forever=True, takes="decisions"),
    "keys": Kind(keys.send, KAFKA_WAITS, forever=True, takes="decisions"),
    "push": Kind(push.send, STANDARD_WAITS, takes="decisions", needs=("secret",)),
    "crowdsec": Kind(crowdsec.send, STANDARD_WAITS, takes="decisions", needs=("user", "secret")),
    "haproxy": Kind(
        haproxy.send,
        STANDARD_WAITS,
        takes="decisions",
        schemes=(haproxy.UNIX, haproxy.TCP),
        refill=haproxy.refill,
    ),
    "webhook": Kind(webhook.send, STANDARD_WAITS, needs=("secret",)),
    "slack": Kind(sender(TEMPLATES["slack"]), STANDARD_WAITS),
    "teams": Kind(sender(TEMPLATES["teams"]), STANDARD_WAITS),
    "pagerduty": Kind(pagerduty.send, STANDARD_WAITS, needs=("secret",)),
    "alertmanager": Kind(sender(TEMPLATES["alertmanager"]), STANDARD_WAITS),
    "ocsf": Kind(sender(TEMPLATES["ocsf"]), STANDARD_WAITS),
    "syslog": Kind(syslog.send, STANDARD_WAITS, schemes=("syslog", syslog.TCP)),
    "email": Kind(mail.send, STANDARD_WAITS, needs=("sender", "to"), schemes=("smtp", mail.STARTTLS, mail.TLS)),
}
OURS = ("topic", "keys")  # topics, which are no endpoints of the operator's
