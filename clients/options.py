"""Options of a connection, for every command line that asks a server."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from model_config import options

_FILE = click.Path(path_type=Path)

_OPTIONS = (
    click.option("--tls", "secure", is_flag=True, help="Speak TLS, trusting what the system trusts unless --ca."),
    click.option("--ca", type=_FILE, help="PEM file of the CA that signed the server's certificate."),
    click.option("--cert", type=_FILE, help="PEM file of your own certificate, for a server that wants one."),
    click.option("--key", type=_FILE, help="PEM file of its key."),
)
_compression = click.option(
    "--compression",
    type=click.Choice(("none", "deflate", "gzip")),
    default="none",
    show_default=True,
    help="Of what is sent.",
)


def tls(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--tls --ca --cert --key`` as one argument ``tls``: a Tls, or None for plain text."""

    @wraps(command)
    def with_tls(*args: Any, secure: bool, ca: Path | None, cert: Path | None, key: Path | None, **rest: Any) -> Any:
        from clients.connection import Tls

        chosen = Tls(ca, cert, key) if secure or ca or cert or key else None
        return command(*args, tls=chosen, **rest)

    for option in reversed(_OPTIONS):
        with_tls = option(with_tls)
    return with_tls


def connection(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--server``, those of ``tls`` and ``--compression`` as one argument: a Connection."""

    @options.server
    @tls
    @_compression
    @wraps(command)
    def connected(*args: Any, server: str, tls: Any, compression: str, **rest: Any) -> Any:
        from clients.connection import Connection

        return command(*args, connection=Connection(server, tls, compression), **rest)

    return connected
