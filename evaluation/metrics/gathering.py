"""The metrics of each task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from evaluation.datasets.questions import Dataset
from evaluation.metrics.average_precision import AveragePrecision
from evaluation.metrics.evidence import Evidence
from evaluation.metrics.first_guesses import FirstGuesses
from evaluation.metrics.ranking import Ranking
from evaluation.metrics.verification import Verification
from model_config.models import Task

_BY_TASK: Final[Mapping[str, Callable[[Task, Dataset], Evidence]]] = MappingProxyType(
    {
        "detection": lambda task, dataset: AveragePrecision(dataset, task.metric),
        "classification": lambda task, dataset: FirstGuesses(),
        "multi_label": lambda task, dataset: Ranking(),
        "embedding": lambda task, dataset: Verification(dataset),
    }
)


_GUESSES: Final = 5  # that top-5 looks at


def in_full(task: Task) -> Task:
    """The task with as many guesses in its answers as metrics look at, however many users see."""
    decode = task.decode.model_copy(update={"top": max(task.decode.top, _GUESSES)})
    return task.model_copy(update={"decode": decode})


def evidence(task: Task, dataset: Dataset) -> Evidence | None:
    """What gathers one version's answers; None without labels."""
    return _BY_TASK[task.type](task, dataset) if dataset.labelled else None
