"""Checks for Envoy over gRPC: envoy.service.auth.v3.Authorization. Needs the extra `envoy` (grpcio, xds-protos)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import grpc
from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse
from envoy.service.auth.v3.external_auth_pb2_grpc import AuthorizationServicer, add_AuthorizationServicer_to_server
from envoy.type.v3.http_status_pb2 import HttpStatus
from google.rpc.status_pb2 import Status

from gateway.access.address import client_ip
from gateway.faults import Fault
from gateway.inline.checks import Checks, Question

GRACE_SECONDS = 1.0  # for checks under way when we end
SET = HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD  # a client's own header of that name is gone


class _Authorization(AuthorizationServicer):  # type: ignore[misc]  # it ships no types
    def __init__(self, checks: Checks) -> None:
        self._checks = checks

    async def Check(self, request: CheckRequest, context: Any) -> CheckResponse:  # noqa: N802  # Envoy's name for it
        """Say whether a query may pass. While we do not know the call fails: then Envoy's own rule for that holds."""
        try:
            told = await self._checks.ask(_question(self._checks, request))
        except Fault as fault:
            if fault.status == HTTPStatus.SERVICE_UNAVAILABLE:
                await context.abort(grpc.StatusCode.UNAVAILABLE, fault.message)
            return _denied(fault)
        return CheckResponse(status=Status(code=0), ok_response=OkHttpResponse(headers=_headers(told)))


@asynccontextmanager
async def answering(checks: Checks, host: str, port: int) -> AsyncIterator[int]:
    """Answer on a port (0: a free one) as long as the context lasts; yield which. Raises RuntimeError: it is taken."""
    server = grpc.aio.server()
    add_AuthorizationServicer_to_server(_Authorization(checks), server)
    bound = server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(GRACE_SECONDS)


def _question(checks: Checks, request: CheckRequest) -> Question:
    http = request.attributes.request.http
    headers = [(name.encode(), value.encode()) for name, value in http.headers.items()]
    peer = request.attributes.source.address.socket_address.address or None
    return Question(headers, http.path, client_ip(peer, headers, checks.guard.policy.proxies))


def _denied(fault: Fault) -> CheckResponse:
    said = {"content-type": "application/json", **fault.headers}
    denied = DeniedHttpResponse(
        status=HttpStatus(code=fault.status), headers=_headers(said), body=fault.body().decode()
    )
    return CheckResponse(status=Status(code=grpc.StatusCode.PERMISSION_DENIED.value[0]), denied_response=denied)


def _headers(told: Mapping[str, str]) -> list[HeaderValueOption]:
    return [
        HeaderValueOption(header=HeaderValue(key=name.lower(), value=value), append_action=SET)
        for name, value in told.items()
    ]
