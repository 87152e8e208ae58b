"""Start a server over chosen versions, wait for it, see how it is, stop it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import click

from model_config import base_path, server_config
from model_config.console import Commands, print_json, stderr
from serving import address, backends, process

_LOAD_S = 300.0

_model = click.option("--model", required=True, help="The model's name.")
_versions = click.option("--version", "versions", type=int, multiple=True, required=True, help="May be repeated.")
_port = click.option("--port", type=click.IntRange(1, 65535), default=8500, show_default=True, help="The gRPC port.")
_server = click.option("--server", default="127.0.0.1:8500", show_default=True, help="HOST:PORT.")
_timeout = click.option("--timeout", default=_LOAD_S, show_default=True, help="Seconds that loading may take.")


@click.group(cls=Commands)
def main() -> None:
    """Run a server over the versions of a model."""


@main.command()
@_model
@_versions
@click.option("--backend", type=click.Choice(backends.NAMES), default="auto", show_default=True, help="What runs it.")
@_port
@click.option(
    "--repository", type=click.Path(path_type=Path), default=base_path.DEFAULT_REPOSITORY, show_default=True,
    help="Folder with one base path a model.",
)  # fmt: skip
@click.option("--detach", is_flag=True, help="Return when it is ready; stop it with: down.")
@_timeout
def up(
    model: str, versions: tuple[int, ...], backend: str, port: int, repository: Path, detach: bool, timeout: float
) -> None:
    """Serve versions of a model, until Ctrl-C unless detached."""
    address.require_free(port)
    config = server_config.write([server_config.choose(repository, model, versions, {})], repository)
    log = process.STATE_FOLDER / f"{port}.log"
    for number in (signal.SIGTERM, signal.SIGHUP):  # a supervisor or a closed terminal ends us as Ctrl-C does
        signal.signal(number, signal.default_int_handler)
    child = process.start(backends.argv(backend, config, port), log)
    said = f"ready: {model} {', '.join(map(str, versions))} on {address.LOCAL}:{port} (log: {log}; "
    with process.stopped_on_error(child):
        _wait_ready(child, log, f"{address.LOCAL}:{port}", model, versions, timeout)
        if detach:
            process.note(process.Running(child.pid, port, model, versions, str(log)))
            click.echo(f"{said}stop with: make stop)")
            return
    _stay(child, log, f"{said}stop with Ctrl-C)")


def _wait_ready(
    child: subprocess.Popen[bytes], log: Path, server: str, model: str, versions: tuple[int, ...], timeout: float
) -> None:
    from serving import ready

    with stderr().status(f"loading {model} {', '.join(map(str, versions))}"):
        ready.wait(server, model, versions, timeout, lambda: process.require_alive(child, log))


def _stay(child: subprocess.Popen[bytes], log: Path, said: str) -> None:
    try:
        click.echo(said)
        child.wait()
    except KeyboardInterrupt:
        process.stop_child(child)
        click.echo("stopped", err=True)
        return
    process.require_alive(child, log)


@main.command()
@_port
def down(port: int) -> None:
    """Stop the detached server on a port."""
    running = process.stop_noted(port)
    click.echo(f"stopped: {running.model} on port {running.port}")


@main.command()
@_server
@_model
@_versions
@_timeout
def wait(server: str, model: str, versions: tuple[int, ...], timeout: float) -> None:
    """Return when the server serves every version, or say why it will not."""
    from serving import ready

    ready.wait(server, model, versions, timeout)
    click.echo(f"ready: {model} {', '.join(map(str, versions))} on {server}")


@main.command()
@_server
@_model
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(server: str, model: str, as_json: bool) -> None:
    """Show the versions of a model on a server and the state of each."""
    from clients import status as client_status

    found = client_status.look(server, model)
    print_json(found) if as_json else client_status.show(found)


if __name__ == "__main__":
    main(prog_name="python -m serving")
