"""The options that say where a build runs, and the way from the command line into the container."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from converters import container
from model_config import gpu, models_file
from model_config.errors import SuiteError
from model_config.models import Model

_OPTIONS: Final = (
    click.option(
        "--backend",
        type=click.Choice(["here", "docker"]),
        default="here",
        show_default=True,
        help="Build with this machine's TensorFlow, or in the converter image with the server's libraries.",
    ),
    click.option("--image", help=f"The converter image; {container.IMAGE} when left out, built when it is missing."),
    click.option("--docker-option", "docker_options", multiple=True, help="One more option for docker run."),
    click.option("--dry-run", is_flag=True, help="Print the container's command line, and run nothing."),
)
_OURS: Final = ("backend", "image", "docker_options", "dry_run")


def choices(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all options that say where it runs."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def taken(options: dict[str, Any]) -> dict[str, Any]:
    """The values of these options, which are no longer among the others then.

    Raises:
        SuiteError: one was given that means nothing for a build here.
    """
    place = {name: options.pop(name) for name in _OURS}
    idle = [name for name in _OURS[1:] if place[name]]
    if place["backend"] == "here" and idle:
        spelled = ", ".join(f"--{name.rstrip('s').replace('_', '-')}" for name in idle)
        raise SuiteError(f"{spelled} is for a build in a container; add --backend docker (make: BACKEND=docker)")
    return place


def build_there(place: dict[str, Any], model: Model, file: Path, repository: Path) -> None:
    """Do in a container what the command line says, and end as it ends there; or print how."""
    order = container.Order(
        arguments=("build", *_spelled(click.get_current_context()), "--models", str(file.absolute())),
        folder=Path.cwd(),
        reads=(*(each.absolute() for each in models_file.files(file)), *container.read_by(model)),
        repository=repository.absolute(),
        checkout=container.checkout(),
        name=f"tf-serving-suite-converter-{os.getpid()}",
        user=f"{os.getuid()}:{os.getgid()}",
        image=place["image"] or container.IMAGE,
        gpus="all" if gpu.first().name else "",
        options=place["docker_options"],
        terminal=all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)),
    )
    if place["dry_run"]:
        click.echo(shlex.join(container.argv(order)))
    else:
        sys.exit(container.run(order))


def _spelled(context: click.Context) -> Iterator[str]:
    """What the user has typed, without these options and the file with the models."""
    for parameter in context.command.params:
        name = str(parameter.name)
        given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if not given or name in (*_OURS, "file"):
            continue
        value = context.params[name]
        if isinstance(parameter, click.Argument):
            yield str(value)
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            yield parameter.opts[0]
        else:
            yield from (f"{parameter.opts[0]}={each}" for each in (value if parameter.multiple else (value,)))
