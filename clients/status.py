"""What a server serves, as a person or a program reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from clients.checking import described
from clients.client import Client
from clients.connection import Connection
from model_config.console import print_table
from model_config.signatures import Tensor

_AVAILABLE = "AVAILABLE"


def look(server: str | Connection, model: str, signatures: bool = False) -> dict[str, Any]:
    """The state of every version of a model; with ``signatures`` also what the available ones take and give."""
    with Client(server, timeout_s=10) as client:
        versions = [asdict(state) for state in client.status(model)]
        for version in versions:
            if signatures and version["state"] == _AVAILABLE:
                found = client.metadata(model, version["version"]).signatures
                version["signatures"] = {name: asdict(signature) for name, signature in found.items()}
    return {"server": client.server, "model": model, "versions": versions}


def show(found: dict[str, Any]) -> None:
    """The same as tables."""
    rows = [(str(each["version"]), each["state"], each["error"]) for each in found["versions"]]
    print_table(f"{found['model']} on {found['server']}", ("version", "state", "error"), rows, left=3)
    for version in found["versions"]:
        if "signatures" in version:
            title = f"{found['model']} {version['version']}"
            print_table(title, ("signature", "side", "name", "tensor"), _ends(version["signatures"]), left=4)


def _ends(signatures: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for name, signature in signatures.items():
        for side in ("inputs", "outputs"):
            for end, tensor in signature[side].items():
                yield name, side[:-1], end, described(Tensor(**tensor))
