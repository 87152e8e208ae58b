"""What every kind of client has: a connection, opened when it is first used, and the questions one can ask."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, ClassVar, Final

import grpc

from clients.calls import Call
from clients.connection import Connection
from clients.operations import Operations

DEFAULT_TIMEOUT_S: Final = 60.0
_SERVICE: Final = "/tensorflow.serving."


class Connected:
    """The state of a client, however it waits for its answers."""

    # what makes channels: grpc, or grpc.aio
    _makers: ClassVar[Any] = grpc

    def __init__(
        self, server: str | Connection, timeout_s: float = DEFAULT_TIMEOUT_S, *, repository: Path | None = None
    ) -> None:
        """Connect when the first question is asked.

        Args:
            server: ``HOST:PORT``, or a Connection that says more.
            timeout_s: seconds each question may take where it does not say itself.
            repository: the folder of base paths, where it can be seen from here: batches are then held
                against the sizes that the versions' manifests declare.
        """
        self.connection = server if isinstance(server, Connection) else Connection(server)
        self.timeout_s = timeout_s
        self.operations = Operations(self.server, timeout_s, repository)
        self._methods: dict[str, Any] = {}
        self._opening, self._opened = threading.Lock(), None

    @property
    def server(self) -> str:
        """Where the server is, or the servers are."""
        return self.connection.server

    @property
    def _channel(self) -> Any:
        with self._opening:  # many threads may be the first
            if self._opened is None:
                self._opened = self.connection.channel(self._makers)
        return self._opened

    def _start(self, call: Call) -> Any:
        """Send a call; what comes back is gRPC's, to be waited for in its way."""
        return self._method(call.method)(call.content, timeout=call.timeout_s)

    def _method(self, name: str) -> Any:
        if name not in self._methods:
            self._methods[name] = self._channel.unary_unary(_SERVICE + name)
        return self._methods[name]
