"""What the processes count, and the small HTTP door at which Prometheus and health checks ask."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest

from consumers.health import Health

READ = Counter("gamekeeper_queries_read", "Predictions read, whatever became of them")
SCORED = Counter("gamekeeper_queries_scored", "Predictions that entered a client's windows")
UNREADABLE = Counter("gamekeeper_unreadable", "Predictions set aside because they could not be read")
POISONED = Counter("gamekeeper_poisoned", "Predictions set aside because the detector failed at them")
VERDICTS = Counter("gamekeeper_verdicts", "Verdicts written", ["standing"])
STAGE_SECONDS = Histogram(
    "gamekeeper_stage_seconds",
    "Time that detect spends in a stage, once a poll and model, or a checkpoint; fetch includes the wait for records",
    ["stage"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
FETCH, DECODE, RESTORE, ASSESS, PACK, CHECKPOINT = (
    STAGE_SECONDS.labels(stage) for stage in ("fetch", "decode", "restore", "assess", "pack", "checkpoint")
)
RECOVERIES = Counter("gamekeeper_recoveries", "Partitions claimed again after a failure")
LOST = Counter("gamekeeper_records_lost", "Records that retention removed before they were read")
LAG = Gauge("gamekeeper_lag_records", "Records written and not yet in a checkpoint", ["partition"])
LAG_SECONDS = Gauge(
    "gamekeeper_lag_seconds",
    "Age of the newest record in a checkpoint, by the broker's time; 0 where none waits",
    ["partition"],
)
PARTITIONS = Gauge("gamekeeper_partitions", "Partitions owned")
UNKNOWN = Counter("gamekeeper_sections_unknown", "Parts of clients' memory of another version, begun anew")
WAITING = Gauge("gamekeeper_partitions_waiting", "Partitions that are ours and not yet read: added, or after a failure")
CLIENTS = Gauge("gamekeeper_clients", "Clients held in memory, once for each model")
CLIENTS_BYTES = Gauge("gamekeeper_clients_bytes", "Memory of the slots that hold clients, those set aside too")
MIRROR_FAILURES = Gauge("gamekeeper_mirror_failures", "Commits to the consumer group that failed (lag tools only)")
DELIVERIES = Counter("gamekeeper_deliveries", "Deliveries tried", ["channel", "outcome"])
UNDELIVERED = Gauge(
    "gamekeeper_deliveries_undelivered", "Deliveries that wait or were given up", ["channel", "outcome"]
)
EXPIRED = Counter("gamekeeper_decisions_expired", "Decisions that ended by the clock")
BOUNCER_REQUESTS = Counter(
    "gamekeeper_bouncer_requests",
    "Requests that bouncers say they saw (processed) or refused (dropped)",
    ["bouncer", "what"],
)
DEGRADED = Gauge("gamekeeper_degraded", "1 while /healthz says degraded")
IDLE = Gauge("gamekeeper_main_loop_idle_seconds", "Time since the main loop last came round")

_POLL_SECONDS = 0.1  # how late the door notices that it is to close


def exposition(health: Health) -> bytes:
    """Return all of it in Prometheus' text form."""
    DEGRADED.set(health.why() is not None)
    IDLE.set(health.idle)
    return generate_latest(REGISTRY)


def healthz(health: Health) -> tuple[int, bytes]:
    """Return the HTTP status and JSON body of GET /healthz."""
    why = health.why()
    if why is None:
        return 200, msgspec.json.encode({"status": "ok"})
    return 503, msgspec.json.encode({"status": "degraded", "why": why})


class Server:
    """GET /metrics and GET /healthz, on a thread of its own."""

    def __init__(self, http: ThreadingHTTPServer) -> None:
        self._http = http
        self._thread = threading.Thread(target=http.serve_forever, args=(_POLL_SECONDS,), name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._http.server_address[1])

    def close(self) -> None:
        """Answer nothing more."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=1)


def serve(port: int, health: Health, host: str = "127.0.0.1") -> Server:
    """Start answering; port 0 takes a free one. Raises OSError where the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the standard library's name
            self._answer(*_page(self.path, health))

        def log_message(self, *_: object) -> None:
            """Say nothing: who asks for metrics each few seconds is no news."""

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    http = ThreadingHTTPServer((host, port), Handler)
    http.daemon_threads = True
    return Server(http)


def _page(path: str, health: Health) -> tuple[int, str, bytes]:
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, exposition(health)
    if path == "/healthz":
        status, body = healthz(health)
        return status, "application/json", body
    return 404, "application/json", b'{"error":"not found"}'
