"""Top-1 and top-5: whether the right class is the likeliest, or among the five likeliest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from evaluation.datasets.questions import Question
from evaluation.tasks.classification import Classified

Array = np.ndarray[Any, Any]

_DEPTHS: Final = (1, 5)


@dataclass
class FirstGuesses:
    """Classes of one version held against the right ones."""

    _hits: list[tuple[bool, ...]] = field(default_factory=list)
    _labels: list[str] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        """Both."""
        return tuple(f"top-{depth}" for depth in _DEPTHS)

    def add(self, question: Question, truth: Any, said: Any) -> None:
        """One answer, with five guesses where the model has so many."""
        assert isinstance(truth, Classified)
        assert isinstance(said, Classified)
        (right,) = truth.guesses
        guessed = [guess.number for guess in said.guesses]
        self._hits.append(tuple(right.number in guessed[:depth] for depth in _DEPTHS))
        self._labels.append(right.label)

    def __len__(self) -> int:
        """Answers."""
        return len(self._hits)

    def values(self) -> Array:
        """The shares of answers."""
        return self.drawn(np.ones(len(self), int))

    def drawn(self, counts: Array) -> Array:
        """The same as if each had been asked so many times."""
        if not counts.sum():
            return np.full(len(_DEPTHS), np.nan)
        return np.asarray(counts @ np.array(self._hits) / counts.sum())

    def per_class(self) -> Mapping[str, float]:
        """Top-1 of the questions of each class."""
        labels, first = np.array(self._labels), np.array([hits[0] for hits in self._hits])
        return {str(label): float(first[labels == label].mean()) for label in np.unique(labels)}
