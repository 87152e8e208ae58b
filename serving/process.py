"""A server as a child process: started, watched until ready, and stopped; or left running with a note of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from model_config.errors import ServeError
from serving.address import LOCAL

STATE_FOLDER = Path(".serving")
_STOP_S = 15.0
_LOG_LINES = 5


@dataclass(frozen=True)
class Running:
    """A server that runs; ``log`` is where its words go."""

    pid: int
    port: int
    model: str
    versions: tuple[int, ...]
    log: str

    @property
    def what(self) -> str:
        """The model and its versions, in words."""
        return f"{self.model} {', '.join(map(str, self.versions))}"

    @property
    def server(self) -> str:
        """Where it answers, HOST:PORT."""
        return f"{LOCAL}:{self.port}"


def start(argv: tuple[str, ...], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a server in a process group of its own, so that Ctrl-C reaches it only through us."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        return subprocess.Popen(
            argv, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )


def require_alive(process: subprocess.Popen[bytes], log: Path) -> None:
    """ServeError with the end of its log when the server has ended."""
    if process.poll() is not None:
        raise ServeError(f"the server ended with exit code {process.returncode}: {_tail(log)}")


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " / ".join(lines[-_LOG_LINES:]) or "it left no message"


@contextmanager
def stopped_on_error(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave no server behind when the block fails or is interrupted."""
    try:
        yield
    except BaseException:
        stop_child(process)
        raise


def stop_child(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to stop, and end it if it does not."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def note(running: Running) -> None:
    """Remember a server that runs, so that it can be stopped from elsewhere."""
    _note_path(running.port).write_text(json.dumps(asdict(running)), encoding="utf-8")


def forget(port: int) -> None:
    """A server has ended."""
    _note_path(port).unlink(missing_ok=True)


def noted(port: int) -> Running | None:
    """The server that we started on a port, if it still runs."""
    try:
        fields = json.loads(_note_path(port).read_text(encoding="utf-8"))
        running = Running(**{**fields, "versions": tuple(fields["versions"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return running if _is_ours(running.pid) else None


def stop_noted(port: int) -> Running:
    """Stop the server that we started on a port; ServeError when there is none."""
    running = noted(port)
    forget(port)
    if running is None:
        raise ServeError(f"no server that was started from this folder runs on port {port}; nothing to stop")
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_S
    while _is_ours(running.pid):
        if time.monotonic() > deadline:
            os.kill(running.pid, signal.SIGKILL)
        time.sleep(0.05)
    return running


def _is_ours(pid: int) -> bool:
    """Whether the process is there and a server: numbers of ended processes are given out again."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        return stat.rpartition(")")[2].split()[0] != "Z" and b"serving" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _note_path(port: int) -> Path:
    return STATE_FOLDER / f"{port}.json"
