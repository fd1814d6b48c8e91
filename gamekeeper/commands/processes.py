"""The long-running processes. SIGTERM: finish the batch, leave the group, exit 0."""

from typing import TYPE_CHECKING

import typer

from gamekeeper.commands import common
from gamekeeper.settings import BadSettings, Settings

if TYPE_CHECKING:
    from consumers.channels.push import Push
    from consumers.channels.webhook import Webhook

PANEL = "Processes"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (detect, deliver, gateway, api):
        app.command(rich_help_panel=PANEL)(command)


def detect() -> None:
    """Read predictions, reach verdicts, write them to Postgres. Start as many as there are partitions, if need be."""
    settings = common.settings()
    policy = common.policy(settings)
    from consumers import detect as process  # noqa: PLC0415
    from consumers.kafka import KafkaSettings  # noqa: PLC0415
    from detector.topics import Topics  # noqa: PLC0415

    process.run(
        process.DetectSettings(
            kafka=KafkaSettings(settings.need_kafka()),
            database=settings.need_database(),
            schema=settings.schema,
            group=settings.group,
            topic=Topics(settings.topic_prefix).predictions,
            policy=policy,
            channels=common.channels(settings),
            metrics_port=settings.metrics_port,
            metrics_host=settings.host,
            checkpoint_seconds=settings.checkpoint_seconds,
            checkpoint_queries=settings.checkpoint_queries,
            clients_max=settings.clients_max,
            marks_key=settings.marks_key,
        )
    )


def deliver() -> None:
    """Send decisions to the gateways and alerts to people; expire decisions by the clock."""
    settings = common.settings()
    from consumers import deliver as process  # noqa: PLC0415
    from consumers.kafka import KafkaSettings  # noqa: PLC0415
    from detector.topics import Topics  # noqa: PLC0415

    process.run(
        process.DeliverSettings(
            kafka=KafkaSettings(settings.need_kafka()),
            database=settings.need_database(),
            schema=settings.schema,
            topics=Topics(settings.topic_prefix),
            pushes=_pushes(settings),
            webhooks=_webhooks(settings),
            channels=common.channels(settings),
            metrics_port=settings.metrics_port,
            metrics_host=settings.host,
        )
    )


def _pushes(settings: Settings) -> "tuple[Push, ...]":
    from consumers.channels.push import Push  # noqa: PLC0415

    return tuple(Push(name, url, settings.push_token) for name, url in settings.push)


def _webhooks(settings: Settings) -> "tuple[Webhook, ...]":
    from consumers.channels.webhook import Webhook  # noqa: PLC0415

    if settings.webhooks and not settings.webhook_secret:
        raise BadSettings(
            "GAMEKEEPER_WEBHOOK_SECRET is not set; alerts to GAMEKEEPER_WEBHOOKS must be signed (whsec_…)"
        )
    secret, private = settings.webhook_secret, settings.webhook_private
    return tuple(Webhook(name, url, secret, private) for name, url in settings.webhooks)


def gateway() -> None:
    """Serve the Keras models of a folder, enforce decisions, log every prediction. Needs no database."""
    settings = common.settings()
    if settings.models is None:
        raise BadSettings("GAMEKEEPER_MODELS is not set; set it to a folder of .keras files")
    from detector.topics import Topics  # noqa: PLC0415
    from gateway import app as process  # noqa: PLC0415
    from gateway.settings import GatewaySettings  # noqa: PLC0415

    process.run(
        GatewaySettings(
            models=settings.models,
            bootstrap=settings.need_kafka(),
            topics=Topics(settings.topic_prefix),
            name=settings.gateway_name,
            host=settings.host,
            port=settings.gateway_port,
            push_token=settings.push_token or None,
            mark_share=_mark_share(settings),
            watermark_secret=settings.watermark_secret.encode(),
            fail_open=settings.gateway_fail_open,
        )
    )


def _mark_share(settings: Settings) -> float:
    if settings.mark_share and not settings.watermark_secret:
        raise BadSettings("GAMEKEEPER_WATERMARK_SECRET is not set; it chooses what GAMEKEEPER_MARK_SHARE marks")
    return settings.mark_share


def api() -> None:
    """Serve health and metrics for people and their tools."""
    settings = common.settings()
    database = settings.need_database()
    from consumers import api as process  # noqa: PLC0415

    process.run(
        process.ApiSettings(database=database, schema=settings.schema, host=settings.host, port=settings.api_port)
    )
