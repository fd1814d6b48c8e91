"""Health and metrics: what a process says of itself over HTTP."""

import httpx

from consumers import metrics
from consumers.health import STUCK_SECONDS, Health


def test_healthz_says_why() -> None:
    """A fault makes it 503 with the reason in words; when it is gone it is 200 again."""
    health, absent = Health(), "no broker accepts a connection"
    server = metrics.serve(0, health)
    try:
        health.fault("kafka", absent)
        ill = httpx.get(f"http://127.0.0.1:{server.port}/healthz")
        degraded = httpx.get(f"http://127.0.0.1:{server.port}/metrics").text
        health.fine("kafka")
        well = httpx.get(f"http://127.0.0.1:{server.port}/healthz")
        missing = httpx.get(f"http://127.0.0.1:{server.port}/")
    finally:
        server.close()
    assert (ill.status_code, ill.json()) == (
        503,
        {"status": "degraded", "why": f"kafka: {absent}"},
    )
    assert "gamekeeper_degraded 1.0" in degraded
    assert (well.status_code, well.json()) == (200, {"status": "ok"})
    assert missing.status_code == 404


def test_a_stuck_loop_is_seen() -> None:
    """A main loop that has not turned for long is degraded without anybody saying so."""
    now = [0.0]
    health = Health(lambda: now[0])
    assert health.why() is None
    now[0] = STUCK_SECONDS + 1
    assert "has not turned" in (health.why() or "")
    health.turn()
    assert health.why() is None
