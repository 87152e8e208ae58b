"""Options with which every command of the client reaches its server."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from model_config import options

_pem = click.Path(path_type=Path)
_ABOUT_THE_CONNECTION = (
    options.server,
    click.option("--tls", is_flag=True, help="Speak TLS; so do the four that follow."),
    click.option("--ca", type=_pem, help="PEM file of the CA that signed the server's certificate."),
    click.option("--cert", type=_pem, help="PEM file of your own certificate, where the server wants one."),
    click.option("--key", type=_pem, help="PEM file of its key."),
    click.option("--tls-name", default="", help="The name in the server's certificate, where it is not the address."),
    click.option(
        "--compression", type=click.Choice(("none", "deflate", "gzip")), default="none", help="Of what is sent."
    ),
)


def connection(command: Callable[..., None]) -> Callable[..., None]:
    """--server, --tls and their like, given to the command as one ``connection``."""

    @functools.wraps(command)
    def connected(
        server: str,
        tls: bool,
        ca: Path | None,
        cert: Path | None,
        key: Path | None,
        tls_name: str,
        compression: str,
        **others: Any,
    ) -> None:
        from clients.connection import Connection, Tls

        secure = Tls(ca, cert, key, tls_name) if tls or ca or cert or key or tls_name else None
        command(connection=Connection(server, secure, compression), **others)

    for option in reversed(_ABOUT_THE_CONNECTION):
        connected = option(connected)
    return connected
