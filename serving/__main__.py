"""Start a server over chosen versions, wait for it, see how it is, stop it."""

from __future__ import annotations

import os
import subprocess
import threading
from dataclasses import asdict
from pathlib import Path

import click

from model_config import options
from model_config.console import Commands, print_json, print_line, stderr
from serving import address, backends, process
from serving.conformance.command import conformance
from serving.signals import stop_signal

_LOAD_S = 300.0
_POLL_S = 0.1

_port = click.option("--port", type=click.IntRange(1, 65535), default=8500, show_default=True, help="The gRPC port.")
_timeout = click.option("--timeout", default=_LOAD_S, show_default=True, help="Seconds that loading may take.")


@click.group(cls=Commands)
def main() -> None:
    """Run a server over the versions of a model."""


@main.command()
@options.model
@options.versions
@click.option("--backend", type=click.Choice(backends.NAMES), default="auto", show_default=True, help="What runs it.")
@_port
@options.repository
@click.option("--detach", is_flag=True, help="Return when it is ready; stop it with: down.")
@_timeout
@options.as_json
def up(
    model: str,
    versions: tuple[int, ...],
    backend: str,
    port: int,
    repository: Path,
    detach: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Serve versions of a model, until Ctrl-C unless detached."""
    from model_config import base_path, server_config
    from serving import requirements

    address.require_free(port)
    served = server_config.choose(repository, model, versions, {})
    wanted = [base_path.require(repository, model, number) for number in versions]
    environment = requirements.environment(wanted, os.environ)
    config = server_config.write([served], repository)
    log = process.STATE_FOLDER / f"{port}.log"
    stop = stop_signal()
    child = process.start(backends.argv(backend, config, port), log, environment)
    running = process.Running(child.pid, port, model, versions, str(log))
    with process.stopped_on_error(child):
        _wait_ready(running, child, stop, timeout)
        process.note(running)
        _print_ready(running, "make stop" if detach else "Ctrl-C", as_json)
        if not detach:
            _stay(running, child, stop)


def _wait_ready(
    running: process.Running, child: subprocess.Popen[bytes], stop: threading.Event, timeout: float
) -> None:
    from serving import ready

    def go_on() -> None:
        process.require_alive(child, Path(running.log))
        if stop.is_set():
            raise KeyboardInterrupt

    with stderr().status(f"loading {running.what}"):
        ready.wait(running.server, running.model, running.versions, timeout, go_on)


def _print_ready(running: process.Running, how: str, as_json: bool) -> None:
    said = f"ready: {running.what} on {running.server} (log: {running.log}; stop with: {how})"
    print_line(said, asdict(running), as_json)


def _stay(running: process.Running, child: subprocess.Popen[bytes], stop: threading.Event) -> None:
    """Return when the server has ended, by itself, by ``down`` or because we were told to stop."""
    while child.poll() is None and not stop.wait(_POLL_S):
        pass
    process.forget(running.port)
    if stop.is_set():
        process.stop_child(child)
    elif child.returncode:
        process.require_alive(child, Path(running.log))
    click.echo("stopped", err=True)


@main.command()
@_port
@options.as_json
def down(port: int, as_json: bool) -> None:
    """Stop the detached server on a port."""
    running = process.stop_noted(port)
    print_line(f"stopped: {running.model} on port {running.port}", asdict(running), as_json)


@main.command()
@options.server
@options.model
@options.versions
@_timeout
@options.as_json
def wait(server: str, model: str, versions: tuple[int, ...], timeout: float, as_json: bool) -> None:
    """Return when the server serves every version, or say why it will not."""
    from serving import ready

    ready.wait(server, model, versions, timeout)
    found = {"server": server, "model": model, "versions": versions}
    print_line(f"ready: {model} {', '.join(map(str, versions))} on {server}", found, as_json)


@main.command()
@options.server
@options.model
@options.as_json
def status(server: str, model: str, as_json: bool) -> None:
    """Show the versions of a model on a server and the state of each."""
    from clients import status as client_status

    found = client_status.look(server, model)
    print_json(found) if as_json else client_status.show(found)


main.add_command(conformance)

if __name__ == "__main__":
    main(prog_name="python -m serving")
