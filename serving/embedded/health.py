"""The health service of gRPC: a server that answers at all is healthy, as its ports open when its models are there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from grpc_health.v1 import health_pb2

from serving.embedded import refusals
from serving.embedded.services import Method, Timeout

SERVICE = "grpc.health.v1.Health"


def _check(raw: bytes, _: Timeout) -> bytes:
    if _is_unknown(raw):
        raise refusals.not_found("service name unknown")
    return _said(health_pb2.HealthCheckResponse.SERVING)


def _watch(raw: bytes, _: Timeout) -> bytes:
    known = health_pb2.HealthCheckResponse
    return _said(known.SERVICE_UNKNOWN if _is_unknown(raw) else known.SERVING)


def _is_unknown(raw: bytes) -> bool:
    """The health of the whole server is all there is."""
    return bool(health_pb2.HealthCheckRequest.FromString(raw).service)


def _said(status: Any) -> bytes:
    return bytes(health_pb2.HealthCheckResponse(status=status).SerializeToString())


CHECK: Mapping[str, Method] = MappingProxyType({"Check": _check})
WATCH: Mapping[str, Method] = MappingProxyType({"Watch": _watch})
