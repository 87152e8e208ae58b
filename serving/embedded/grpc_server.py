"""The gRPC port: gRPC's own core does the talking, and a call is answered in the thread that learns of it.

grpcio's server hands each request from the thread that learns of it to another, which waits until the first has
received the message; that takes several times as long as a small model does. Below it is the same library without
these threads, which is what this module builds on: `grpc._cython.cygrpc`, not public but unchanged for years.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grpc._cython import cygrpc

from model_config.errors import ServeError
from serving.embedded import grpc_calls, health, refusals
from serving.embedded.completions import Completions
from serving.embedded.refusals import Refusal
from serving.embedded.services import Method

_OPTIONS: Mapping[str, Any] = {
    # without this a second server on the same port would silently share it
    "grpc.so_reuseport": 0,
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
}
_WHY = {
    False: "the port is in use, or the address is not this machine's; stop that server, or choose another with --port",
    True: "its folder must exist and be yours to write to; choose another with --grpc_socket_path",
}
# threads beyond the limit, so that somebody is there to refuse what exceeds it
_SPARE_THREADS = 4
# calls that gRPC may tell of before it is asked for more
_AHEAD = 16
# for what was cancelled to end
_CANCELLED_S = 1.0
_POLL_S = 0.01
_UNKNOWN = Refusal(refusals.UNIMPLEMENTED, "")


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


class Server:
    """Ports that are open until ``stop``."""

    def __init__(self, services: Mapping[str, Mapping[str, Method]], ports: Ports) -> None:
        """Open the ports and answer; ServeError when one is taken."""
        self._methods = _by_path({**services, health.SERVICE: health.CHECK} if ports.health else services)
        self._watched = _by_path({health.SERVICE: health.WATCH} if ports.health else {})
        self._limit = threading.Semaphore(ports.threads)
        self._calls: set[grpc_calls.Call] = set()
        self._ended = threading.Event()
        self._events = Completions(ports.threads + _SPARE_THREADS)
        self._server = cygrpc.Server(tuple({**_OPTIONS, **dict(ports.options)}.items()), False)
        self._server.register_completion_queue(self._events.queue)
        for address in ports.addresses:
            _listen(self._server, address, ports.credentials)
        self._server.start()
        for _ in range(_AHEAD):
            self._await_call()
        self._events.start()

    def stop(self, grace_s: float) -> bool:
        """Take no more calls, and return when those in flight have ended; after so many seconds cancel them.

        Whether everything had ended when it returned: what computes cannot be interrupted.
        """
        self._server.shutdown(self._events.queue, lambda _: self._ended.set())
        for each in list(self._calls):
            each.hurry()
        if not self._is_idle_within(grace_s):
            self._server.cancel_all_calls()
        idle = self._is_idle_within(_CANCELLED_S)
        if idle:  # as gRPC ends the whole process when a call wants anything of it after this
            self._server.destroy()
            self._events.end(_CANCELLED_S)
        return idle

    def _is_idle_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not (idle := self._ended.is_set() and not self._calls) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return idle

    def _await_call(self) -> None:
        self._server.request_call(self._events.queue, self._events.queue, self._begin)

    def _begin(self, event: Any) -> None:
        if not event.success:  # the server stops
            return
        self._await_call()
        path = event.call_details.method
        if path in self._methods:
            grpc_calls.Answering(event, self._methods[path], self._calls, self._limit).begin()
        elif path in self._watched:
            grpc_calls.Watching(event, self._watched[path], self._calls).begin()
        else:  # without a word, as the stock server does
            grpc_calls.Call(event, self._calls).refuse(_UNKNOWN)


def socket_address(path: Path) -> str:
    """A Unix socket as gRPC names it; ServeError where none can be made."""
    address = f"unix:{path.absolute()}"
    if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        raise ServeError(f"cannot listen on {address}: {_WHY[True]}")
    return address


def _by_path(services: Mapping[str, Mapping[str, Method]]) -> Mapping[bytes, Method]:
    return {
        f"/{name}/{each}".encode(): method for name, methods in services.items() for each, method in methods.items()
    }


def _listen(server: Any, address: str, credentials: Any) -> None:
    is_socket = address.startswith("unix:")
    secret = () if credentials is None or is_socket else (credentials._credentials,)
    if not server.add_http2_port(address.encode(), *secret):
        raise ServeError(f"cannot listen on {address}: {_WHY[is_socket]}")
