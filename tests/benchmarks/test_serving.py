"""The benchmark of serving, short: real Keras, both ways, one client and many."""

from argparse import Namespace

from benchmarks import serving


def test_a_short_round() -> None:
    """Many clients share calls, a lone one has its own; each way says how fast it was."""
    rows = serving.run(Namespace(seconds=0.5, rounds=1))["rows"]

    assert [(row["clients"], row["way"]) for row in rows] == [
        (clients, way) for clients in serving.CLIENTS for way in ("a call a request", "micro-batches")
    ]
    shared = {row["clients"]: float(row["rows a call"]) for row in rows if row["way"] == "micro-batches"}
    assert shared[1] == 1
    assert shared[64] > 2
    assert all(row["requests/s"] > 0 and float(row["p50 ms"]) <= float(row["p99 ms"]) for row in rows)
