"""What a comparison of versions found, as plain values: the verdict, the tables and the page are made from it alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.datasets.questions import Content
from evaluation.errors import BadPicture
from evaluation.pictures import Picture
from evaluation.tasks.prepared import Answer

Row = Mapping[str, Any]  # of the load generator


@dataclass(frozen=True)
class Difference:
    """How far a version is from the reference, asked about the same questions.

    Attributes:
        value: the version's metric less the reference's.
        low, high: the 95 % interval of it, by a paired bootstrap over the questions.
    """

    value: float
    low: float
    high: float

    @property
    def significant(self) -> bool:
        """Chance alone hardly makes it."""
        return not self.low <= 0 <= self.high


@dataclass(frozen=True)
class Score:
    """A metric's value, NaN where the questions cannot tell.

    ``difference`` is None for the reference itself, and where nothing can be drawn again.
    """

    metric: str
    value: float
    difference: Difference | None = None

    @property
    def known(self) -> float | None:
        """The value, where there is one."""
        return None if math.isnan(self.value) else self.value


@dataclass(frozen=True)
class Drift:
    """How far one output's numbers are from the reference's, over all questions.

    Attributes:
        largest, mean: absolute differences.
        cosine: of the two, the smallest of all questions; 1 where they point the same way.
    """

    output: str
    largest: float
    mean: float
    cosine: float


@dataclass(frozen=True)
class Accuracy:
    """What a version's answers are worth.

    Attributes:
        asked: questions.
        scores: the first is what the goal of accuracy is about; empty without labels.
        per_class: the first score's values by label, where the metric has them.
        agreement: with the reference, from 0 to 1.
        drift: one for each output.
    """

    asked: int
    scores: tuple[Score, ...]
    per_class: Mapping[str, float]
    agreement: Score
    drift: tuple[Drift, ...]


@dataclass(frozen=True)
class Example:
    """One question worth looking at.

    Attributes:
        name: what the data set calls it.
        read: its picture or tensors, as they were asked about.
        truth: what the labels say, in the task's own words; None without labels.
        answers: by version.
        drift: how different each version answers from the reference, 0 for the same; by version.
    """

    name: str
    read: Callable[[], Content]
    truth: Answer | None
    answers: Mapping[int, Answer]
    drift: Mapping[int, float]

    def picture(self) -> Picture | None:
        """What was asked about, where it is a picture that can still be read."""
        try:
            content = self.read()
        except BadPicture:
            return None
        return content if isinstance(content, np.ndarray) else None


@dataclass(frozen=True)
class Costs:
    """What a version takes; None where nobody could say."""

    size_bytes: int | None = None
    load_seconds: float | None = None
    memory_bytes: int | None = None
    gpu_memory_bytes: int | None = None


@dataclass(frozen=True)
class Compared:
    """One version and all that is known of it.

    Attributes:
        verified_on: the GPU on which TensorRT was seen to answer; None where nothing says so.
        speed: the load generator's rows, one a load that it was put under.
        doubts: why its numbers should be taken with care.
    """

    version: int
    recipe: str
    accuracy: Accuracy
    costs: Costs
    speed: tuple[Row, ...]
    verified_on: str | None
    doubts: tuple[str, ...]

    @property
    def name(self) -> str:
        """Such as ``2 quantized_weights``."""
        return f"{self.version} {self.recipe}"


@dataclass(frozen=True)
class Comparison:
    """Everything that a comparison found.

    Attributes:
        reference: the version that the others are held against.
        examples: those on which versions differ most, worst first.
        unread: what could not be asked, each with the reason.
        environment: the machine's and the tools' descriptions.
        commands: what to type to see the same.
    """

    model: str
    reference: int
    versions: tuple[Compared, ...]
    examples: tuple[Example, ...]
    unread: tuple[str, ...]
    environment: Mapping[str, str]
    commands: tuple[str, ...]
