"""The long-running processes. SIGTERM: finish the batch, leave the group, exit 0."""

from pathlib import Path
from typing import Annotated

import typer

from gamekeeper import brokers, endpoints, inline
from gamekeeper.commands import common
from gamekeeper.settings import BadSettings

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
    from detector.topics import Topics  # noqa: PLC0415

    process.run(
        process.DetectSettings(
            kafka=brokers.kafka(settings),
            database=settings.need_database(),
            schema=settings.schema,
            group=settings.group,
            member=settings.member or None,
            session_seconds=settings.session_seconds,
            topic=Topics(settings.topic_prefix).predictions,
            policy=policy,
            channels=common.channels(settings),
            metrics_port=settings.metrics_port,
            metrics_host=settings.host,
            checkpoint_seconds=settings.checkpoint_seconds,
            checkpoint_queries=settings.checkpoint_queries,
            clients_max=settings.clients_max,
            learn_seconds=settings.learn_seconds,
            marks_key=settings.marks_key,
        )
    )


def deliver() -> None:
    """Send decisions to the gateways and alerts to people; expire decisions by the clock."""
    settings = common.settings()
    from consumers import deliver as process  # noqa: PLC0415
    from detector.topics import Topics  # noqa: PLC0415

    process.run(
        process.DeliverSettings(
            kafka=brokers.kafka(settings),
            database=settings.need_database(),
            schema=settings.schema,
            topics=Topics(settings.topic_prefix),
            endpoints=endpoints.every(settings),
            channels=common.channels(settings),
            metrics_port=settings.metrics_port,
            metrics_host=settings.host,
        )
    )


def gateway(
    model: Annotated[
        Path | None, typer.Option(exists=True, help="What is served: NAME.keras, or a folder of them.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file of API keys, instead of the topic.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Instead of GAMEKEEPER_GATEWAY_PORT.")] = None,
) -> None:
    """Serve Keras models, enforce decisions, log every prediction; needs no database. With --keys not even Kafka."""
    settings = common.settings()
    models = model or settings.models
    if models is None:
        raise BadSettings("no model to serve: name one with --model, or set GAMEKEEPER_MODELS to a folder of them")
    from detector.topics import Topics  # noqa: PLC0415
    from gateway import app as process  # noqa: PLC0415
    from gateway.settings import GatewaySettings  # noqa: PLC0415

    process.run(
        GatewaySettings(
            models=models,
            reload_seconds=settings.reload_seconds,
            tls_cert=settings.tls_cert,
            tls_key=settings.tls_key,
            bootstrap=(settings.kafka_bootstrap_servers or None) if keys else settings.need_kafka(),
            security=brokers.security(settings),
            keys_file=keys,
            topics=Topics(settings.topic_prefix),
            name=settings.gateway_name,
            host=settings.host,
            port=settings.gateway_port if port is None else port,
            push_token=settings.push_token or None,
            fail_open=settings.gateway_fail_open,
            age_header=settings.gateway_age_header,
            policy=common.gateway_policy(settings),
            secret=settings.gateway_secret.encode(),
            limits_store=settings.limits_store or None,
            limits_open=settings.limits_open,
            key_pepper=settings.key_pepper.encode(),
        )
    )


def api() -> None:
    """Serve decisions to bouncers, everything to people and their tools, and inline checks to proxies."""
    settings = common.settings()
    database = settings.need_database()
    from consumers import api as process  # noqa: PLC0415

    served = process.ApiSettings(
        database=database,
        schema=settings.schema,
        host=settings.host,
        port=settings.api_port,
        link_secret=settings.link_secret,
        console=settings.console,
        key_pepper=settings.key_pepper.encode(),
        channels=common.channels(settings),
    )
    if settings.authz:
        process.run(served, inline.door(settings))
    else:
        process.run(served)
