"""Ports of this machine."""

from __future__ import annotations

import socket

from model_config.errors import ServeError

LOCAL = "127.0.0.1"


def require_free(port: int) -> None:
    """Refuse a port that something listens on already; ServeError says what to do."""
    with socket.socket() as probe:
        # as servers do: a port whose last connections are only fading out is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCAL, port))
        except PermissionError as error:
            raise ServeError(f"port {port} is reserved for root; choose one from 1024 with --port") from error
        except OSError as error:
            raise ServeError(
                f"port {port} is in use; stop that server (make stop), or choose another port with --port"
            ) from error


def free_port() -> int:
    """A port nothing listens on."""
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return int(probe.getsockname()[1])
