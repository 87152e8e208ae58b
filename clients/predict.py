"""The command that asks a model about pictures and videos."""

from __future__ import annotations

# what needs more than click is imported when the command runs, so that --help comes at once
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clients.options import connection as the_connection
from model_config import options
from model_config.errors import SuiteError

if TYPE_CHECKING:
    from clients.connection import Connection
    from model_config.models import Task


@click.command()
@click.argument("sources", nargs=-1)
@click.option("--image", "images", multiple=True, help="Another SOURCE; may be repeated.")
@the_connection
@options.model
@click.option("--version", type=int, help="The latest when left out.")
@click.option("--output", type=click.Path(path_type=Path), help="Draw into this file, or for several this folder.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Pictures a request at most.")
@click.option("--limit", type=click.IntRange(1), help="Stop after so many frames.")
@click.option("--min-score", default=0.3, show_default=True, help="What a detector scores less is left out.")
@click.option(
    "--task",
    "kind",
    type=click.Choice(("detection", "classification", "multi_label", "embedding")),
    help="For a model that is in no models.yaml.",
)
@click.option("--labels", help="A file (text, JSON, CSV, .pbtxt), or coco, instead of what models.yaml says.")
@click.option(
    "--repository",
    type=click.Path(path_type=Path),
    help="Folder of base paths; batches are then held against the sizes the version declares.",
)
@click.option("--timeout", default=60.0, show_default=True, help="Seconds an answer may take.")
@options.models_file
@options.as_json
def predict(
    sources: tuple[str, ...],
    images: tuple[str, ...],
    connection: Connection,
    model: str,
    version: int | None,
    output: Path | None,
    batch: int,
    limit: int | None,
    min_score: float,
    kind: str | None,
    labels: str | None,
    repository: Path | None,
    timeout: float,
    file: Path,
    as_json: bool,
) -> None:
    """Ask about pictures and videos: files, folders, patterns, or the number of a camera.

    With --json, one JSON object a picture or frame on a line of its own.

    Example: python -m clients predict photo.jpg --model demo --version 2 --output found.jpg
    """
    from clients import footage, predicting
    from clients.ask import Expert
    from clients.client import Client

    found = footage.find([*sources, *images])
    if not found:
        raise SuiteError("nothing to ask about: name pictures, videos, folders, patterns, or the number of a camera")
    task = _task(file, model, kind, labels)
    wishes = predicting.Wishes(output, batch, limit, min_score, as_json)
    with Client(connection, timeout, repository=repository) as client:
        predicting.run(Expert.connect(client, model, version, task=task), found, wishes)


def _task(file: Path, model: str, kind: str | None, labels: str | None) -> Task:
    from model_config import models

    known = models.load(file).get(model)
    task = known.task if known else models.Task()
    given = {"type": kind, "labels": labels}
    return task.model_copy(update={key: value for key, value in given.items() if value is not None})
