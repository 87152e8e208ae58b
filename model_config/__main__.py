"""Show the models, render the model config, choose the versions that are served."""

from __future__ import annotations

from pathlib import Path

import click

from model_config import base_path, models, options, server_config
from model_config.console import Commands, print_json, print_line, print_table
from model_config.errors import SuiteError

_labels = click.option("--label", "labels", metavar="LABEL=N", multiple=True, help="A name for a version.")


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
@_labels
@options.repository
@options.as_json
def render(name: str, versions: tuple[int, ...], labels: tuple[str, ...], repository: Path, as_json: bool) -> None:
    """Print the model config that serves these versions of NAME."""
    served = server_config.choose(repository, name, versions, _parsed(labels))
    config = server_config.render([served])
    print_line(config.rstrip(), {"config": config}, as_json)


@main.command()
@click.argument("name")
@options.versions
@_labels
@options.repository
@options.as_json
def use(name: str, versions: tuple[int, ...], labels: tuple[str, ...], repository: Path, as_json: bool) -> None:
    """Write the model config that serves these versions of NAME, and print its path."""
    served = server_config.choose(repository, name, versions, _parsed(labels))
    path = server_config.write([served], repository)
    print_line(str(path), {"path": str(path)}, as_json)


def _parsed(labels: tuple[str, ...]) -> dict[str, int]:
    parts = [label.partition("=") for label in labels]
    for label, _, number in parts:
        if not label or not number.isdigit():
            raise SuiteError(f"a label is given as LABEL=N, such as stable=4, not {label!r}")
    return {label: int(number) for label, _, number in parts}


def _declared(model: models.Model | None) -> str:
    return ", ".join(f"{n} {recipe}" for n, recipe in model.versions.items()) if model else "not in models.yaml"


def _row(version: base_path.Version) -> dict[str, object]:
    made = version.manifest
    recipe = made.recipe if made else None
    return {"version": version.number, "recipe": recipe, "size_bytes": version.size_bytes, "path": str(version.path)}


if __name__ == "__main__":
    main(prog_name="python -m model_config")
