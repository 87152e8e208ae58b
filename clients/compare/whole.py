"""Answers, speed and sizes put together into one comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from clients import bench, environment
from clients.ask import Expert
from clients.compare import judging, run, worst
from clients.comparison import Compared, Comparison, Costs, Row
from clients.loadgen.plan import Point, Rules
from evaluation.datasets.questions import Content, Dataset
from evaluation.errors import BadPicture

WORST: Final = "worst"  # the folder of their pictures in that of the results
_PAYLOAD: Final = 16  # questions to measure with


def measure(
    experts: Mapping[int, Expert], dataset: Dataset, given: Mapping[str, Any], done: Callable[[int, int], None]
) -> Mapping[int, Row]:
    """The figures of each version under the load that the command line says."""
    load = Point(None, given["batch"], given["concurrency"])
    rules = Rules(given["warm_up"], requests=given["requests"])
    return bench.measure(experts, list(islice(_contents(dataset), _PAYLOAD)), load, rules, done)


def _contents(dataset: Dataset) -> Iterator[Content]:
    for question in dataset.questions:
        with suppress(BadPicture):  # it is told among those that could not be asked
            yield question.read()


def comparison(wanted: run.Wanted, dataset: Dataset, speed: Mapping[int, Row], command: str) -> Comparison:
    """All that was found, from the files of answers."""
    with run.stores(wanted.folder, wanted.versions) as files:
        judged = judging.judge(files, dataset, wanted.task)
        recipes = run.recipes(files)
    examples = worst.write(judged.examples, dataset, wanted.folder / WORST)
    versions = tuple(_compared(wanted, n, recipes[n], judged, speed.get(n)) for n in wanted.versions)
    return Comparison(
        wanted.model,
        wanted.versions[0],
        versions,
        examples,
        judged.unread,
        environment.describe(),
        (command,),
    )


def _compared(wanted: run.Wanted, version: int, recipe: str, judged: judging.Judged, speed: Row | None) -> Compared:
    built = wanted.built(version)
    made = built.manifest if built else None
    return Compared(
        version,
        recipe,
        judged.accuracy[version],
        Costs(size_bytes=built.size_bytes if built else None),
        (speed,) if speed else (),
        made.tensorrt.verified_on if made and made.tensorrt else None,
        tuple(speed["doubts"]) if speed else (),
    )
