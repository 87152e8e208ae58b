"""Run a recipe: one pass after the other, graphs handed on in memory and folders written where they are read."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from converters import graphs, registry, remarks
from converters.graphs import Graph
from converters.recipes import Step
from model_config.errors import BuildError
from model_config.manifest import StepRecord

# told before each step, and after it what it did
Report = Callable[[Step, "StepRecord | None"], None]


@dataclass(frozen=True)
class _Result:
    """What a step starts from or gives.

    Attributes:
        folder: where it lies, or would lie.
        graph: what lies there; None where that was not read.
    """

    folder: Path
    graph: Graph | None = None

    @property
    def operations(self) -> int:
        """How many it has, those inside functions included."""
        if self.graph is None:
            return graphs.operations(self.folder)
        return sum(1 for _ in graphs.nodes(self.graph.graph_def))


def run(steps: Sequence[Step], source: Path, target: Path, report: Report) -> tuple[StepRecord, ...]:
    """Take the SavedModel in ``source`` through all steps to ``target``.

    Beside it stays what a step was given that wants a folder or learns from data (``after``), as it may run again.
    """
    todo = [(step, registry.find(step.name)) for step in steps]  # fail before any work
    if not todo:
        raise BuildError("a recipe needs at least one step")
    records: list[StepRecord] = []
    result, count = _Result(source), graphs.operations(source)
    for number, (step, apply) in enumerate(todo, start=1):
        place = target if number == len(todo) else after(number, step, target)
        following = todo[number] if number < len(todo) else None
        report(step, None)
        start = time.perf_counter()
        with remarks.collected() as heard:
            result = _applied(step, apply, result, place, following)
        records.append(_record(step, count, result.operations, time.perf_counter() - start, heard))
        report(step, records[-1])
        count = records[-1].operations_after
    return tuple(records)


def after(number: int, step: Step, target: Path) -> Path:
    """Where the result of a step lies, counted from 1, beside that of the last one."""
    return target.with_name(f"{number}-{step.name}")


def _applied(
    step: Step, apply: registry.Pass, given: _Result, place: Path, following: tuple[Step, registry.Pass] | None
) -> _Result:
    transform = registry.transform(apply)
    if transform is None:
        apply(given.folder, place, **step.params)
        return _Result(place)
    graph = transform(given.graph or graphs.read(given.folder), **step.params)
    read_there = following is not None and registry.transform(following[1]) is None
    if following is None or following[0].calibrated or read_there:
        graphs.write(graph, place)
    return _Result(place, None if read_there else graph)


def _record(step: Step, before: int, operations: int, seconds: float, heard: Sequence[str]) -> StepRecord:
    return StepRecord(
        name=step.name,
        params=step.params,
        operations_before=before,
        operations_after=operations,
        seconds=round(seconds, 3),
        remarks=tuple(heard),
    )
