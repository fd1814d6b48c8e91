"""A process of ours, run by a test: `python -m tests.consumers.worker detect|deliver|api JSON`.

Each imports only what it needs: a test starts many.
"""

import sys
from typing import Any, NoReturn

import msgspec

HOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  # the example of the specification
POISON = "poison"  # a detector that is told to fails at every query of this client


def run_api(told: dict[str, Any]) -> None:
    """Run the api until SIGTERM."""
    from consumers import api  # noqa: PLC0415

    api.run(api.ApiSettings(told["database"], port=told["port"]))


def run_deliver(told: dict[str, Any]) -> None:
    """Run `deliver` until SIGTERM; `hooks` are the URLs of the webhooks, by number."""
    from consumers import deliver  # noqa: PLC0415
    from consumers.channels.endpoint import Endpoint  # noqa: PLC0415
    from consumers.store.facts import Channels  # noqa: PLC0415
    from detector.brokers import Brokers  # noqa: PLC0415
    from detector.topics import Topics  # noqa: PLC0415

    if told.get("faulty"):
        _break_webhooks()
    urls = told.get("hooks", ())
    deliver.run(
        deliver.DeliverSettings(
            Brokers(told["kafka"]),
            told["database"],
            topics=Topics(told["prefix"]),
            endpoints=tuple(
                Endpoint("webhook", f"hook{at}", url, HOOK_SECRET, private=True) for at, url in enumerate(urls)
            ),
            channels=Channels(("topic",), tuple(f"webhook:hook{at}" for at in range(len(urls)))),
            metrics_port=told.get("metrics_port"),
        )
    )


def _break_webhooks() -> None:
    """Give the channel a fault, for the test of what happens then."""
    from dataclasses import replace  # noqa: PLC0415

    from consumers import channels, deliver  # noqa: PLC0415

    def fail(*_: object) -> NoReturn:
        raise ZeroDivisionError("a fault of ours")

    faulty = replace(channels.CHANNELS["webhook"], send=fail)
    vars(deliver)["CHANNELS"] = {**channels.CHANNELS, "webhook": faulty}


def run_detect(told: dict[str, Any]) -> None:
    """Run `detect` until SIGTERM; `fragile` gives it a detector with a fault."""
    from consumers import detect, partition  # noqa: PLC0415
    from detector.brokers import Brokers  # noqa: PLC0415
    from detector.policy import Breaker, Policy  # noqa: PLC0415
    from detector.topics import Topics  # noqa: PLC0415

    if told.get("fragile"):
        from tests.consumers.fragile import Fragile  # noqa: PLC0415

        vars(partition)["Detector"] = Fragile
    topics = Topics(told["prefix"])
    detect.run(
        detect.DetectSettings(
            Brokers(told["kafka"]),
            told["database"],
            group=f"{topics.prefix}group",
            topic=topics.predictions,
            policy=Policy(breaker=Breaker(clients=1.0, traffic=1.0)),  # in tests most clients are thieves
            member=told.get("member"),
            clients_max=told.get("clients_max", 40_000),
            session_seconds=6.0,
            checkpoint_seconds=0.2,
            learn_seconds=told.get("learn_seconds", 0.0),
            metrics_port=told.get("metrics_port"),
            marks_key=told.get("marks_key", ""),
        )
    )


if __name__ == "__main__":
    RUN = {"api": run_api, "deliver": run_deliver, "detect": run_detect}
    RUN[sys.argv[1]](msgspec.json.decode(sys.argv[2]))
