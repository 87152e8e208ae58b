"""Start a server over chosen versions, wait for it, see how it is, stop it."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import asdict
from pathlib import Path

import click

from model_config import options, server_config
from model_config.console import Commands, print_json, print_line, stderr
from serving import address, backends, process

_LOAD_S = 300.0

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
    address.require_free(port)
    config = server_config.write([server_config.choose(repository, model, versions, {})], repository)
    log = process.STATE_FOLDER / f"{port}.log"
    _end_as_by_ctrl_c(signal.SIGTERM, signal.SIGHUP)
    child = process.start(backends.argv(backend, config, port), log)
    running = process.Running(child.pid, port, model, versions, str(log))
    with process.stopped_on_error(child):
        _wait_ready(child, log, running.server, model, versions, timeout)
        if detach:
            process.note(running)
            _print_ready(running, "make stop", as_json)
        else:
            _stay(running, child, as_json)


def _print_ready(running: process.Running, stop: str, as_json: bool) -> None:
    what = f"{running.model} {', '.join(map(str, running.versions))} on {running.server}"
    print_line(f"ready: {what} (log: {running.log}; stop with: {stop})", asdict(running), as_json)


def _end_as_by_ctrl_c(*signals: signal.Signals) -> None:
    """A supervisor's stop or a closed terminal must not leave the server behind; what nohup ignores stays ignored."""
    for number in signals:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def _stay(running: process.Running, child: subprocess.Popen[bytes], as_json: bool) -> None:
    try:
        _print_ready(running, "Ctrl-C", as_json)
        child.wait()
    except KeyboardInterrupt:
        process.stop_child(child)
        click.echo("stopped", err=True)
    else:
        process.require_alive(child, Path(running.log))


def _wait_ready(
    child: subprocess.Popen[bytes], log: Path, server: str, model: str, versions: tuple[int, ...], timeout: float
) -> None:
    from serving import ready

    with stderr().status(f"loading {model} {', '.join(map(str, versions))}"):
        ready.wait(server, model, versions, timeout, lambda: process.require_alive(child, log))


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


if __name__ == "__main__":
    main(prog_name="python -m serving")
