"""What a server serves, as a person or a program reads it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from clients.client import Client
from model_config.console import print_table


def look(server: str, model: str) -> dict[str, Any]:
    """The state of every version of a model."""
    with Client(server, timeout_s=10) as client:
        return {"server": server, "model": model, "versions": [asdict(state) for state in client.status(model)]}


def show(found: dict[str, Any]) -> None:
    """The same as a table."""
    rows = [(str(each["version"]), each["state"], each["error"]) for each in found["versions"]]
    print_table(f"{found['model']} on {found['server']}", ("version", "state", "error"), rows, left=3)
