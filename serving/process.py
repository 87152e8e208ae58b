"""A server as a child process: started, watched until ready, and stopped."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from model_config.errors import ServeError
from serving.notes import STOP_S, Running

_LOG_LINES = 5
# what to do about the last words of a server, or of docker, that do not say it themselves
_REMEDIES = {
    "could not select device driver": "install the NVIDIA container toolkit, or leave the GPU out with --gpus none",
    "bind source path does not exist": "let the engine run on this machine, as it mounts folders of its own",
    "no space left on device": "free some space",
    "CUDA_ERROR_OUT_OF_MEMORY": "free the GPU, or serve fewer versions",
}


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
        words = _tail(log)
        remedy = next((f"; {each}" for sign, each in _REMEDIES.items() if sign.lower() in words.lower()), "")
        raise ServeError(f"the server ended with {_how(process.returncode)}: {words} (all of it: {log}){remedy}")


def _how(code: int) -> str:
    """An exit code as a person reads it; a container that is killed ends as a shell tells of signals."""
    number = -code if code < 0 else code - 128
    if number == 9:
        return f"exit code {code}, which is how it ends when somebody or the system, for want of memory, kills it"
    return f"exit code {code}"


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " / ".join(lines[-_LOG_LINES:]) or "it left no message"


@contextmanager
def stopped_on_error(child: subprocess.Popen[bytes], running: Running) -> Iterator[None]:
    """Leave no server behind when the block fails or is interrupted."""
    try:
        yield
    except BaseException:
        stop_child(child, running)
        raise


def stop_child(child: subprocess.Popen[bytes], running: Running) -> None:
    """Ask the server to stop, end it if it does not, and remove what outlives it."""
    child.terminate()
    try:
        child.wait(STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    clean_up(running)


def clean_up(running: Running) -> None:
    """Remove what may outlive the process, such as the container of a killed ``docker run``."""
    if running.clean_up:
        subprocess.run(running.clean_up, env=os.environ, capture_output=True, check=False)
