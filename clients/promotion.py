"""Move the label ``stable`` on a running server to the version that won, and change nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clients.client import Client
from model_config import places, server_config
from model_config.errors import ServeError
from model_config.server_config import STABLE, Served


def promote(client: Client, repository: Path, model: str, version: int) -> str:
    """Make ``stable`` answer by this version; gives the sentence that says so.

    A server is always told the whole list of models, so the config that it runs by has to be known here: of a server
    that was started from this folder, or else in the repository.

    Raises:
        ServeError: it is not known, or is not what the server serves.
    """
    server = client.connection.server
    config = _config(server, repository)
    models = server_config.read(config)
    found = next((each for each in models if each.name == model), None)
    if found is None or not _is_served(client, found, version):
        raise ServeError(
            f"{STABLE} was not moved: {config} is not what {server} serves of {model}; move it with: "
            f"python -m serving swap --server {server} --model {model} --version {version} --label {STABLE}={version}"
        )
    if client.version_of(model, STABLE) == version:
        return f"{STABLE} is version {version} of {model} on {server} already"
    return _moved(client, models, found, version, config)


def _config(server: str, repository: Path) -> Path:
    """Of a server of ours, or else what ``python -m model_config use`` has written."""
    port = server.rpartition(":")[2]
    ours = places.bundle_folder(int(port)) / server_config.FILE if port.isdigit() else None
    return ours if ours and ours.is_file() else repository / server_config.FILE


def _is_served(client: Client, wanted: Served, version: int) -> bool:
    """Whether the config is the one that the server runs by, as far as its versions tell."""
    there = {state.version for state in client.status(wanted.name) if state.state == "AVAILABLE"}
    return there == set(wanted.versions) and version in there


def _moved(client: Client, models: Sequence[Served], found: Served, version: int, config: Path) -> str:
    server = client.connection.server
    changed = replace(found, labels={**found.labels, STABLE: version})
    new = [changed if each is found else each for each in models]
    client.reload(server_config.message(new))
    answered = client.version_of(found.name, STABLE)
    if answered != version:
        raise ServeError(
            f"{server} took the config, but {STABLE} answers by version {answered} of {found.name}; "
            "see what it serves with: python -m serving status"
        )
    server_config.write(new, config.parent)
    return f"{STABLE} is now version {version} of {found.name} on {server}"
