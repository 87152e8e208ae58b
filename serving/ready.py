"""Wait until a server serves every wanted version, or say at once why it will not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clients.client import Client, VersionState
from clients.connection import Connection, Retry, Tls
from clients.errors import ClientError, DeadlineExceeded, NotServed, ServerUnavailable
from model_config import base_path
from model_config.errors import ServeError
from serving import probe
from serving.notes import Running

_POLL_S = 0.1
_STATUS_S = 5.0
_ANSWER_S = 10.0  # for the first answer at least, as it may be slow
_FAILED, _AVAILABLE = "END", "AVAILABLE"
# for a server that looks into its base paths from time to time to find a version
_FIND_S = 10.0
# how long what the server said before a change may still be what it says after it
_SETTLE_S = 1.5

States = Mapping[int, VersionState]


@dataclass(frozen=True)
class Target:
    """A server, and where its versions are on this machine if they are.

    Attributes:
        repository: the folder with the base paths; it need not exist.
    """

    server: str
    repository: Path
    tls: Tls | None = None

    @classmethod
    def of(cls, running: Running) -> Target:
        """The server of a note."""
        files = {kind: Path(path) for kind, path in running.tls.items()}
        return cls(
            running.server,
            Path(running.repository),
            Tls(files.get("ca"), files.get("cert"), files.get("key")) if files else None,
        )

    @contextmanager
    def client(self, timeout_s: float) -> Iterator[Client]:
        """A connection to it."""
        # whoever waits asks again himself
        connection = Connection(self.server, self.tls, retry=Retry(attempts=1))
        with Client(connection, timeout_s=timeout_s) as client:
            yield client

    def folder(self, model: str, number: int) -> Path | None:
        """Where a version is on this machine, by the model's name or one of its own such as ``NAME_v5``."""
        for name in (model, model.rpartition("_v")[0]):
            found = base_path.scan(self.repository, name).get(number) if name else None
            if found:
                return found.path
        return None


def wait(
    target: Target,
    models: Mapping[str, Sequence[int]],
    timeout_s: float,
    alive: Callable[[], None] = lambda: None,
    before: Mapping[str, States] | None = None,
) -> None:
    """Return when every version is AVAILABLE and has answered a real request.

    Args:
        models: the wanted versions by the model's name on the server.
        alive: called between looks; raises when waiting has lost its sense, as the process has ended.
        before: the states before a change was asked for, which the server may go on telling for a moment.

    Raises:
        ServeError: a version failed to load or to answer, the server has all it was told of and knows nothing of a
            version, or time is up; the text tells which and why.
    """
    started = time.monotonic()
    with target.client(_STATUS_S) as client:
        for model, versions in models.items():
            while missing := _missing(client, model, versions, _stale(before, model, started)):
                alive()
                if time.monotonic() - started > _FIND_S:
                    _refuse_unknown(client, model, versions)
                if time.monotonic() - started > timeout_s:
                    told = f"{target.server} is not ready after {timeout_s:.0f} s: {missing}"
                    raise ServeError(f"{told}; look into its log, or allow more with --timeout")
                time.sleep(_POLL_S)
    for model, versions in models.items():
        for number in versions:
            _require_answer(target, model, number, max(_ANSWER_S, started + timeout_s - time.monotonic()))


def states(client: Client, model: str) -> States:
    """The states of a model's versions by number; empty where the server does not know it."""
    try:
        return {state.version: state for state in client.status(model)}
    except NotServed:
        return {}


def _stale(before: Mapping[str, States] | None, model: str, started: float) -> States:
    settled = time.monotonic() - started > _SETTLE_S
    return {} if before is None or settled else before.get(model, {})


def _missing(client: Client, model: str, versions: Sequence[int], stale: States) -> str:
    """What is not available yet, in words; empty when all is."""
    try:
        found = states(client, model)
    except (ServerUnavailable, DeadlineExceeded) as error:
        return str(error)
    for number in versions:
        if number in found and found[number] != stale.get(number):
            _refuse_failed(model, found[number])
    waiting = [number for number in versions if number not in found or found[number].state != _AVAILABLE]
    return f"waiting for version {', '.join(map(str, waiting))} of {model}" if waiting else ""


def _refuse_failed(model: str, state: VersionState) -> None:
    if state.state != _FAILED:
        return
    if not state.error:
        raise ServeError(f"version {state.version} of {model} was unloaded; serve it with: python -m serving swap")
    raise ServeError(
        f"version {state.version} of {model} cannot be served: {state.error}; build it again with --replace"
    )


def _refuse_unknown(client: Client, model: str, versions: Sequence[int]) -> None:
    """What a server does not know that has nothing left to load will not come by itself."""
    try:
        found = states(client, model)
    except (ServerUnavailable, DeadlineExceeded):
        return
    unknown = ", ".join(str(number) for number in versions if number not in found)
    if found and unknown and all(each.state in (_FAILED, _AVAILABLE) for each in found.values()):
        raise ServeError(
            f"the server was told of no version {unknown} of {model}, only of {', '.join(map(str, sorted(found)))}, "
            "and loads nothing more; serve it with: python -m serving swap"
        )


def _require_answer(target: Target, model: str, number: int, timeout_s: float) -> None:
    try:
        with target.client(timeout_s) as client:
            probe.ask(client, model, number, target.folder(model, number))
    except (DeadlineExceeded, ServerUnavailable) as error:
        raise ServeError(f"version {number} of {model} is loaded but does not answer: {error}") from error
    except ClientError as error:
        raise ServeError(
            f"version {number} of {model} is loaded but fails its first request: {error}; build it again with --replace"
        ) from error
