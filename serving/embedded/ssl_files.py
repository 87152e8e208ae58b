"""TLS from the stock server's ssl_config_file."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import Any

import grpc

from model_config.server_messages_pb2 import SSLConfig
from serving.embedded import files, refusals


def credentials(path: Path) -> Any:
    """gRPC's server credentials; Refusal says what is wrong with the file, the key or a certificate."""
    config = files.read(path, SSLConfig())
    _require_usable(config, path)
    chain = [(config.server_key.encode(), config.server_cert.encode())]
    authority = config.custom_ca.encode() or None
    return grpc.ssl_server_credentials(chain, authority, require_client_auth=config.client_verify)


def _require_usable(config: SSLConfig, path: Path) -> None:
    """Let Python's own TLS read everything first: gRPC would only log what is wrong, and refuse every client."""
    for name in ("server_key", "server_cert"):
        if not getattr(config, name):
            raise refusals.invalid(f"{path} has no {name}", f'put the PEM text itself there: {name}: "-----BEGIN ..."')
    if config.client_verify and not config.custom_ca:
        raise refusals.invalid(f"{path} has client_verify but no custom_ca", "add the CA that signed the clients'")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as pair:
        pair.write(f"{config.server_key}\n{config.server_cert}\n")
        pair.flush()
        try:
            context.load_cert_chain(pair.name)
            if config.custom_ca:
                context.load_verify_locations(cadata=config.custom_ca)
        except (ssl.SSLError, ValueError) as error:
            raise refusals.invalid(
                f"{path} holds a key or certificate that cannot be used: {error}",
                "server_key and server_cert must be PEM and belong together, custom_ca must be PEM",
            ) from error
