"""The socket: uvicorn with TLS, and an end that loses no request.

On SIGTERM: `/v2/health/ready` says 503 while everything is still answered, each answer closing its connection, so that
load balancers and clients go elsewhere; then the socket closes, what is being answered gets its answer, and we end.
Only a request that a client sends on an idle connection in the moment in which we close it is not answered, which
RFC 9112 (9.3.1) tells clients to expect and to repeat.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable

import uvicorn

from gateway.middleware import App, Message, Receive, Scope, Send
from gateway.settings import GatewaySettings

CLOSE = (b"connection", b"close")


class BadCertificate(ValueError):  # noqa: N818  # named for what it says to the operator
    """A certificate or key that cannot be used; the message says which and why."""

    for_people = True  # the command line shows it as one line


def certified(settings: GatewaySettings) -> ssl.SSLContext | None:
    """Return TLS 1.2 and later with the settings' certificate; None without one. Raises BadCertificate."""
    cert, key = settings.tls_cert, settings.tls_key
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise BadCertificate("TLS needs a certificate and its key; only one of them is set")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key, password="")  # never ask for one on a terminal
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        raise BadCertificate(f"{cert} with {key}: no certificate with its key, in PEM, not encrypted: {why}") from error
    return context


def _configured(app: App, settings: GatewaySettings, tls: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
        timeout_graceful_shutdown=settings.grace_seconds,  # type: ignore[arg-type]  # asyncio takes parts of a second
    )


class Server(uvicorn.Server):
    """uvicorn's server, except that before it shuts down it tells `drain` and goes on for the settings' notice."""

    def __init__(
        self, app: App, settings: GatewaySettings, tls: ssl.SSLContext | None, drain: Callable[[], None]
    ) -> None:
        super().__init__(_configured(self._closing(app), settings, tls))
        self._drain = drain
        self._notice = settings.notice_seconds
        self._draining = False

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End as uvicorn does, after the notice."""
        self._draining = True
        self._drain()
        await asyncio.sleep(self._notice)
        await super().shutdown(sockets)

    def _closing(self, app: App) -> App:
        """Return the app; while we drain, each of its answers ends its connection."""

        async def closing(scope: Scope, receive: Receive, send: Send) -> None:
            async def last(message: Message) -> None:
                if self._draining and message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], CLOSE]
                await send(message)

            await app(scope, receive, last)

        return closing
