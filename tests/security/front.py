"""TLS in front of a Postgres whose build has none: the server's half of SSLRequest, then TLS, then the real server."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

from tests.security.certificates import Pair

SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # length 8, code 80877103: PostgreSQL's protocol, 54.2.11


@contextlib.contextmanager
def tls_front(pair: Pair, port: int) -> Iterator[int]:
    """Yield a port that speaks TLS only, and hands what is said on to `port`."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.cert, pair.key)
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=_serve, args=(near, tls, port), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _serve(near: socket.socket, tls: ssl.SSLContext, port: int) -> None:
    with near, contextlib.suppress(OSError):
        if near.recv(8, socket.MSG_WAITALL) != SSL_REQUEST:
            return
        near.sendall(b"S")
        with tls.wrap_socket(near, server_side=True) as within, socket.create_connection(("127.0.0.1", port)) as far:
            back = threading.Thread(target=_pump, args=(far, within), daemon=True)
            back.start()
            _pump(within, far)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
