"""What we remember of a server that runs, so that it can be found, changed and stopped from elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from model_config import files, server_config
from model_config.errors import ServeError
from model_config.places import STATE_FOLDER, bundle_folder
from model_config.places import state_folder as folder
from serving import address

STOP_S = 15.0

_NOTE, _LOG = "server.json", "log"


@dataclass(frozen=True)
class Running:
    """A server that runs.

    Attributes:
        models: the versions it was told to serve, by the name clients use.
        repository: the folder with the base paths, here; ``seen_repository`` is where the server sees it.
        tls: the PEM files for a client by what they are (ca, cert, key); empty for plain text.
        clean_up: the command that removes what may outlive the process.
    """

    pid: int
    port: int
    rest_port: int
    host: str
    backend: str
    image: str
    models: Mapping[str, tuple[int, ...]]
    repository: str
    seen_repository: str
    clean_up: tuple[str, ...] = ()
    tls: Mapping[str, str] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """The models and their versions, in words."""
        return "; ".join(f"{name} {', '.join(map(str, versions))}" for name, versions in self.models.items())

    @property
    def names(self) -> str:
        """The models, in words."""
        return ", ".join(self.models)

    @property
    def server(self) -> str:
        """Where it answers, HOST:PORT."""
        return address.to_ask(self.host, self.port)

    @property
    def log(self) -> Path:
        """Where its words go."""
        return folder(self.port) / _LOG

    @property
    def bundle(self) -> Path:
        """Its config files."""
        return bundle_folder(self.port)

    @property
    def config(self) -> Path:
        """The model config that it serves now."""
        return self.bundle / server_config.FILE

    def serving(self, models: list[server_config.Served]) -> Running:
        """The same server after a change of what it serves."""
        return replace(self, models={each.name: each.versions for each in models})

    def to_json(self) -> dict[str, object]:
        """For machines: where it is and what it serves."""
        return {**asdict(self), "server": self.server, "log": str(self.log)}


def note(running: Running) -> None:
    """Remember a server that runs."""
    with noting(running):
        pass


def noting(running: Running) -> AbstractContextManager[None]:
    """The same at the end of the block, with room for it made sure of before; not at all if the block fails."""
    return files.replacing(folder(running.port), {_NOTE: json.dumps(asdict(running)).encode()})


def forget(port: int) -> None:
    """A server has ended; its log stays, its config files go, as they may hold a key."""
    (folder(port) / _NOTE).unlink(missing_ok=True)
    shutil.rmtree(bundle_folder(port), ignore_errors=True)


def noted(port: int) -> Running | None:
    """The server that we started on a port, if it still runs."""
    running = _read(port)
    return running if running and _is_ours(running.pid) else None


def at(server: str) -> Running | None:
    """The server at HOST:PORT, if it was started from this folder and still runs.

    Raises:
        ServeError: it was killed, and no other has taken its place.
    """
    port = server.rpartition(":")[2]
    running = _read(int(port)) if port.isdigit() else None
    if running is None or running.server != server.replace("localhost", address.LOCAL):
        return None
    if _is_ours(running.pid):
        return running
    if address.is_free(running.port, running.host):
        raise ServeError(
            f"the server that was started here at {server} was killed (its log: {running.log}); "
            f"start it again, or tidy up after it with: python -m serving down --port {port}"
        )
    return None


def orphaned(port: int) -> Running | None:
    """The server that we started on a port, if its process was killed before it could tidy up."""
    running = _read(port)
    return None if running is None or _is_ours(running.pid) else running


def _read(port: int) -> Running | None:
    try:
        fields = json.loads((folder(port) / _NOTE).read_text(encoding="utf-8"))
        models = {name: tuple(versions) for name, versions in fields["models"].items()}
        return Running(**{**fields, "models": models, "clean_up": tuple(fields["clean_up"])})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def is_noted(port: int) -> bool:
    """Whether a server is meant to run on a port."""
    return (folder(port) / _NOTE).exists()


def all_noted() -> list[Running]:
    """Every server that was started from this folder and still runs."""
    ports = sorted(int(each.name) for each in STATE_FOLDER.glob("*") if each.name.isdigit())
    return [running for port in ports for running in [noted(port)] if running]


def end(running: Running) -> None:
    """Stop the process of a server, whoever its parent is."""
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while _is_ours(running.pid):
        if time.monotonic() > deadline:
            with suppress(ProcessLookupError):
                os.kill(running.pid, signal.SIGKILL)
        time.sleep(0.05)


def _is_ours(pid: int) -> bool:
    """Whether the process is there and a server: numbers of ended processes are given out again."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        return stat.rpartition(")")[2].split()[0] != "Z" and b"serving" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
