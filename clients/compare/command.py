"""python -m clients compare: the same questions to every version, and which one to ship."""

from __future__ import annotations

# what is heavy is imported where it is needed, so that --help comes at once
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clients.compare import wishes
from clients.options import connection
from model_config import options
from model_config.console import Commands, print_line, progress
from model_config.errors import SuiteError

if TYPE_CHECKING:
    from rich.progress import Progress

    from clients.compare.run import Wanted
    from clients.connection import Connection
    from evaluation.datasets.questions import Dataset
    from model_config.data import Data
    from model_config.models import Model

_path = click.Path(path_type=Path)
LAYOUTS = ("coco", "folders", "findings", "pairs", "idx", "npz", "pictures")


def _data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where the questions are."""
    for option in reversed(
        (
            click.option("--data", type=_path, help="Labelled data; what models.yaml names when left out."),
            click.option("--layout", type=click.Choice(LAYOUTS), help="Of the data; what it looks like when left out."),
            click.option("--pictures", type=_path, help="Folder of its pictures, where that is another."),
            click.option("--limit", type=click.IntRange(1), help="So many questions at most."),
        )
    ):
        command = option(command)
    return command


@click.group(cls=Commands, invoke_without_command=True)
@connection
@click.option("--model", help="The model's name on the server.")
@click.option("--version", "versions", type=int, multiple=True, help="May be repeated.")
@_data_options
@click.option("--ask-batch", type=click.IntRange(1), default=1, show_default=True, help="Questions a request.")
@click.option("--in-flight", type=click.IntRange(1), default=4, show_default=True, help="Requests while asking.")
@click.option(
    "--workers", type=click.IntRange(1), help="Processes that ask; as many as suit the machine when left out."
)
@click.option("--shard", metavar="I/N", help="Ask only this part, such as 1/4; merge puts the parts together.")
@click.option("--output", type=_path, help="Folder for what comes of it; results/MODEL when left out.")
@options.repository
@wishes.measuring
@wishes.telling
@wishes.promoting
@options.models_file
@options.as_json
@click.pass_context
def compare(context: click.Context, /, **given: Any) -> None:
    """Ask versions the same labelled questions under the same loads, and say which one to ship; writes a page.

    The first version named is what the others are held against. When it is interrupted, the same command goes on.
    The exit code is 0 when a version meets every goal, and 3 when none does.

    Example: python -m clients compare --model demo --version 1 --version 2
    """
    if context.invoked_subcommand:
        return
    if not given["model"] or not given["versions"]:
        raise SuiteError("say what to compare: --model NAME --version 1 --version 2")
    context.exit(_compare(**given))


@compare.command()
@click.argument("folders", type=_path, nargs=-1, required=True, metavar="FOLDER…")
@click.option(
    "--version", "versions", type=int, multiple=True, help="The first is the reference; ascending when left out."
)
@_data_options
@click.option("--output", type=_path, help="Folder for what comes of it; results/MODEL when left out.")
@options.repository
@wishes.telling
@options.models_file
@options.as_json
@click.pass_context
def merge(context: click.Context, /, folders: tuple[Path, ...], versions: tuple[int, ...], **given: Any) -> None:
    """Put the answers of all shards together: the result is that of one run.

    Example: python -m clients compare merge results/shard-1 results/shard-2 --data coco
    """
    from clients.compare import measuring, merging, run, telling, whole

    model, there = merging.model_of(folders)
    chosen = tuple(dict.fromkeys(versions)) or there
    if set(chosen) != set(there):
        raise SuiteError(f"the folders hold answers of versions {', '.join(map(str, there))}; name these, or none")
    goals = telling.goals_of(model, given["file"], given["goals"])
    wanted, dataset = _wanted(model, chosen, given)
    merging.merge(folders, wanted, dataset)
    found = whole.comparison(wanted, dataset, {}, measuring.costs_of(wanted, ""), _command())
    run.finish(wanted)
    context.exit(telling.tell(found, wanted, goals, given, None))


def _compare(connection: Connection, model: str, versions: tuple[int, ...], **given: Any) -> int:
    from clients import costs
    from clients.client import Client
    from clients.compare import measuring, run, telling, whole
    from clients.loadgen.measure import target_of

    goals = telling.goals_of(model, given["file"], given["goals"])  # wrong ones are told before hours of asking
    wanted, dataset = _wanted(model, tuple(dict.fromkeys(versions)), given)
    with Client(connection) as client, progress() as bars:
        asked = len(wanted.places(dataset))
        told = _bars(bars, "asking", versions, asked)
        experts = run.ask(client, wanted, dataset, told)
        if wanted.shard.total > 1:
            bars.stop()
            _tell_shard(wanted, asked, given["as_json"])
            return 0
        loads = measuring.possible(measuring.loads_of(given), experts)
        if len(loads.batches) < len(given["batches"]):
            bars.console.print(f"measured with batch {_listed(loads.batches)} alone, as a version takes no other")
        measured = _bars(bars, "measuring", versions, loads.steps)
        speed = measuring.measure(experts, wanted, dataset, loads, measured)
        takes = measuring.costs_of(wanted, costs.metrics_of(target_of(connection), given["metrics_url"]))
        found = whole.comparison(wanted, dataset, speed, takes, _command())
        run.finish(wanted)
        bars.stop()
        return telling.tell(found, wanted, goals, given, client)


def _wanted(model: str, versions: tuple[int, ...], given: dict[str, Any]) -> tuple[Wanted, Dataset]:
    from clients.compare.run import Wanted
    from clients.compare.windows import Shard
    from evaluation import truth
    from evaluation.datasets import loading
    from evaluation.tasks import prepared
    from model_config import models

    known = models.load(given["file"]).get(model)
    task = known.task if known else models.Task()
    dataset = loading.load(_data(given, known))
    truth.require_fitting(task.type, dataset, prepared.labels_of(task))
    shard = Shard.parse(given["shard"]) if given.get("shard") else Shard()
    usual = Path("results", model, *([f"shard-{shard.number}-of-{shard.total}"] if shard.total > 1 else []))
    wanted = Wanted(
        model,
        versions,
        task,
        given["repository"],
        given["output"] or usual,
        given.get("ask_batch", 1),
        given.get("in_flight", 1),
        shard,
        given.get("workers"),
    )
    return wanted, dataset


def _tell_shard(wanted: Wanted, asked: int, as_json: bool) -> None:
    said = {"model": wanted.model, "shard": str(wanted.shard), "asked": asked, "folder": str(wanted.folder)}
    words = f"shard {wanted.shard}: {asked} questions to each version are answered in {wanted.folder}"
    print_line(f"{words}; when all shards are: python -m clients compare merge FOLDER…", said, as_json)


def _data(given: dict[str, Any], known: Model | None) -> Data:
    """What the user names, and what models.yaml says of it otherwise."""
    from model_config.data import Data

    declared = known.data if known else None
    if given["data"] is None and declared is None:
        raise SuiteError("nothing to compare on: name labelled pictures with --data, or as 'data' in models.yaml")
    if given["data"] is None and known and known.without_unfetched_data().data is None:
        hint = f"get it with: make fetch MODEL={known.name}, or name other labelled data with --data"
        raise SuiteError(f"nobody has fetched {declared} yet; {hint}")
    chosen = {"format": given["layout"], "pictures": given["pictures"], "limit": given["limit"]}
    said = {key: value for key, value in chosen.items() if value is not None}
    start = Data(path=given["data"]) if given["data"] or declared is None else declared
    return start.model_copy(update=said)


def _bars(bars: Progress, verb: str, versions: tuple[int, ...], total: int) -> Callable[[int, int], None]:
    """One progress bar a version; the result is told the version and how much more is done."""
    tasks = {number: bars.add_task(f"{verb} version {number}", total=total, start=False) for number in versions}

    def advance(number: int, more: int) -> None:
        bars.start_task(tasks[number])  # its clock starts with its own first step
        bars.advance(tasks[number], more)

    return advance


def _listed(batches: Sequence[int]) -> str:
    return ", ".join(map(str, batches))


def _command() -> str:
    """The command line that runs, as one would type it."""
    return shlex.join(["python", "-m", "clients", *sys.argv[1:]])
