"""Start a server over chosen versions, wait for it, see how it is, change what it serves, stop it."""

from __future__ import annotations

from model_config import interrupts

if __name__ == "__main__":
    interrupts.prepare()

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clients.options import tls
from model_config import options
from model_config.console import Commands, print_json, print_line
from model_config.fit import STOCK_GPU_IMAGE
from serving.certificates import FOLDER
from serving.conformance.command import conformance
from serving.signals import stop_signal
from serving.up import BACKENDS, LOAD_S, up

if TYPE_CHECKING:
    from clients.connection import Tls
    from serving.notes import Running
    from serving.ready import Target

_port = click.option("--port", type=click.IntRange(1, 65535), default=8500, show_default=True, help="The gRPC port.")
_timeout = click.option("--timeout", default=LOAD_S, show_default=True, help="Seconds that loading may take.")

_WATCH_S = 2.0


@click.group(cls=Commands)
def main() -> None:
    """Run a server over the versions of a model."""


main.add_command(up)
main.add_command(conformance)


@main.command()
@_port
@click.option("--all", "every", is_flag=True, help="Every server that was started from this folder.")
@options.as_json
def down(port: int, every: bool, as_json: bool) -> None:
    """Stop the detached server on a port."""
    from serving import notes, servers

    for each in [running.port for running in notes.all_noted()] if every else [port]:
        running = servers.stop_noted(each)
        print_line(f"stopped: {running.names} on port {each}", running.to_json(), as_json)


@main.command()
@options.server
@options.model
@options.versions
@options.repository
@tls
@_timeout
@options.as_json
def wait(
    server: str,
    model: str,
    versions: tuple[int, ...],
    repository: Path,
    tls: Tls | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Return when every version on the server has answered a real request, or say why it will not."""
    from serving import ready

    target, _ = _target(server, repository, tls)
    ready.wait(target, {model: versions}, timeout)
    found = {"server": server, "model": model, "versions": versions}
    print_line(f"ready: {model} {', '.join(map(str, versions))} on {server}", found, as_json)


@main.command()
@options.server
@click.option("--model", help="The model's name; left out: what python -m model_config use has chosen.")
@click.option("--version", "versions", type=int, multiple=True, help="May be repeated.")
@options.labels
@options.apart
@click.option("--replace", is_flag=True, help="Unload first, where memory does not hold both; requests fail meanwhile.")
@options.repository
@click.option("--root", help="Where a server not started here sees the repository, such as /models.")
@tls
@_timeout
@options.as_json
def swap(
    server: str, repository: Path, root: str | None, tls: Tls | None, timeout: float, as_json: bool, **asked: Any
) -> None:
    """Make a running server serve other versions, without losing a request; it stays as it is if one cannot load.

    Example: python -m serving swap --model demo --version 2
    """
    from serving import swapping

    wanted = swapping.Wanted(timeout_s=timeout, **asked)
    target, running = _target(server, repository, tls)
    if running:
        models = dict(swapping.of_ours(running, wanted).models)
    else:
        models = {each.name: each.versions for each in swapping.of_any(target, root, wanted)}
    what = "; ".join(f"{name} {', '.join(map(str, versions))}" for name, versions in models.items())
    print_line(f"serving: {what} on {server}", {"server": server, "models": models}, as_json)


@main.command()
@options.server
@click.option("--model", help="Only this one; all that are known of if left out.")
@click.option(
    "--rest-port", type=click.IntRange(1, 65535), help="Where its metrics are; the gRPC port + 1 if left out."
)
@options.repository
@click.option("--watch", is_flag=True, help="Again every two seconds, until Ctrl-C.")
@tls
@options.as_json
def status(
    server: str,
    model: str | None,
    rest_port: int | None,
    repository: Path,
    watch: bool,
    tls: Tls | None,
    as_json: bool,
) -> None:
    """Show what a server serves, in which state, and how often it was asked."""
    from serving import status as server_status

    stop = stop_signal() if watch else None
    while True:
        target, running = _target(server, repository, tls)
        found = server_status.look(target, running, model, rest_port)
        if watch and not as_json:
            click.clear()
        print_json(found.to_json()) if as_json else server_status.show(found)
        if found.remark:
            click.echo(found.remark, err=True)
        if stop is None or stop.wait(_WATCH_S):
            return


def _target(server: str, repository: Path, tls: Tls | None) -> tuple[Target, Running | None]:
    """Where to ask, and our note of it: a server that was started here is known with its certificates."""
    from serving import notes, ready

    running = notes.at(server)
    return (ready.Target.of(running) if running else ready.Target(server, repository, tls)), running


@main.command()
@click.argument("name")
@options.versions
@click.option("--backend", type=click.Choice(BACKENDS[1:]), default="docker", show_default=True, help="What serves it.")
@click.option("--image", default=STOCK_GPU_IMAGE, show_default=True, help="The container's image.")
@click.option("--gpu", help="The GPU of another machine that is to serve it; empty for none. Left out: this one's.")
@click.option("--driver", help="The driver there.")
@options.repository
@options.as_json
def preflight(
    name: str,
    versions: tuple[int, ...],
    backend: str,
    image: str,
    gpu: str | None,
    driver: str | None,
    repository: Path,
    as_json: bool,
) -> None:
    """Say whether versions of NAME fit a server, its image and its GPU, before they are served there.

    Example: python -m serving preflight demo --version 5 --image tensorflow/serving:2.17.1-gpu --gpu "NVIDIA H200"
    """
    from model_config import base_path
    from model_config.errors import ServeError
    from serving import preflight as checks

    found = checks.facts(backend, image, gpu, driver)
    verdicts = checks.judge([base_path.require(repository, name, number) for number in versions], found)
    click.echo(checks.in_words(found), err=True)
    if as_json:
        print_json([each.to_json() for each in verdicts])
    for each in verdicts:
        if not as_json and not each.problems:
            click.echo(f"version {each.version} of {name} fits")
    refused = [f"version {each.version} of {name}: {problem}" for each in verdicts for problem in each.problems]
    if refused:
        raise ServeError("; ".join(refused))


@main.command()
@options.model
@options.versions
@options.repository
@click.option("--backend", type=click.Choice(BACKENDS), default="auto", show_default=True, help="What serves them.")
@click.option("--image", default="", help="The container's image; what suits this machine when left out.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder for costs.json; results/MODEL when left out.")
@_timeout
@options.as_json
def weigh(
    model: str,
    versions: tuple[int, ...],
    repository: Path,
    backend: str,
    image: str,
    output: Path | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Serve each version alone for a moment, and say how long it loads and what memory it takes; compare shows it.

    Example: python -m serving weigh --model demo --version 1 --version 2
    """
    from serving import weighing

    stop, found = stop_signal(), []
    for each in weighing.weigh(weighing.order(repository, model, versions, backend, image), stop, timeout):
        print_line(each.words, each.to_json(), as_json)
        found.append(each)
    weighing.keep(model, found, output or Path("results") / model)


@main.command()
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True, help="Where to put them.")
@click.option("--host", "hosts", multiple=True, help="One more name or address of the server. May be repeated.")
@click.option("--replace", is_flag=True, help="Make new ones over those that are there.")
@options.as_json
def certs(folder: Path, hosts: tuple[str, ...], replace: bool, as_json: bool) -> None:
    """Make a throw-away CA with certificates for a server and a client, to try TLS with."""
    from serving import certificates

    paths = [str(path) for path in certificates.make(folder, hosts, replace)]
    print_line("\n".join(paths), {"files": paths}, as_json)


if __name__ == "__main__":
    with interrupts.ignored_at_the_end():
        main(prog_name="python -m serving")
