"""A process of ours, run by a test: `python -m tests.consumers.worker detect|deliver JSON`."""

import sys
from typing import Any

import msgspec
import structlog

from consumers import deliver, detect, partition
from consumers.channels.webhook import Webhook
from consumers.kafka import KafkaSettings, Topics
from consumers.store.facts import Channels
from detector.detector import Detector
from detector.query import Queries
from detector.verdict import Verdict

HOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  # the example of the specification
POISON = "poison"  # a detector that is told to fails at every query of this client


class Fragile(Detector):
    """A detector with a fault."""

    def assess(self, queries: Queries) -> list[Verdict]:
        """Fail wherever the client takes part."""
        if POISON in {queries.clients[client] for client in queries.client.tolist()}:
            raise ZeroDivisionError("a fault of ours")
        return super().assess(queries)


def main(what: str, told: dict[str, Any]) -> None:
    """Run the process until SIGTERM."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    topics = Topics(told["prefix"])
    hooks = told.get("hooks", ())
    channels = Channels(("topic",), tuple(f"webhook:hook{number}" for number in range(len(hooks))))
    if what == "deliver":
        webhooks = tuple(Webhook(f"hook{number}", url, HOOK_SECRET, private=True) for number, url in enumerate(hooks))
        kafka = KafkaSettings(told["kafka"])
        deliver.run(
            deliver.DeliverSettings(kafka, told["database"], topics=topics, webhooks=webhooks, channels=channels)
        )
        return
    if told.get("fragile"):
        vars(partition)["Detector"] = Fragile  # the fault that is tested
    detect.run(
        detect.DetectSettings(
            KafkaSettings(told["kafka"]),
            told["database"],
            group=f"{topics.prefix}group",
            topic=topics.predictions,
            channels=channels,
            session_seconds=6.0,
            checkpoint_seconds=0.2,
            metrics_port=told.get("metrics_port"),
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], msgspec.json.decode(sys.argv[2]))
