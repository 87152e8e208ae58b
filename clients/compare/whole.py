"""Answers, speed and costs put together into one comparison."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Final

from clients import environment
from clients.compare import judging, run, worst
from clients.comparison import Compared, Comparison, Costs, Row
from evaluation.datasets.questions import Dataset

WORST: Final = "worst"  # the folder of their pictures in that of the results


def comparison(
    wanted: run.Wanted,
    dataset: Dataset,
    speed: Mapping[int, tuple[Row, ...]],
    costs: Mapping[int, Costs],
    command: str,
) -> Comparison:
    """All that was found, from the files of answers.

    Args:
        speed, costs: by version; nothing for those that were not measured.
        command: the one that runs.
    """
    with run.stores(wanted.folder, wanted.versions) as files:
        judged = judging.judge(files, dataset, wanted.task)
        recipes = run.recipes(files)
    worst.write(judged.examples, wanted.folder / WORST)
    versions = tuple(_compared(wanted, n, recipes[n], judged, speed.get(n, ()), costs[n]) for n in wanted.versions)
    return Comparison(
        wanted.model,
        wanted.versions[0],
        versions,
        judged.examples,
        judged.unread,
        environment.describe(),
        _commands(wanted, command),
    )


def _commands(wanted: run.Wanted, command: str) -> tuple[str, ...]:
    """From the entry in models.yaml to this comparison."""
    versions = [part for number in wanted.versions for part in ("--version", str(number))]
    build = shlex.join(["python", "-m", "converters", "build", wanted.model, *versions])
    serve = shlex.join(["python", "-m", "serving", "up", "--model", wanted.model, *versions, "--detach"])
    return build, serve, command


def _compared(
    wanted: run.Wanted, version: int, recipe: str, judged: judging.Judged, speed: tuple[Row, ...], costs: Costs
) -> Compared:
    built = wanted.built(version)
    made = built.manifest if built else None
    return Compared(
        version,
        recipe,
        judged.accuracy[version],
        costs,
        speed,
        made.tensorrt.verified_on if made and made.tensorrt else None,
        made.remarks if made else (),
    )
