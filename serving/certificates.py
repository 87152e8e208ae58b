"""A throw-away CA with certificates for a server and a client, to try TLS with; not for anything that matters."""

from __future__ import annotations

import socket
from pathlib import Path

from model_config import files
from model_config.bundle import Certificates
from model_config.errors import ServeError

FOLDER = Path("certs")
CA, CERT, KEY = "ca.pem", "server.pem", "server.key"
CLIENT_CERT, CLIENT_KEY = "client.pem", "client.key"

_NAMES = ("localhost", "127.0.0.1", "::1")


def make(folder: Path, hosts: tuple[str, ...], replace: bool) -> list[Path]:
    """Write the five PEM files; the CA's own key is written nowhere, so nobody can have it sign more.

    Args:
        hosts: names and addresses of the server beside this machine's own.
        replace: make new ones over those that are there, which running servers and their clients still use.

    Raises:
        ServeError: there are certificates already, or the library that makes them is missing.
    """
    if (folder / CA).exists() and not replace:
        raise ServeError(
            f"{folder} holds certificates already; use them, name another folder, or make new ones with --replace"
        )
    try:
        import trustme
    except ImportError as error:
        raise ServeError(
            "making certificates needs the package trustme; install it with: pip install trustme"
        ) from error
    authority = trustme.CA(organization_name="tf-serving-suite", organization_unit_name="throw-away")
    server = authority.issue_cert(*dict.fromkeys((*_NAMES, socket.gethostname(), *hosts)))
    client = authority.issue_cert("client.invalid", common_name="client")
    pems = {
        CA: authority.cert_pem,
        CERT: server.cert_chain_pems[0],
        CLIENT_CERT: client.cert_chain_pems[0],
        KEY: server.private_key_pem,
        CLIENT_KEY: client.private_key_pem,
    }
    files.replace(folder, {name: pem.bytes() for name, pem in pems.items()}, private=(KEY, CLIENT_KEY))
    return [folder / name for name in pems]


def of_server(folder: Path, mutual: bool) -> Certificates:
    """The files in such a folder for a server; with ``mutual`` only the CA's clients are let in."""
    return Certificates(folder / KEY, folder / CERT, folder / CA, mutual)
