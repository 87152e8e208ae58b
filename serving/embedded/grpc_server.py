"""The gRPC port: bytes in, bytes out, refusals as the stock server words them."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from model_config.errors import ServeError
from serving.embedded import refusals
from serving.embedded.services import Method

_OPTIONS = (
    # without this a second server on the same port would silently share it
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)
_WHY = {
    False: "the port is in use, or the address is not this machine's; stop that server, or choose another with --port",
    True: "its folder must exist and be yours to write to; choose another with --grpc_socket_path",
}
# threads beyond the limit, so that somebody is there to refuse what exceeds it
_SPARE_THREADS = 4


@dataclass(frozen=True)
class Ports:
    """Where the server listens.

    Attributes:
        addresses: HOST:PORT, or ``unix:PATH``.
        credentials: None for connections in the clear.
        threads: calls that are answered at a time; more are refused.
        options: gRPC's channel arguments.
    """

    addresses: Sequence[str]
    credentials: Any
    threads: int
    health: bool
    options: Sequence[tuple[str, Any]] = ()


def start(services: Mapping[str, Mapping[str, Method]], ports: Ports) -> grpc.Server:
    """Open the ports and answer; ServeError when one is taken."""
    pool = ThreadPoolExecutor(ports.threads + _SPARE_THREADS, thread_name_prefix="call")
    server = grpc.server(pool, options=(*_OPTIONS, *ports.options))
    limit = threading.Semaphore(ports.threads)
    for name, methods in services.items():
        handlers = {each: grpc.unary_unary_rpc_method_handler(_Answer(methods[each], limit)) for each in methods}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
    if ports.health:
        _add_health(server)
    server.add_generic_rpc_handlers((_Unknown(),))
    for address in ports.addresses:
        _listen(server, address, ports.credentials)
    server.start()
    return server


def socket_address(path: Path) -> str:
    """A Unix socket as gRPC names it; ServeError where none can be made."""
    address = f"unix:{path.absolute()}"
    if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        raise ServeError(f"cannot listen on {address}: {_WHY[True]}")
    return address


def _listen(server: grpc.Server, address: str, credentials: Any) -> None:
    try:
        if credentials is None or address.startswith("unix:"):
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise ServeError(f"cannot listen on {address}: {_WHY[address.startswith('unix:')]}") from error


def _add_health(server: grpc.Server) -> None:
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)


class _Answer:
    """One method, as gRPC calls it."""

    def __init__(self, method: Method, limit: threading.Semaphore) -> None:
        self._method = method
        self._limit = limit

    def __call__(self, raw: bytes, context: grpc.ServicerContext) -> bytes:
        if not self._limit.acquire(blocking=False):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
        try:
            return self._method(raw, context.time_remaining())
        except (refusals.Refusal, tf.errors.OpError) as error:
            refusal = refusals.of(error)
        except DecodeError:
            refusal = refusals.Refusal(refusals.INTERNAL, "")
        finally:
            self._limit.release()
        context.abort(refusal.code, refusal.text)
        raise AssertionError("abort raises")


class _Unknown(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Every other method, refused without a word as the stock server does."""

    def service(self, handler_call_details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda _, context: context.abort(grpc.StatusCode.UNIMPLEMENTED, ""))
