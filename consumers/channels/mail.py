"""Alerts by e-mail: plain text by SMTP, the alerts of an episode in one thread."""

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from urllib.parse import urlsplit

from consumers.alert import Alert
from consumers.channels import said
from consumers.channels.bounded import within
from consumers.channels.endpoint import Endpoint
from consumers.channels.outcome import Delivered, Outcome, Retry
from consumers.store.outbox import Delivery
from consumers.templates import TEMPLATES

STARTTLS, TLS = "smtp+starttls", "smtps"
TIMEOUT_SECONDS = 20.0  # for one try, however slowly the other side talks
_DOMAIN = "gamekeeper.invalid"  # of message ids: no host of that name can exist


def send(delivery: Delivery, endpoint: Endpoint) -> Outcome:
    """Send one e-mail through the operator's own server; the secret is the password of `user`."""
    alert = said.alert(delivery, endpoint)
    if alert is None:
        return Delivered()
    try:
        within(TIMEOUT_SECONDS, partial(_hand_over, message(alert, delivery.message, endpoint), endpoint))
    except smtplib.SMTPResponseException as error:
        return Retry(f"the mail server says {error.smtp_code}")
    except (smtplib.SMTPException, OSError) as error:
        return Retry(f"mail: {type(error).__name__}")
    return Delivered()


def message(alert: Alert, identity: str, endpoint: Endpoint) -> EmailMessage:
    """Return the e-mail; `identity` is the same for every try, so that a repeat can be told."""
    rendered = TEMPLATES["email"](alert)
    made = EmailMessage()
    made["From"] = endpoint.sender
    made["To"] = ", ".join(endpoint.to)
    made["Subject"] = rendered.subject
    made["Date"] = format_datetime(alert.timestamp)
    made["Message-ID"] = f"<{identity}@{_DOMAIN}>"
    made["References"] = f"<{alert.data.episode}@{_DOMAIN}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(rendered.body)
    return made


def _hand_over(made: EmailMessage, endpoint: Endpoint) -> None:
    """Give an e-mail to the server, encrypted where the URL says so. Raises SMTPException and OSError."""
    at = urlsplit(endpoint.url)
    where, ours = (at.hostname or "", at.port or 0), socket.gethostname()
    if at.scheme == TLS:
        session: smtplib.SMTP = smtplib.SMTP_SSL(*where, ours, timeout=TIMEOUT_SECONDS, context=_tls())
    else:
        session = smtplib.SMTP(*where, ours, timeout=TIMEOUT_SECONDS)
    with session:
        if at.scheme == STARTTLS:
            session.starttls(context=_tls())
        if endpoint.user:
            session.login(endpoint.user, endpoint.secret)
        session.send_message(made)


def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
