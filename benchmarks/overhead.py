"""What the pipeline costs beyond the transforms themselves: python benchmarks/overhead.py

Runs the steps of versions 2, 3 (without the calibrated one) and 7 of the COCO SSD as a build does, from folder to
folder, and as bare calls on one graph in memory, in turns.
"""

from __future__ import annotations

import inspect
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # a program, not a package
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import graphs as subjects

from converters import graphs, pipeline, recipes, registry, sources
from converters.recipes import Step
from model_config import models

RECIPES = ("quantized_weights", "quantized_nodes", "optimized")
SUBJECT = "ssd_mobilenet_v1_coco"
ROUNDS = 3


def measure() -> dict[str, dict[str, float]]:
    """By recipe: seconds either way, the medians of a few rounds, and how much longer the pipeline takes."""
    subject = subjects.SUBJECTS[SUBJECT]
    with TemporaryDirectory() as folder:
        scratch = Path(folder)
        model = models.parse(SUBJECT, subject.entry(subject.frozen(scratch), scratch), "benchmark")
        sources.locate(model).load(scratch / "source", whole=False)
        return {name: _compared(_steps(name, model), scratch) for name in RECIPES}


def _steps(recipe: str, model: Any) -> list[Step]:
    return [step for step in recipes.find(recipe).steps_for(model) if not step.calibrated]


def _compared(steps: Sequence[Step], scratch: Path) -> dict[str, float]:
    taken: dict[Callable[..., None], list[float]] = {_piped: [], _bare: []}
    for _ in range(ROUNDS):
        for run, seconds in taken.items():
            with TemporaryDirectory(dir=scratch) as folder:
                start = time.perf_counter()
                run(steps, scratch / "source", Path(folder, "done"))
                seconds.append(time.perf_counter() - start)
    piped, bare = (statistics.median(seconds) for seconds in taken.values())
    return {"pipeline_s": round(piped, 2), "bare_s": round(bare, 2), "overhead": round(piped / bare - 1, 3)}


def _piped(steps: Sequence[Step], source: Path, target: Path) -> None:
    pipeline.run(steps, source, target, lambda *_: None)


def _bare(steps: Sequence[Step], source: Path, target: Path) -> None:
    """Read once, transform, write once; freezing works on folders either way."""
    first, *rest = steps
    registry.find(first.name)(source, target.with_name("frozen"), **first.params)
    graph = graphs.read(target.with_name("frozen"))
    for step in rest:
        graph = inspect.unwrap(registry.find(step.name))(graph, **step.params)
    graphs.write(graph, target)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
