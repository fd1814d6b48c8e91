"""The real Kafka and the real Postgres on one machine, for `up`, `demo` and the tests. No stand-ins.

Each runs in a folder of its own under the data folder, survives restarts with what it held, and ends with the process
that started it, however that one ends (see guard.py).
"""

from gamekeeper.embedded.jars import Progress
from gamekeeper.embedded.kafka import start_kafka
from gamekeeper.embedded.postgres import start_postgres
from gamekeeper.embedded.server import EmbeddedError, Server

__all__ = ["EmbeddedError", "Progress", "Server", "start_kafka", "start_postgres"]
