"""Inline checks in the api: the gateway's guard, asked by other people's proxies. The rooms meet only here."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from gamekeeper import brokers
from gamekeeper.commands import common
from gamekeeper.settings import BadSettings, Settings

if TYPE_CHECKING:
    from gateway.inline.door import Beside
    from gateway.settings import GatewaySettings


def door(settings: Settings) -> Callable[[Any], Any]:
    """Return what puts the door in front of the api. Raises BadSettings, BadPolicy, BadIssuer, BadStore."""
    from gateway import inline  # noqa: PLC0415
    from gateway.guard import guarding  # noqa: PLC0415

    guard = guarding(_guarded(settings), lambda _path: None)
    checks = inline.Checks(guard, inline.Names(settings.authz_client_header, settings.authz_tenant_header))
    return partial(inline.within, checks=checks, beside=_beside(settings))


def _beside(settings: Settings) -> "Beside":
    if settings.authz_grpc_port is None:
        return nullcontext
    try:
        from gateway.inline.envoy import answering  # noqa: PLC0415
    except ImportError as error:
        raise BadSettings(
            f"GAMEKEEPER_AUTHZ_GRPC_PORT needs {error.name}: pip install 'gamekeeper[envoy]', or leave it empty"
        ) from error
    return partial(answering, host=settings.host, port=settings.authz_grpc_port)


def _guarded(settings: Settings) -> "GatewaySettings":
    from detector.topics import Topics  # noqa: PLC0415
    from gateway.settings import GatewaySettings  # noqa: PLC0415

    return GatewaySettings(
        bootstrap=settings.need_kafka(),
        security=brokers.security(settings),
        topics=Topics(settings.topic_prefix),
        name=f"{settings.gateway_name}-authz",
        fail_open=settings.gateway_fail_open,
        policy=common.gateway_policy(settings),
        secret=settings.gateway_secret.encode(),
        limits_store=settings.limits_store or None,
        limits_open=settings.limits_open,
        key_pepper=settings.key_pepper.encode(),
    )
