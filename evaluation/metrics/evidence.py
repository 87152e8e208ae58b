"""What all metrics have in common: evidence gathered question by question, from which values come again and again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from evaluation.datasets.questions import Question
from evaluation.tasks.prepared import Answer

Array = np.ndarray[Any, Any]


class Evidence(Protocol):
    """What one version's answers are worth.

    Attributes:
        names: of the metrics, the most telling first; higher is better for all.
    """

    @property
    def names(self) -> tuple[str, ...]: ...  # noqa: D102 - above

    def add(self, question: Question, truth: Answer, said: Answer) -> None:
        """One more question that was answered."""

    def __len__(self) -> int:
        """How many there are to draw from: questions, or pairs of them."""

    def values(self) -> Array:
        """The metrics, from 0 to 1; NaN where the questions cannot tell."""

    def drawn(self, counts: Array) -> Array:
        """The same as if each question had been asked so many times, [questions]."""

    def per_class(self) -> Mapping[str, float]:
        """The first metric by label, where it has such values."""
