"""The server that is asked: started with the flags of a setting, waited for, and ended."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model_config.errors import ServeError
from serving import address

_START_S = 120.0
_STOP_S = 20.0


@dataclass(frozen=True)
class Target:
    """Where a server answers.

    Attributes:
        folder: with the models, as the server sees it too.
        rest_port: 0 when nothing is known of one.
        log: what it says; None when it is not ours.
    """

    server: str
    folder: Path
    rest_port: int = 0
    log: Path | None = None


@contextmanager
def started(command: Sequence[str], flags: Sequence[str], folder: Path, log: Path) -> Iterator[Target]:
    """A server of one's own on free ports; ServeError when it does not come up."""
    port, rest_port = address.free_port(), address.free_port()
    argv = [*command, f"--port={port}", f"--rest_api_port={rest_port}", *flags]
    with log.open("wb") as file, subprocess.Popen(argv, stdout=file, stderr=file, start_new_session=True) as child:
        try:
            _wait_for_port(port, child, log)
            yield Target(f"{address.LOCAL}:{port}", folder, rest_port, log)
        finally:
            _end(child)


def _wait_for_port(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while not _listens(port):
        if child.poll() is not None or time.monotonic() > deadline:
            told = log.read_text(errors="replace").strip().splitlines()[-3:]
            raise ServeError(f"the server to test did not start: {' / '.join(told) or 'it said nothing'}")
        time.sleep(0.05)


def _listens(port: int) -> bool:
    """Whether gRPC's own handshake works; a TLS port's does not, but it is there."""
    import socket

    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address.LOCAL, port)) == 0


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()


def failed_start(command: Sequence[str], flags: Sequence[str]) -> tuple[int, str]:
    """Exit code and words of a server that should not start."""
    argv = [*command, f"--port={address.free_port()}", *flags]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=_START_S, check=False)
    return done.returncode, done.stdout + done.stderr
