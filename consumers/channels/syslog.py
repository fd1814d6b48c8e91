"""Alerts to a SIEM: CEF over syslog (RFC 5424), by UDP or TCP."""

import socket
from urllib.parse import urlsplit

from consumers.alert import Alert, Severity
from consumers.channels import said
from consumers.channels.endpoint import Endpoint
from consumers.channels.http import resolve
from consumers.channels.outcome import Delivered, Outcome, Retry
from consumers.store.outbox import Delivery
from consumers.templates import cef
from consumers.templates.words import moment_wire

TCP = "syslog+tcp"
TIMEOUT_SECONDS = 10.0
DATAGRAM_BYTES = 2_048  # of a whole UDP message: what every receiver should take (RFC 5424, 6.1)
FRAME_BYTES = 8_192  # of one in a TCP stream
_FACILITY = 10  # security and authorization
_LEVELS = {Severity.INFO: 6, Severity.WARNING: 4, Severity.CRITICAL: 2}


def send(delivery: Delivery, endpoint: Endpoint) -> Outcome:
    """Send one event to the operator's own receiver. By UDP all that is known is that it left."""
    alert = said.alert(delivery, endpoint)
    if alert is None:
        return Delivered()
    at = urlsplit(endpoint.url)
    try:
        address = resolve(at.hostname or "", at.port or 0), at.port or 0
        _by_tcp(alert, address) if at.scheme == TCP else _by_udp(alert, address)
    except OSError as error:
        return Retry(f"syslog: {type(error).__name__}")
    return Delivered()


def line(alert: Alert, most: int) -> bytes:
    """Return the syslog message, at most `most` bytes of it."""
    priority = 8 * _FACILITY + _LEVELS[alert.data.severity]
    head = f"<{priority}>1 {moment_wire(alert.timestamp)} {socket.gethostname()} gamekeeper - {alert.data.change} - "
    whole = f"{head}{cef.render(alert)}".encode()
    if len(whole) <= most:
        return whole
    text = whole[:most].decode(errors="ignore")
    halves = len(text) - len(text.rstrip("\\"))
    return text[: len(text) - halves % 2].encode()  # no half of an escape


def _by_udp(alert: Alert, address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as link:
        link.sendto(line(alert, DATAGRAM_BYTES), address)


def _by_tcp(alert: Alert, address: tuple[str, int]) -> None:
    """Send one frame that says how long it is (RFC 6587, 3.4.1)."""
    message = line(alert, FRAME_BYTES)
    with socket.create_connection(address, TIMEOUT_SECONDS) as link:
        link.sendall(b"%d %s" % (len(message), message))
