"""A small HTTP server on a free port of this machine."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_POLL = 0.02  # s between two looks whether to end


@contextmanager
def local_http(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Yield the port of 127.0.0.1 on which requests are taken for `handler`, for as long as the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(_POLL,), name="local http", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
