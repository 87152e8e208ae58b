"""Wait until a server serves every wanted version, or say at once why it will not."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from clients.client import Client, VersionState
from clients.errors import ClientError
from model_config.errors import ServeError

_POLL_S = 0.1
_FAILED = "END"


def wait(
    server: str,
    model: str,
    versions: Sequence[int],
    timeout_s: float,
    alive: Callable[[], None] = lambda: None,
) -> None:
    """Return when every version is AVAILABLE.

    Args:
        server: HOST:PORT.
        alive: called between looks; raises when waiting has lost its sense, as the process has ended.

    Raises:
        ServeError: a version failed to load, or time is up; the text tells which and why.
    """
    deadline = time.monotonic() + timeout_s
    with Client(server, timeout_s=5) as client:
        while missing := _missing(client, model, versions):
            alive()
            if time.monotonic() > deadline:
                raise ServeError(f"{server} is not ready after {timeout_s:.0f} s: {missing}; look into its log")
            time.sleep(_POLL_S)


def _missing(client: Client, model: str, versions: Sequence[int]) -> str:
    """What is not available yet, in words; empty when all is."""
    try:
        states = {state.version: state for state in client.status(model)}
    except ClientError as error:
        return str(error)
    for number in versions:
        _refuse_failed(model, states.get(number))
    waiting = [number for number in versions if number not in states or states[number].state != "AVAILABLE"]
    return f"waiting for version {', '.join(map(str, waiting))} of {model}" if waiting else ""


def _refuse_failed(model: str, state: VersionState | None) -> None:
    if state is not None and state.state == _FAILED:
        reason = state.error or "it was unloaded"
        raise ServeError(
            f"version {state.version} of {model} cannot be served: {reason}; build it again with --replace"
        )
