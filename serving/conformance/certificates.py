"""A throw-away certificate authority with a server's and a client's certificate, made by openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import grpc

from model_config.errors import ServeError

_KEY = ("-newkey", "rsa:2048", "-nodes", "-days", "2")


def make(folder: Path) -> None:
    """Write keys and certificates, and the stock server's ssl.config that wants clients to have one."""
    if shutil.which("openssl") is None:
        raise ServeError("the cases for TLS make certificates with openssl; install it")
    _openssl(folder, "req", "-x509", *_KEY, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=conformance")
    for name, subject in (("server", "/CN=localhost"), ("client", "/CN=client")):
        _openssl(folder, "req", *_KEY[:3], "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        (folder / f"{name}.ext").write_text("subjectAltName = DNS:localhost, IP:127.0.0.1\n")
        sign = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext")
        _openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", *sign)
    texts = {"server_key": "server.key", "server_cert": "server.crt", "custom_ca": "ca.crt"}
    lines = [f"{field}: {_quoted((folder / file).read_text())}" for field, file in texts.items()]
    (folder / "ssl.config").write_text("\n".join([*lines, "client_verify: true", ""]))


def credentials(folder: Path, *, with_client: bool) -> grpc.ChannelCredentials:
    """What a client knows: the authority, and its own certificate if it has one."""
    key, chain = (_bytes(folder, "client.key"), _bytes(folder, "client.crt")) if with_client else (None, None)
    return grpc.ssl_channel_credentials(_bytes(folder, "ca.crt"), key, chain)


def _bytes(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=True)


def _quoted(text: str) -> str:
    return '"' + text.replace("\n", "\\n") + '"'
