"""The api as a process: health, metrics, and a graceful end."""

import signal

import httpx

from tests.consumers.road import Road, free_port, until


def test_health_metrics_and_end(cold_road: Road) -> None:
    """With Postgres there it is well; it counts; SIGTERM ends it with 0 in time."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with cold_road.process("api", port=port) as process:
        until(lambda: _answers(url))
        assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
        assert "gamekeeper_degraded 0.0" in httpx.get(f"{url}/metrics").text
        assert httpx.get(f"{url}/docs").status_code == 404
        process.send_signal(signal.SIGTERM)
        assert process.wait(5.0) == 0


def test_without_postgres_it_is_degraded(cold_road: Road) -> None:
    """Where the database does not answer, /healthz says so with 503."""
    port = free_port()
    away = f"postgresql+psycopg2://postgres@127.0.0.1:{free_port()}/nothing"
    with cold_road.process("api", port=port, database=away):
        until(lambda: _answers(f"http://127.0.0.1:{port}"))
        said = httpx.get(f"http://127.0.0.1:{port}/healthz")
    assert said.status_code == 503
    assert "postgres" in said.json()["why"]


def _answers(url: str) -> bool:
    try:
        httpx.get(f"{url}/metrics")
    except httpx.TransportError:
        return False
    return True
