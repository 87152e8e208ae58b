"""Ports of this machine."""

from __future__ import annotations

import errno
import itertools
import os
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
    """A port nothing listens on, from a place among them that is this process' own.

    One that the system chose could be anyone's before a server listens on it: it hands the same ones to every
    connection that goes out, and to whoever else asks. These are below all of those, and one after the other.
    """
    return next(port for port in (_OURS[turn % len(_OURS)] for turn in _turns) if is_free(port))


_OURS = range(20000, 32768)  # Linux hands out 32768 and up, others 49152 and up
_turns = itertools.count(os.getpid() * 509)  # processes that start one after the other stand this far apart


def free_ports(number: int = 2) -> int:
    """The first of some ports in a row that nothing listens on: gRPC's, REST's, and so on for more servers."""
    row = [free_port()]
    while len(row) < number:
        port = free_port()
        row = [*row, port] if port == row[-1] + 1 else [port]
    return row[0]
