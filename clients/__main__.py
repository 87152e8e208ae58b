"""Ask a server about pictures, measure it, compare what its versions answer."""

from __future__ import annotations

# every command imports what it needs itself, so that --help comes at once
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clients.loadgen.command import bench
from model_config import options
from model_config.console import Commands, print_json, print_table, progress, stderr
from model_config.errors import SuiteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.progress import Progress

    from clients.ask import Detector
    from clients.client import Client
    from evaluation.pictures import Picture
    from evaluation.tasks.detection import Detection
    from model_config.models import Model


@click.group(cls=Commands)
def main() -> None:
    """Ask a TensorFlow Serving server, without TensorFlow."""


@main.command()
@options.server
@options.model
@options.as_json
def status(server: str, model: str, as_json: bool) -> None:
    """Show the versions of a model on the server and the state of each."""
    from clients import status as server_status

    found = server_status.look(server, model)
    print_json(found) if as_json else server_status.show(found)


@main.command()
@options.server
@options.model
@click.option("--version", type=int, help="The latest when left out.")
@click.option(
    "--image", "images", type=click.Path(path_type=Path), multiple=True, required=True, help="May be repeated."
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="Draw into this file, or with several images this folder."
)
@click.option("--min-score", default=0.3, show_default=True, help="What scores less is left out.")
@click.option("--labels", help="A text file with one label a line, or coco, instead of what models.yaml says.")
@options.models_file
@options.as_json
def predict(
    server: str,
    model: str,
    version: int | None,
    images: tuple[Path, ...],
    output: Path | None,
    min_score: float,
    labels: str | None,
    file: Path,
    as_json: bool,
) -> None:
    """Find things in pictures; with --json, one JSON object a picture.

    Example: python -m clients predict --model demo --version 2 --image photo.jpg --output found.jpg
    """
    from clients import drawing
    from evaluation import pictures

    for path, picture, answered, found in _predictions(server, model, version, images, min_score, labels, file):
        if output:
            pictures.write(drawing.draw(picture, found), output / path.name if len(images) > 1 else output)
        if as_json:
            shown = [detection.to_json() for detection in found]
            print_json({"model": model, "version": answered, "image": str(path), "detections": shown})
        else:
            _show(path, model, answered, found)


def _predictions(
    server: str,
    model: str,
    version: int | None,
    images: tuple[Path, ...],
    min_score: float,
    given: str | None,
    file: Path,
) -> Iterator[tuple[Path, Picture, int, list[Detection]]]:
    from clients.ask import Detector
    from clients.client import Client
    from evaluation import labels, pictures
    from model_config import models

    known = models.load(file).get(model)
    names = labels.load(given if given is not None else known.task.labels if known else ())
    read = [(path, pictures.read(path)) for path in images]
    with Client(server) as client:
        detector = Detector.connect(client, model, version, names)
        for path, picture in read:
            answered, (found,) = detector.detect([picture], min_score)
            yield path, picture, answered, found


def _show(path: Path, model: str, version: int, found: list[Detection]) -> None:
    rows = [(d.label, f"{d.score:.3f}", *(f"{edge:.0f}" for edge in d.box)) for d in found]
    print_table(f"{path}: {model} {version}", ("label", "score", "ymin", "xmin", "ymax", "xmax"), rows)


_requests = click.option("--requests", default=1000, show_default=True, help="Requests a version.")
_warm_up = click.option("--warm-up", default=50, show_default=True, help="Requests before them that do not count.")
_batch = click.option("--batch", default=1, show_default=True, help="Pictures a request.")
_concurrency = click.option("--concurrency", default=1, show_default=True, help="Requests in flight.")


main.add_command(bench)


@main.command()
@options.server
@options.model
@options.versions
@click.option("--data", type=click.Path(path_type=Path), help="A folder with COCO's instances.json and images/.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder for summary.json and report.html.")
@options.repository
@_requests
@_warm_up
@_batch
@_concurrency
@options.models_file
@options.as_json
def compare(
    server: str,
    model: str,
    versions: tuple[int, ...],
    data: Path | None,
    output: Path | None,
    repository: Path,
    requests: int,
    warm_up: int,
    batch: int,
    concurrency: int,
    file: Path,
    as_json: bool,
) -> None:
    """Ask versions the same labelled questions: accuracy, agreement, latency, throughput, a page to look at.

    The first version named is what the others are held against.
    """
    from clients import compare
    from clients.client import Client
    from clients.loadgen.plan import Point, Rules
    from clients.report import table, write
    from evaluation import datasets, labels
    from model_config import models

    known = models.load(file).get(model)
    dataset = datasets.load(_data(data, known))
    task = known.task if known else models.Task()
    load, rules = Point(None, batch, concurrency), Rules(warm_up, requests=requests)
    with Client(server) as client, progress() as bars:
        detectors = _detectors(client, model, versions, labels.load(task.labels))
        asked = _bars(bars, "asking", versions, len(dataset.pictures))
        measured = _bars(bars, "measuring", versions, requests)
        found = compare.compare(
            detectors, dataset, task.metric, load, rules, repository, compare.Progress(asked, measured)
        )
    summary, page = write.write(found, output or Path("results") / model, _command())
    print_json(list(found.rows)) if as_json else table.show(model, found.rows)
    stderr().print(f"written: {summary}\nopen:    {page.resolve().as_uri()}")


def _data(given: Path | None, known: Model | None) -> Path:
    folder = given or (known.data if known else None)
    if folder is None:
        raise SuiteError("nothing to compare on: name labelled pictures with --data, or as 'data' in models.yaml")
    return folder


def _detectors(client: Client, model: str, versions: tuple[int, ...], names: Mapping[int, str]) -> dict[int, Detector]:
    from clients.ask import Detector

    return {number: Detector.connect(client, model, number, names) for number in versions}


def _bars(bars: Progress, verb: str, versions: tuple[int, ...], total: int) -> Callable[[int, int], None]:
    """One progress bar a version; the result is told the version and how much more is done."""
    tasks = {number: bars.add_task(f"{verb} version {number}", total=total, start=False) for number in versions}

    def advance(number: int, more: int) -> None:
        bars.start_task(tasks[number])  # its clock starts with its own first step
        bars.advance(tasks[number], more)

    return advance


def _command() -> list[str]:
    """The command line that runs, as one would type it."""
    return [shlex.join(["python", "-m", "clients", *sys.argv[1:]])]


if __name__ == "__main__":
    main(prog_name="python -m clients")
