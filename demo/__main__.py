"""The main job from end to end, by the same commands that a user types."""

from __future__ import annotations

from model_config import interrupts

if __name__ == "__main__":
    interrupts.prepare()

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from model_config.console import INTERRUPTED, Command, stderr
from model_config.errors import ServeError
from serving import address

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

CACHE = Path(".cache", "demo")
HELD_OUT = 200
HELD_OUT_SEED = 1000  # far from the training's, so that no picture is seen twice
USUAL_PORT = 8500

_VERSIONS = ("--version", "1", "--version", "2")
_BRIEFLY = ("--requests", "500", "--seconds", "2")  # just enough for p99 under the smallest load


@click.command(cls=Command)
def main() -> None:
    """Train a small detector, build its versions, serve them, ask them, compare them."""
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: in the background of a script it is ignored
        signal.signal(number, signal.default_int_handler)
    _say("a detector of our own (trained once, then kept in .cache)")
    from demo import shapes, train

    train.ensure(CACHE)
    shapes.write_dataset(CACHE / "held_out", HELD_OUT, HELD_OUT_SEED)
    _say("its versions")
    _run("converters", "build", "demo", *_VERSIONS, "--replace")
    port = str(_port())
    _say("a server over both")
    with _serving(port):
        _say("the same questions to each")
        server = f"{address.LOCAL}:{port}"
        _run("clients", "compare", "--server", server, "--model", "demo", *_VERSIONS, *_BRIEFLY)
    _say("next: make serve VERSION=2, or point model_config/models.yaml at a model of yours")


@contextmanager
def _serving(port: str) -> Iterator[None]:
    _run("serving", "up", "--model", "demo", *_VERSIONS, "--backend", "embedded", "--port", port, "--detach")
    try:
        yield
    finally:
        _run("serving", "down", "--port", port)


def _port() -> int:
    """The usual port, or any free one where that or the next, which is for REST, is taken."""
    try:
        address.require_free(USUAL_PORT)
        address.require_free(USUAL_PORT + 1)
    except ServeError:
        return address.free_ports()
    return USUAL_PORT


def _say(text: str) -> None:
    stderr().print(f"\n{text}", style="bold")


def _run(*arguments: str) -> None:
    """Show a command and run it; when it fails it has said why, and the demo ends with its exit code."""
    stderr().print(f"$ python -m {shlex.join(arguments)}", style="dim")
    # in a session of its own, so that Ctrl-C comes to it once, from us, and it can clean up in peace
    child = subprocess.Popen([sys.executable, "-m", *arguments], start_new_session=True)
    interrupted = False
    while child.poll() is None:
        try:
            child.wait()
        except KeyboardInterrupt:
            interrupted = True
            child.send_signal(signal.SIGINT)
    if interrupted and child.returncode != INTERRUPTED:
        raise KeyboardInterrupt  # it ended before it could say so
    if child.returncode:
        sys.exit(child.returncode)


if __name__ == "__main__":
    with interrupts.ignored_at_the_end():
        main(prog_name="python -m demo")
