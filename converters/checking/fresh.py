"""Models asked in processes that have loaded none before.

Each is forked from one that has done nothing but to load TensorFlow, once for all models of a command. As a program,
``python -m converters.checking.fresh FD``, it is that one.
"""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryFile
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, Final

from model_config.errors import BadSource, BuildError

if TYPE_CHECKING:
    from converters.checking.asking import Reply

    _Ask = Callable[[Path, Path], list[Reply]]

_SETTINGS: Final = MappingProxyType(
    {
        # an engine that is missing or does not fit is an error, not a reason to compute in TensorFlow
        "TF_TRT_ALLOW_ENGINE_NATIVE_SEGMENT_EXECUTION": "0",
        # bytes; what TensorFlow gives up of a large graph goes back to the system, instead of adding to what comes next
        "MALLOC_TRIM_THRESHOLD_": "1000000",
    }
)
_STDERR: Final = 2
_KILLED: Final = -9
_SILENT: Final = "it said nothing"
# one question at a time
_TURN = threading.Lock()


@dataclass(frozen=True)
class _Parent:
    """The process that is forked, and the way to talk to it."""

    process: subprocess.Popen[bytes]
    connection: Connection

    def end(self) -> None:
        """End it, and with it whatever it has forked."""
        self.connection.close()
        self.process.terminate()
        self.process.wait()
        _parent.cache_clear()


def prepare() -> None:
    """Let it load TensorFlow while there is other work to do; again changes nothing."""
    with _TURN:
        _parent()


def replies(folder: Path, requests: Path) -> list[Reply]:
    """What a SavedModel answers to the requests of a warm-up file.

    Raises:
        BadSource: it does not load.
        BuildError: it takes the process down.
    """
    with _TURN:
        parent = _parent()
        try:
            parent.connection.send((os.path.abspath(folder), os.path.abspath(requests)))
            told, code, last_words = parent.connection.recv()
        except BaseException as error:
            parent.end()  # what it would still say answers no later question
            if isinstance(error, (EOFError, OSError)):
                raise BuildError(_ended(parent.process.returncode, _SILENT)) from error
            raise
    if isinstance(told, str):
        raise BadSource(told)
    if told is None:
        raise BuildError(_ended(code, last_words))
    return list(told)


def _ended(code: int, last_words: str) -> str:
    if code == _KILLED:
        return "its process was killed, as the system does when memory runs out"
    return f"its process ended with {code} ({last_words})"


@cache
def _parent() -> _Parent:
    ours, its = multiprocessing.Pipe()
    with its:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(its.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
            env={**os.environ, **_SETTINGS},
            start_new_session=True,  # Ctrl-C is for us, and ends it by the end of the connection
        )
    parent = _Parent(process, ours)
    atexit.register(parent.end)
    return parent


def main(connection: Connection) -> None:
    """Fork for every question until the connection ends."""
    from converters.checking import asking  # here, and so in all of them already

    gc.freeze()  # or every fork would copy what it looks through for garbage
    forks = multiprocessing.get_context("fork")
    while True:
        try:
            question = connection.recv()
        except EOFError:
            return
        receives, sends = forks.Pipe(duplex=False)
        with TemporaryFile() as said:
            child = forks.Process(target=_answer, args=(asking.replies, *question, sends, said), daemon=True)
            child.start()
            sends.close()
            if connection in wait([receives, connection]):
                return  # nobody waits for the answer, and the child ends with this process
            told = _received(receives)
            child.join()
            connection.send((told, child.exitcode, _last_words(said)))


def _answer(ask: _Ask, folder: str, requests: str, sends: Connection, said: IO[bytes]) -> None:
    """In the fork: ask, and give the replies, or why the model does not load."""
    os.dup2(said.fileno(), _STDERR)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    told: Any
    try:
        told = ask(Path(folder), Path(requests))
    except BadSource as error:
        told = str(error)
    sends.send(told)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _received(receives: Connection) -> Any:
    try:
        return receives.recv()
    except (EOFError, OSError):
        return None


def _last_words(said: IO[bytes]) -> str:
    said.seek(0)
    words = said.read().decode(errors="replace").strip().splitlines()
    return words[-1] if words else _SILENT


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))
