"""Options that several command lines share, so that they are spelled and explained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from model_config import places
from model_config.errors import SuiteError


def _labels(context: click.Context, parameter: click.Parameter, given: Any) -> dict[str, int]:
    """LABEL=N as a mapping."""
    parts = [label.partition("=") for label in given]
    for label, _, number in parts:
        if not label or not number.isdigit():
            raise SuiteError(f"a label is given as LABEL=N, such as stable=4, not {label!r}")
    return {label: int(number) for label, _, number in parts}


labels = click.option(
    "--label", "labels", metavar="LABEL=N", multiple=True, callback=_labels, help="A name for a version."
)
apart = click.option(
    "--apart", is_flag=True, help="Serve each version under a name of its own, NAME_v5: metrics a version."
)
batching = click.option(
    "--batching", is_flag=True, help="Let the server put requests together to the versions' batch sizes."
)
bfloat16 = click.option("--bfloat16", is_flag=True, help="Let processors that have it compute in bfloat16.")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
repository = click.option(
    "--repository",
    type=click.Path(path_type=Path),
    default=places.REPOSITORY,
    show_default=True,
    help="Folder with one base path a model.",
)
models_file = click.option(
    "--models",
    "file",
    type=click.Path(path_type=Path),
    default=places.MODELS_FILE,
    help="The file with the models; model_config/models.yaml when left out.",
)
versions = click.option("--version", "versions", type=int, multiple=True, required=True, help="May be repeated.")
server = click.option("--server", default="127.0.0.1:8500", show_default=True, help="HOST:PORT.")
model = click.option("--model", required=True, help="The model's name on the server.")
