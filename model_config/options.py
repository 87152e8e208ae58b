"""Options that several command lines share, so that they are spelled and explained alike."""

from __future__ import annotations

from pathlib import Path

import click

from model_config import places

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
