"""A producer as a process: `python -m tests.consumers.writer BOOTSTRAP TOPIC SECONDS FILE`.

Writes the records of FILE, one a line as [client, record], evenly over so many seconds, whether or not Kafka is there.
"""

import sys
import time
from pathlib import Path

import msgspec
from kafka import KafkaProducer


def main(bootstrap: str, topic: str, seconds: float, file: Path) -> None:
    """Write all; the end is when Kafka has them."""
    records = [msgspec.json.decode(line, type=tuple[str, str]) for line in file.read_bytes().splitlines()]
    producer = KafkaProducer(bootstrap_servers=bootstrap, reconnect_backoff_max_ms=200, delivery_timeout_ms=300_000)
    begun = time.monotonic()
    for at, (client, record) in enumerate(records):
        producer.send(topic, record.encode(), key=client.encode())
        time.sleep(max(begun + seconds * at / len(records) - time.monotonic(), 0))
    producer.flush()
    producer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]))
