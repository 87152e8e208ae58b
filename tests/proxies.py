"""What may lie between a client and a server: proxies that pass connections on in some way."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator


class Proxy(socketserver.ThreadingTCPServer):
    """Listens on a port of its own.

    Attributes:
        sent: bytes that came from clients, piece by piece.
    """

    daemon_threads = True

    def __init__(self, handler: type[Counting], server: str) -> None:
        super().__init__(("localhost", 0), handler)
        self.target = ("localhost", int(server.rpartition(":")[2]))
        self.sent: list[int] = []

    @property
    def address(self) -> str:
        return f"localhost:{self.server_address[1]}"


class Counting(socketserver.BaseRequestHandler):
    """Passes a connection on and counts what the client sends."""

    server: Proxy

    def handle(self) -> None:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(self.server.target) as onward:
            threading.Thread(target=self.pass_on, args=(onward, self.request, []), daemon=True).start()
            self.pass_on(self.request, onward, self.server.sent)

    def pass_on(self, source: socket.socket, target: socket.socket, sizes: list[int]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(2**16):
                sizes.append(len(data))
                self.send(target, data)

    def send(self, target: socket.socket, data: bytes) -> None:
        target.sendall(data)


class Forgetting(Counting):
    """Loses a connection that was idle for a while, as firewalls do: what comes then leads nowhere, unanswered."""

    IDLE_S = 1.5

    def setup(self) -> None:
        self._last = time.monotonic()

    def send(self, target: socket.socket, data: bytes) -> None:
        now = time.monotonic()
        if now - self._last < self.IDLE_S:
            self._last = now
            super().send(target, data)


@contextlib.contextmanager
def opened(handler: type[Counting], server: str) -> Iterator[Proxy]:
    """A proxy to a server's address while it lasts."""
    with Proxy(handler, server) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield proxy
        proxy.shutdown()
