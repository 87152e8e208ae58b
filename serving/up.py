"""The command that starts servers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model_config import options
from model_config.console import Command, print_line
from serving import address
from serving.certificates import FOLDER, of_server
from serving.signals import stop_signal

if TYPE_CHECKING:
    from serving.plan import Order, Plan
    from serving.servers import Server

BACKENDS = ("auto", "docker", "binary", "embedded")
LOAD_S = 300.0
# the rest is for what the driver and CUDA take beside TensorFlow
_GPU_SHARE = 0.9


@click.command(cls=Command)
@click.option("--model", help="The model's name; left out: what python -m model_config use has chosen.")
@click.option("--version", "versions", type=int, multiple=True, help="May be repeated.")
@options.labels
@options.repository
@click.option("--backend", type=click.Choice(BACKENDS), default="auto", show_default=True, help="What runs it.")
@click.option("--port", type=click.IntRange(1, 65535), default=8500, show_default=True, help="The gRPC port.")
@click.option("--rest-port", type=click.IntRange(1, 65535), help="REST and metrics; the gRPC port + 1 if left out.")
@click.option("--host", default=address.LOCAL, show_default=True, help="0.0.0.0 opens every model to the network.")
@click.option("--detach", is_flag=True, help="Return when it is ready; stop it with: down.")
@click.option("--dry-run", is_flag=True, help="Print the command line and start nothing.")
@click.option("--image", default="", help="The container's image, by tag or by digest.")
@click.option("--gpus", default="", help="For the container, as docker run takes it, or none; all if left out.")
@click.option("--network", default="", help="The container's, such as host; one of its own if left out.")
@click.option("--docker-option", "docker_options", multiple=True, help="One more argument for docker run.")
@click.option("--server-flag", "flags", multiple=True, help="One more flag for the server.")
@options.batching
@options.bfloat16
@click.option("--tls", is_flag=True, help="Speak TLS on the gRPC port; REST and metrics stay plain.")
@click.option("--mutual", is_flag=True, help="TLS, and only for clients with a certificate of the same CA.")
@click.option(
    "--certs", type=click.Path(path_type=Path), default=FOLDER, show_default=True, help="As make certs fills it."
)
@options.apart
@click.option("--one-server-per-version", is_flag=True, help="A server each, on every second port: memory of its own.")
@click.option("--timeout", default=LOAD_S, show_default=True, help="Seconds that loading may take.")
@options.as_json
def up(detach: bool, dry_run: bool, one_server_per_version: bool, timeout: float, as_json: bool, **asked: Any) -> None:
    """Serve versions of a model, until Ctrl-C unless detached.

    Example: python -m serving up --model demo --version 2 --backend docker --dry-run
    """
    from serving import plan

    plans = [plan.make(order, elsewhere=dry_run) for order in _orders(one_server_per_version, **asked)]
    for remark in dict.fromkeys(each.remark for each in plans):
        click.echo(remark, err=True)
    if dry_run:
        for each in plans:
            print_line(each.command, {"argv": each.argv, "environment": dict(each.launch.environment)}, as_json)
    else:
        _run(plans, detach, timeout, as_json)


def _orders(
    one_server_per_version: bool,
    model: str | None,
    versions: tuple[int, ...],
    labels: dict[str, int],
    apart: bool,
    repository: Path,
    port: int,
    rest_port: int | None,
    batching: bool,
    bfloat16: bool,
    tls: bool,
    mutual: bool,
    certs: Path,
    docker_options: tuple[str, ...],
    **rest: Any,
) -> list[Order]:
    from model_config import bundle, chosen
    from serving.plan import Order

    models = chosen.models(repository, model, versions, labels, apart)
    certificates = of_server(certs.resolve(), mutual) if tls or mutual else None
    choices = bundle.Choices(batching, bfloat16, certificates)
    first = Order(
        models, repository, choices, port=port, rest_port=rest_port or port + 1, options=docker_options, **rest
    )
    return _one_each(first) if one_server_per_version else [first]


def _one_each(first: Order) -> list[Order]:
    """A server a version on every second port, sharing the GPU fairly where there is one."""
    from model_config import chosen, gpu

    parts = chosen.split(first.models)
    share = (f"--per_process_gpu_memory_fraction={_GPU_SHARE / len(parts):.2f}",) if gpu.first().name else ()
    return [
        replace(
            first,
            models=each,
            port=first.port + 2 * place,
            rest_port=first.rest_port + 2 * place,
            flags=(*share, *first.flags),
        )
        for place, each in enumerate(parts)
    ]


def _run(plans: list[Plan], detach: bool, timeout: float, as_json: bool) -> None:
    from serving import servers

    stop, started = stop_signal(), []
    try:
        for each in plans:
            started.append(servers.start(each, stop, timeout))
            _print_ready(started[-1], detach, as_json)
    except BaseException:
        for server in started:
            server.stop()
        raise
    if not detach:
        servers.stay(started, stop)
        click.echo("stopped", err=True)


def _print_ready(server: Server, detach: bool, as_json: bool) -> None:
    running = server.running
    stop = f"make stop PORT={running.port}" if running.port != 8500 else "make stop"
    said = f"ready: {running.what} on {running.server} (log: {running.log}; stop with: {stop if detach else 'Ctrl-C'})"
    print_line(said, running.to_json(), as_json)
