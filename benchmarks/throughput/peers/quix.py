"""Quix Streams: a stateful operator, its state in RocksDB and a changelog topic.

It keeps three numbers of a client: how many queries, their margins' moving average, and the time of the last.
Far less than ours does, and what such an operator is written for.
"""

from typing import Any

from benchmarks.throughput.measured import Clock, Measured, Told

DECAY = 0.05


def run(told: Told) -> Measured:
    """Read the topic."""
    from quixstreams import Application, State  # noqa: PLC0415  # only installed with the extra `bench`

    app = Application(
        told.kafka,
        consumer_group=f"quix-{told.turn}",
        auto_offset_reset="earliest",
        state_dir=f"{told.folder}/quix-{told.turn}",
        loglevel="WARNING",
    )
    clocks: list[Clock] = []

    def follow(record: dict[str, Any], state: State[str, Any]) -> None:
        if not clocks:
            clocks.append(Clock())  # joining the group is not counted
        count, average = state.get("count", 0), state.get("average", 0.0)
        second, first = sorted(record["output"]["probabilities"])[-2:]
        state.set("count", count + 1)
        state.set("average", average + DECAY * (first - second - average))
        state.set("last", record["time"])

    topic = app.topic(told.topic, key_deserializer="str", value_deserializer="json")
    app.dataframe(topic).update(follow, stateful=True)
    app.run(count=told.records, collect=False)
    return clocks[0].read()
