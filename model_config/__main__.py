"""Show the models, render the model config, choose the versions that are served."""

from __future__ import annotations

from model_config import interrupts

if __name__ == "__main__":
    interrupts.prepare()

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from model_config import base_path, fit, models, options, server_config
from model_config.console import Commands, print_json, print_line, print_table, stderr

_root = click.option("--root", help="Where the server sees the repository if elsewhere, such as /models.")


@click.group(cls=Commands)
def main() -> None:
    """The models, their versions on disk, and which of them are served."""


@main.command()
@options.models_file
@options.repository
@options.as_json
def show(file: Path, repository: Path, as_json: bool) -> None:
    """List the models of models.yaml and the versions built so far."""
    known = models.load(file)
    built = {name: base_path.scan(repository, name) for name in sorted({*known, *base_path.models(repository)})}
    if as_json:
        print_json({name: [_row(version) for version in versions.values()] for name, versions in built.items()})
        return
    rows = [(name, _declared(known.get(name)), ", ".join(map(str, found)) or "-") for name, found in built.items()]
    print_table("models", ("model", "versions declared", "built"), rows, left=3)


@main.command()
@click.argument("name")
@options.versions
@options.labels
@options.apart
@_root
@options.repository
@options.as_json
def render(
    name: str,
    versions: tuple[int, ...],
    labels: dict[str, int],
    apart: bool,
    root: str | None,
    repository: Path,
    as_json: bool,
) -> None:
    """Print the model config that serves these versions of NAME."""
    served = server_config.choose(repository, name, versions, labels)
    config = server_config.render(_seen(served.apart() if apart else [served], root))
    print_line(config.rstrip(), {"config": config}, as_json)


@main.command()
@click.argument("name")
@options.versions
@options.labels
@options.apart
@_root
@click.option("--image", default=fit.STOCK_IMAGE, show_default=True, help="The server they are to fit.")
@options.batching
@options.bfloat16
@options.repository
@options.as_json
def use(
    name: str,
    versions: tuple[int, ...],
    labels: dict[str, int],
    apart: bool,
    root: str | None,
    image: str,
    batching: bool,
    bfloat16: bool,
    repository: Path,
    as_json: bool,
) -> None:
    """Write the config that serves these versions of NAME, beside what it serves of other models; print its path.

    A running server takes it up with: python -m serving swap. Labels are the recipes' names, the numbers
    themselves and 'stable' for the version that is named first, unless --label says otherwise.
    """
    from model_config import bundle

    chosen = server_config.choose(repository, name, versions, labels)
    fit.require([base_path.require(repository, name, number) for number in versions], fit.of_image(image))
    former = _seen(server_config.read(repository / server_config.FILE), str(repository.resolve()))
    models = server_config.instead(former, chosen.apart() if apart else [chosen])
    choices = bundle.Choices(batching, bfloat16)
    made = bundle.make(_seen(models, root), bundle.versions_of(models, repository), choices)
    made.write(repository)
    path, flags = repository / server_config.FILE, made.flags(root or str(repository.resolve()))
    stderr().print(f"a server started by hand needs: {shlex.join(flags)}")
    print_line(str(path), {"path": str(path), "flags": flags}, as_json)


@main.command()
@click.argument("name")
@click.option("--no-data", is_flag=True, help="Without the data sets that the model is calibrated and compared on.")
@click.option("--again", is_flag=True, help="Also what is there already.")
@options.models_file
@options.as_json
def fetch(name: str, no_data: bool, again: bool, file: Path, as_json: bool) -> None:
    """Download the model or data set NAME from its publisher, check and unpack it.

    A download that broke goes on where it stopped. A folder appears when all of it is there, or not at all.
    """
    from model_config.fetching import command, wanted

    done = command.fetch_all(wanted.wanted(name, *models.load_all(file), data=not no_data), again)
    if as_json:
        print_json(done)
    else:
        click.echo("\n".join(f"{folder}: {what}" for folder, what in done.items()))


def _seen(models: Sequence[server_config.Served], root: str | None) -> list[server_config.Served]:
    return [served.below(root) if root else served for served in models]


def _declared(model: models.Model | None) -> str:
    if model is None:
        return "not in models.yaml"
    if model.versions == models.DEFAULT_VERSIONS:
        return f"the usual {min(model.versions)} to {max(model.versions)}"
    return ", ".join(f"{n} {recipe}" for n, recipe in model.versions.items())


def _row(version: base_path.Version) -> dict[str, object]:
    made = version.manifest
    recipe = made.recipe if made else None
    return {"version": version.number, "recipe": recipe, "size_bytes": version.size_bytes, "path": str(version.path)}


if __name__ == "__main__":
    with interrupts.ignored_at_the_end():
        main(prog_name="python -m model_config")
