"""confluent-kafka (librdkafka) alone: records are fetched, and nothing is done with them."""

from benchmarks.throughput.measured import Clock, Measured, Told

AT_ONCE = 1_000


def run(told: Told) -> Measured:
    """Read the topic."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition  # noqa: PLC0415  # only with the extra `bench`

    consumer = Consumer({"bootstrap.servers": told.kafka, "group.id": "raw", "enable.auto.commit": False})
    partitions = consumer.list_topics(told.topic).topics[told.topic].partitions
    clock = Clock()
    consumer.assign([TopicPartition(told.topic, number, OFFSET_BEGINNING) for number in partitions])
    left = told.records
    while left > 0:
        left -= sum(record.error() is None for record in consumer.consume(AT_ONCE, timeout=1.0))
    measured = clock.read()
    consumer.close()
    return measured
