"""Run a recipe: one pass after the other, each from folder to folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from converters import graphs, registry, remarks
from converters.recipes import Step
from model_config.errors import BuildError
from model_config.manifest import StepRecord

# told before each step, and after it what it did
Report = Callable[[Step, "StepRecord | None"], None]


def run(steps: Sequence[Step], source: Path, target: Path, report: Report) -> tuple[StepRecord, ...]:
    """Take the SavedModel in ``source`` through all steps to ``target``; intermediate results stay beside it."""
    todo = [(step, registry.find(step.name)) for step in steps]  # fail before any work
    if not todo:
        raise BuildError("a recipe needs at least one step")
    records: list[StepRecord] = []
    count = graphs.operations(source)
    for number, (step, apply) in enumerate(todo, start=1):
        result = target if number == len(todo) else after(number, step, target)
        report(step, None)
        records.append(_timed(step, apply, source, result, count))
        report(step, records[-1])
        source, count = result, records[-1].operations_after
    return tuple(records)


def after(number: int, step: Step, target: Path) -> Path:
    """Where the result of a step lies, counted from 1, beside that of the last one."""
    return target.with_name(f"{number}-{step.name}")


def _timed(step: Step, apply: registry.Pass, source: Path, target: Path, before: int) -> StepRecord:
    start = time.perf_counter()
    with remarks.collected() as heard:
        apply(source, target, **step.params)
    return StepRecord(
        name=step.name,
        params=step.params,
        operations_before=before,
        operations_after=graphs.operations(target),
        seconds=round(time.perf_counter() - start, 3),
        remarks=tuple(heard),
    )
