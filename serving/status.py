"""How a server is doing, as a person or a program reads it; all of it from the server itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clients.client import Client, VersionState
from model_config import base_path, server_config
from model_config.console import print_table
from model_config.errors import ServeError
from serving import metrics, notes
from serving.backends import BACKENDS
from serving.ready import Target

_STATUS_S = 10.0


@dataclass(frozen=True)
class Version:
    """One version on the server, with the labels that lead to it."""

    version: int
    state: str
    error: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """One model on the server.

    Attributes:
        answers: the version that answers who names none; None when none does.
        requests, errors: since the server started; None where it does not count.
    """

    name: str
    versions: tuple[Version, ...]
    answers: int | None
    requests: int | None
    errors: int | None


@dataclass(frozen=True)
class Status:
    """One server.

    Attributes:
        backend: empty for a server that was not started here.
        memory_bytes: what its processes hold; None where they are not ours to look at.
        remark: why something is missing.
    """

    server: str
    backend: str
    memory_bytes: int | None
    models: tuple[Model, ...]
    remark: str = ""

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


def look(target: Target, running: notes.Running | None, model: str | None, rest_port: int | None) -> Status:
    """Ask a server how it is doing.

    Args:
        running: our note of it, where it was started here.
        model: only this one; all that are known of when None.
        rest_port: the gRPC port + 1 where nothing else is known.

    Raises:
        ServeError: it is no HOST:PORT, or no model is known of, so there is nothing to ask about.
        ClientError: it does not answer, or does not know the model.
    """
    host, _, port = target.server.rpartition(":")
    if not host or not port.isdigit():
        raise ServeError(f"a server is HOST:PORT, such as 127.0.0.1:8500, not {target.server!r}")
    counted, remark = _counted(host, rest_port or (running.rest_port if running else int(port) + 1))
    names = [model] if model else _names(target.repository, running, counted)
    with target.client(_STATUS_S) as client:
        models = tuple(_model(client, name, target.repository, counted) for name in names)
    memory = BACKENDS[running.backend].memory_bytes(running.pid, running.port) if running else None
    return Status(target.server, running.backend if running else "", memory, models, remark)


def _counted(host: str, rest_port: int) -> tuple[Mapping[str, metrics.Counts] | None, str]:
    try:
        return metrics.fetch(host, rest_port), ""
    except ServeError as error:
        return None, str(error)


def _names(
    repository: Path, running: notes.Running | None, counted: Mapping[str, metrics.Counts] | None
) -> Iterable[str]:
    if running:
        return running.models
    chosen = [served.name for served in server_config.read(repository / server_config.FILE)]
    names = list(dict.fromkeys([*(counted or {}), *chosen]))
    if not names:
        raise ServeError("name the model to ask about with --model; a server does not tell which it has")
    return names


def _model(client: Client, name: str, repository: Path, counted: Mapping[str, metrics.Counts] | None) -> Model:
    states = client.status(name)
    labels = {label: client.version_of(name, label) for label in _likely_labels(states, repository, name)}
    versions = tuple(_version(state, labels) for state in reversed(states))
    counts = counted.get(name, metrics.Counts()) if counted is not None else None
    return Model(
        name,
        versions,
        client.version_of(name),
        counts.requests if counts else None,
        counts.errors if counts else None,
    )


def _likely_labels(states: Iterable[VersionState], repository: Path, name: str) -> list[str]:
    """A server does not tell its labels, so it is asked for those that it was probably given."""
    served = [each for each in server_config.read(repository / server_config.FILE) if each.name == name]
    given = [label for each in served for label in each.labels]
    usual = server_config.usual_labels(list(base_path.scan(repository, name).values()))
    return list(dict.fromkeys([server_config.STABLE, *given, *usual, *(str(state.version) for state in states)]))


def _version(state: VersionState, labels: Mapping[str, int | None]) -> Version:
    mine = tuple(label for label, number in labels.items() if number == state.version)
    return Version(state.version, state.state, state.error, mine)


def show(status: Status) -> None:
    """The same for people."""
    memory = f", {status.memory_bytes / 2**20:.0f} MiB" if status.memory_bytes else ""
    print_table(
        f"{status.server}{f' ({status.backend}{memory})' if status.backend else ''}",
        ("model", "version", "state", "labels", "load error", "requests", "errors"),
        [row for model in status.models for row in _rows(model)],
        left=5,
    )


def _rows(model: Model) -> list[tuple[str, ...]]:
    """One row a version; what is counted of the whole model stands in the first."""
    counted = ["-" if each is None else str(each) for each in (model.requests, model.errors)]
    return [
        (
            "" if place else model.name,
            str(each.version),
            each.state,
            ", ".join(each.labels),
            each.error,
            *(("", "") if place else counted),
        )
        for place, each in enumerate(model.versions)
    ]
