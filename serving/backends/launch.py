"""What every backend is told, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from model_config.fit import STOCK_IMAGE, Facts
from serving.address import LOCAL

PROGRAM = "tensorflow_model_server"

Argv = tuple[str, ...]


@dataclass(frozen=True)
class Launch:
    """One server that is to run.

    Attributes:
        repository: the folder with the base paths, absolute.
        bundle: the folder with the server's config files, absolute.
        host: the address to listen on.
        image: of a container.
        gpus: of a container, as ``docker run --gpus`` takes it; empty for none.
        network: of a container, such as ``host``; its ports are published where it has one of its own.
        options: more for ``docker run``.
        flags: more for the server.
        environment: variables that the server needs.
    """

    repository: Path
    bundle: Path
    port: int
    rest_port: int
    host: str = LOCAL
    image: str = STOCK_IMAGE
    gpus: str = ""
    network: str = ""
    options: Argv = ()
    flags: Argv = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def port_flags(self) -> Argv:
        """The stock server's flags for its two ports."""
        return (f"--port={self.port}", f"--rest_api_port={self.rest_port}")


@dataclass(frozen=True)
class Seen:
    """Where the server sees what we put on disk."""

    repository: str
    bundle: str


def library_version(told: str) -> str | None:
    """The TensorFlow that the stock server says with ``--version`` it was made of."""
    found = re.search(r"TensorFlow Library: (\d+\.\d+\.\d+)", told)
    return found[1] if found else None


def resident_bytes(pid: int) -> int | None:
    """What a process of this machine holds in memory; None when it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmRSS:")), None)


class Backend(Protocol):
    """Something that can run a server over a bundle."""

    @property
    def reason(self) -> str:
        """Why ``auto`` takes it where it can run."""

    def unfit(self) -> str:
        """Why it cannot run on this machine; empty when it can."""

    def seen(self, launch: Launch) -> Seen:
        """Where the server sees the repository and the bundle."""

    def facts(self, image: str) -> Facts:
        """What is known of the server, a container's of this image, to hold the versions against."""

    def prepare(self, launch: Launch) -> None:
        """Fetch what is missing, and clear away what a killed server left; ServeError when that fails."""

    def argv(self, launch: Launch, flags: Argv) -> Argv:
        """The command line, which stays in the foreground as long as the server runs; pure."""

    def clean_up(self, launch: Launch) -> Argv:
        """The command that removes what may outlive the process; empty when nothing does."""

    def listens_on(self, launch: Launch) -> str:
        """The address it really listens on."""

    def memory_bytes(self, pid: int, port: int) -> int | None:
        """What the running server on a port holds in memory; None where that cannot be seen."""
