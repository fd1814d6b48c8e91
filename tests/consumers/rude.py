"""Endpoints that do not behave, on real sockets: each says or does something other than answering."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator

Manner = Callable[[socket.socket], None]
_DRIP_SECONDS = 0.02
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


def silent(near: socket.socket) -> None:
    """Read, and never answer."""
    while near.recv(65_536):
        pass


def dripping(near: socket.socket) -> None:
    """Send a header that never ends, a byte at a time: each read of the client is quick."""
    near.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        near.sendall(b"a")
        time.sleep(_DRIP_SECONDS)


def patient(near: socket.socket) -> None:
    """Say again and again that an answer will come."""
    while True:
        near.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
        time.sleep(_DRIP_SECONDS)


def endless(near: socket.socket) -> None:
    """Answer well, and then send a body without end."""
    near.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        near.sendall(bytes(65_536))


def garbage(near: socket.socket) -> None:
    """Send what is no HTTP."""
    near.sendall(bytes(range(256)) * 16)


def bloated(near: socket.socket) -> None:
    """Send more headers than anyone needs."""
    with contextlib.suppress(OSError):  # the client may have had enough
        near.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000)


def hanging_up(near: socket.socket) -> None:
    """Hear what is said, and hang up."""
    near.recv(65_536)
    near.shutdown(socket.SHUT_WR)
    silent(near)


def resetting(near: socket.socket) -> None:
    """Reset the connection."""
    near.recv(1)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


@contextlib.contextmanager
def serving(manner: Manner, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Yield the port of an endpoint with these manners."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_: list[socket.socket] = [listener]

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                open_.append(near)
                threading.Thread(target=meet, args=(near,), daemon=True).start()

    def meet(near: socket.socket) -> None:
        with contextlib.suppress(OSError), near:
            if tls is None:
                manner(near)
                return
            with tls.wrap_socket(near, server_side=True) as within:
                manner(within)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        for one in open_:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
