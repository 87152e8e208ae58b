"""Comparisons as values, for what is made from them alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from clients.comparison import Accuracy, Compared, Comparison, Costs, Difference, Example, Score
from evaluation import pictures
from evaluation.tasks.detection import Detected, Detection
from model_config.goals import Goal, Goals

GOALS = Goals(accuracy=Goal(max_degradation=0.02), p99=Goal(threshold=4), throughput=Goal(threshold=50))
FOUND = Detection((10.0, 20.0, 60.0, 80.0), 3, "cat & <dog>", 0.91)


def load(rate: float, p99: float | None = 5.0, batch: int = 1, callers: int = 1, **more: Any) -> dict[str, Any]:
    """A row as the load generator writes it, as far as a comparison reads it."""
    between = [rate * 0.98, rate * 1.02]
    times = {"p50_ms": 2.0, "p90_ms": 3.0, "p99_ms": p99, "mean_ms": 2.2}
    return {
        **{"batch": batch, "concurrency": callers, "rate": None, "requests": 500, "verdict": "VALID", "doubts": []},
        **{"images_per_s": rate, "images_per_s_interval": between},
        **times,
        **{f"p{percent}_ms_interval": [1.9, 5.2] for percent in (50, 90, 99)},
        "latencies": [(1.0, 2.0, 300), (2.0, 4.0, 180), (8.0, 16.0, 20)],
        **more,
    }


def bounded(rate: float, kept: bool) -> dict[str, Any]:
    """What a search for the highest rate under 7 ms ends with."""
    slo = {"bound_ms": 7.0, "percent": 99.0, "kept": kept, "tried": []}
    return {**load(rate), "concurrency": None, "rate": rate, "slo": slo}


def compared(version: int, value: float, *rows: dict[str, Any], gap: tuple[float, float] = (0, 0), **more: Any) -> Any:
    """A version with an accuracy, whose difference from 0.9 lies in a gap, and its loads."""
    difference = None if version == 1 else Difference(value - 0.9, *gap)
    accuracy = Accuracy(100, (Score("AP", value, difference),), {}, Score("agreement", 0.99), ())
    costs = Costs(version * 1_000_000, **more)
    return Compared(version, f"recipe_{version}", accuracy, costs, rows or (load(100.0 * version),), None, ())


def comparison(*versions: Compared, **more: Any) -> Comparison:
    """One of a model called m, held against the first version."""
    known: dict[str, Any] = {"examples": (), "unread": (), "environment": {"cores": "2"}, "commands": ("make compare",)}
    return Comparison("m", versions[0].version, versions, **{**known, **more})


def example(folder: Path, name: str = "a.png", drift: float = 0.5) -> Example:
    """A picture on which version 1 finds what the labels say, and version 2 nothing."""
    path = folder / name
    pictures.write(np.full((100, 120, 3), 90, np.uint8), path)
    seen = Detected((FOUND,))
    return Example(name, partial(pictures.read, path), seen, {1: seen, 2: Detected(())}, {1: 0.0, 2: drift})


def full(folder: Path) -> Comparison:
    """Three versions with everything that can be known of one."""
    costs = {"load_seconds": 1.5, "memory_bytes": 6 * 10**8, "gpu_memory_bytes": 10**9}
    many = [load(120.0, batch=batch, callers=callers) for batch in (1, 8) for callers in (1, 4)]
    versions = (
        compared(1, 0.9, *many, bounded(100.0, True), **costs),
        compared(2, 0.89, load(310.0, p99=3.5), bounded(250.0, True), gap=(-0.03, 0.01), **costs),
        replace(compared(5, 0.7, load(900.0, doubts=["it was <odd>"]), gap=(-0.3, -0.1)), recipe="trt_int8_and_more_"),
    )
    versions = (*versions[:2], replace(versions[2], verified_on="NVIDIA H200"))
    found = comparison(*versions, unread=("b.png: is no picture",), environment={"cores": "2", "time": "2026-01-02T03"})
    three = [example(folder, name, drift) for name, drift in (("a.png", 0.5), ("b.png", 0.25))]
    return replace(found, examples=tuple(replace(each, answers={**each.answers, 5: each.answers[1]}) for each in three))
