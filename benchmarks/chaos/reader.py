"""A gateway's table of decisions as a process: `python -m benchmarks.chaos.reader BOOTSTRAP PREFIX OUT`.

Follows the topic as a gateway does and keeps what it holds in OUT, until SIGTERM.
"""

import signal
import sys
import threading
from pathlib import Path

from detector.records import encode_decision
from detector.topics import Topics
from gamekeeper.files import write_atomically
from gateway.feed import Feed, Sinks
from gateway.table import DecisionTable

WRITE_SECONDS = 0.5


def main() -> None:
    """Follow until SIGTERM."""
    bootstrap, prefix, out = sys.argv[1:]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    table = DecisionTable()
    feed = Feed(bootstrap, Topics(prefix), Sinks(table))
    feed.start()
    written = None
    while not stop.wait(WRITE_SECONDS):
        held = "\n".join(encode_decision(decision).decode() for decision in table)
        if held != written:
            write_atomically(Path(out), held)
            written = held
    feed.join()


if __name__ == "__main__":
    main()
