"""The log of refusals: one line each, bounded, and nothing in it that could pass for another line."""

from structlog.testing import capture_logs

from gateway.faults import Fault
from gateway.refusals import RefusalLog


def test_a_flood_is_counted_not_written() -> None:
    """Beyond so many lines a second refusals are only counted; the next line tells how many."""
    now = 100.0
    log = RefusalLog(lines=3, clock=lambda: now)
    with capture_logs() as lines:
        for _ in range(1_000):
            log.write(Fault(401, "unknown_key", ""))
        now = 101.5
        log.write(Fault(403, "not_allowed", "", about={"client": "alice", "credential": "gk_alice"}))
    assert [line["left_out"] for line in lines] == [0, 0, 0, 997]
    assert lines[-1] == {
        "event": "refused", "log_level": "info", "reason": "not_allowed", "status": 403, "left_out": 997,
        "client": "alice", "credential": "gk_alice",
    }  # fmt: skip


def test_what_clients_choose_is_escaped() -> None:
    """A model's name out of a path can hold anything: a line break, a colour, a megabyte."""
    with capture_logs() as lines:
        RefusalLog().write(Fault(403, "not_allowed", "", about={"model": "a\n\x1b[31mb" + "x" * 1_000}))
    assert lines[0]["model"].isprintable()
    assert len(lines[0]["model"]) == 128
