"""What can run a server: each backend is the command line that serves a bundle, and what is to be known before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from model_config.errors import ServeError
from serving import address
from serving.backends.binary import Binary
from serving.backends.container import Container
from serving.backends.launch import Backend, Launch
from serving.backends.python_server import PythonServer

# in the order in which ``auto`` tries them: the stock server before ours
BACKENDS: Final[Mapping[str, Backend]] = MappingProxyType(
    {"docker": Container(), "binary": Binary(), "embedded": PythonServer()}
)
NAMES: Final = ("auto", *BACKENDS)


@dataclass(frozen=True)
class Choice:
    """A backend, and why it was taken.

    Attributes:
        problem: why it cannot run here; empty when it can.
    """

    name: str
    backend: Backend
    why: str
    problem: str = ""

    def require(self) -> None:
        """ServeError when it cannot run here."""
        if self.problem:
            raise ServeError(f"backend {self.name} cannot run here: {self.problem}")


def choose(name: str, launch: Launch) -> Choice:
    """The backend of this name, whether it can run here or not, or for ``auto`` the first that can.

    ``auto`` opens nothing to the network that nobody asked to be open.

    Raises:
        ServeError: ``auto`` finds none.
    """
    if name != "auto":
        problem = BACKENDS[name].unfit()
        why = f"as asked, though it cannot run here: {problem}" if problem else "as asked"
        return Choice(name, BACKENDS[name], why, problem)
    passed: list[str] = []
    for known, backend in BACKENDS.items():
        problem = backend.unfit() or _exposure(known, backend, launch)
        if not problem:
            return Choice(known, backend, "; ".join([*passed, backend.reason]))
        passed.append(f"not {known}: {problem}")
    raise ServeError("nothing can run a server here; " + "; ".join(passed))


def _exposure(name: str, backend: Backend, launch: Launch) -> str:
    """Why a backend would be reached from elsewhere although only this machine was to reach it; empty otherwise."""
    listens = backend.listens_on(launch)
    if not address.is_local(launch.host) or address.is_local(listens) or launch.network:
        return ""
    return f"it can only listen on {listens}, which --backend {name} or --host {listens} allows"
