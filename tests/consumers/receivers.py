"""Receivers that do not speak HTTP: a mail server, syslog by TCP and UDP, and the little of HAProxy that we use."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.consumers.road import free_port


@dataclass
class MailServer:
    """What came in, and to what the server says no."""

    port: int
    refuses: bool = False
    mails: list[EmailMessage] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's
        """Take a mail, or refuse it."""
        if self.refuses:
            return "451 come again"
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"

    def log_in(self, _server: object, _session: object, _envelope: object, _mechanism: str, data: Any) -> AuthResult:
        """Let everybody in and remember who."""
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=True)


@contextmanager
def mail_server(*, refuses: bool = False, **other: Any) -> Iterator[MailServer]:
    """Serve SMTP on a free port of this machine; `other` goes to aiosmtpd."""
    server = MailServer(free_port(), refuses)
    controller = Controller(server, "127.0.0.1", server.port, authenticator=server.log_in, **other)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


@dataclass
class Collector:
    """A syslog receiver: what came in, as it came."""

    port: int = 0
    received: list[bytes] = field(default_factory=list)
    came: threading.Event = field(default_factory=threading.Event)


@contextmanager
def syslog_server(*, udp: bool = False) -> Iterator[Collector]:
    """Collect syslog on a free port of this machine."""
    collector = Collector()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            collector.received.append(self.request[0] if udp else self.request.makefile("rb").read())
            collector.came.set()

    kind = socketserver.ThreadingUDPServer if udp else socketserver.ThreadingTCPServer
    with kind(("127.0.0.1", 0), Handler) as server:
        collector.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield collector
        server.shutdown()
        thread.join()


@dataclass
class RuntimeSocket:
    """The runtime socket of HAProxy 2.6, as far as one map goes; the real one is in tests/clients."""

    port: int = 0
    map: dict[str, str] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    broken: bool = False  # it knows no map

    def answer(self, command: str) -> str:
        """Do a command and say what HAProxy says."""
        self.received.append(command)
        verb, _, _, name, *entry = (part.replace("\\", "") for part in re.split(r"(?<!\\) ", command))
        if self.broken:
            return "Unknown map identifier. Please use #<id> or <file>."
        if verb == "get":
            return f"type=str, case=sensitive, found={'yes' if name in self.map else 'no'}"
        if verb != "add" and name not in self.map:
            return "entry not found." if verb == "set" else "Key not found."
        self.map |= {name: entry[0]} if entry else {}
        if verb == "del":
            del self.map[name]
        return ""


@contextmanager
def runtime_socket(*, broken: bool = False) -> Iterator[RuntimeSocket]:
    """Answer as HAProxy's runtime socket on a free port of this machine."""
    haproxy = RuntimeSocket(broken=broken)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(haproxy.answer(self.rfile.readline().decode().rstrip("\n")).encode() + b"\n\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        haproxy.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield haproxy
        server.shutdown()
        thread.join()
