"""Ask a server about pictures, measure it, compare what its versions answer."""

from __future__ import annotations

# every command imports what it needs itself, so that --help comes at once
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clients.loadgen.command import bench
from clients.options import connection
from clients.predict import predict
from model_config import options
from model_config.console import Commands, print_json, progress, stderr
from model_config.errors import SuiteError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress

    from clients.ask import Detector
    from clients.client import Client
    from clients.connection import Connection
    from model_config.models import Model, Task


# what goes wrong is told in a sentence of ours; these libraries would write lines of their own before it
for _chatty, _silent in (("OPENCV_LOG_LEVEL", "OFF"), ("OPENCV_FFMPEG_LOGLEVEL", "-8"), ("GRPC_VERBOSITY", "NONE")):
    os.environ.setdefault(_chatty, _silent)


@click.group(cls=Commands)
def main() -> None:
    """Ask a TensorFlow Serving server, without TensorFlow."""


main.add_command(predict)
main.add_command(bench)


@main.command()
@connection
@options.model
@click.option("--signatures", is_flag=True, help="Also what every available version takes and gives.")
@options.as_json
def status(connection: Connection, model: str, signatures: bool, as_json: bool) -> None:
    """Show the versions of a model on the server and the state of each."""
    from clients import status as server_status

    found = server_status.look(connection, model, signatures)
    print_json(found) if as_json else server_status.show(found)


_requests = click.option("--requests", default=1000, show_default=True, help="Requests a version.")
_warm_up = click.option("--warm-up", default=50, show_default=True, help="Requests before them that do not count.")
_batch = click.option("--batch", default=1, show_default=True, help="Pictures a request.")
_concurrency = click.option("--concurrency", default=1, show_default=True, help="Requests in flight.")


@main.command()
@connection
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
    connection: Connection,
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
    from evaluation import datasets
    from model_config import models

    known = models.load(file).get(model)
    dataset = datasets.load(_data(data, known))
    task = known.task if known else models.Task()
    load, rules = Point(None, batch, concurrency), Rules(warm_up, requests=requests)
    with Client(connection) as client, progress() as bars:
        detectors = _detectors(client, model, versions, task)
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


def _detectors(client: Client, model: str, versions: tuple[int, ...], task: Task) -> dict[int, Detector]:
    from clients.ask import Detector

    return {number: Detector.connect(client, model, number, task=task) for number in versions}


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
