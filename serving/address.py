"""Ports of this machine."""

from __future__ import annotations

import errno
import socket

from model_config.errors import ServeError

LOCAL = "127.0.0.1"
EVERYWHERE = "0.0.0.0"


def require_free(port: int, host: str = LOCAL, option: str = "--port") -> None:
    """Refuse a port that something listens on already; ServeError says which option chooses another."""
    with socket.socket() as probe:
        # as servers do: a port whose last connections are only fading out is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise ServeError(f"port {port} is reserved for root; choose one from 1024 with {option}") from error
        except socket.gaierror as error:
            raise ServeError(f"{host} is no address; name one of this machine with --host") from error
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise ServeError(f"{host} is no address of this machine; name one that is with --host") from error
            raise ServeError(
                f"port {port} is in use; stop that server (make stop), or choose another port with {option}"
            ) from error


def is_free(port: int, host: str = LOCAL) -> bool:
    """Whether nothing listens on a port."""
    try:
        require_free(port, host)
    except ServeError:
        return False
    return True


def is_local(host: str) -> bool:
    """Whether only this machine reaches an address."""
    return host == "localhost" or host == "::1" or host.startswith("127.")


def to_ask(host: str, port: int) -> str:
    """HOST:PORT for a client on this machine, of a server that listens on ``host``."""
    return f"{LOCAL if host == EVERYWHERE else host}:{port}"


def free_port() -> int:
    """A port nothing listens on."""
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return int(probe.getsockname()[1])


def free_ports(number: int = 2) -> int:
    """The first of some ports in a row that nothing listens on: gRPC's, REST's, and so on for more servers."""
    while True:
        first = free_port()
        try:
            for port in range(first, first + number):
                require_free(port)
        except (ServeError, OverflowError):
            continue
        return first
