"""AUROC of every class: how often what has a finding scores higher than what has not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from evaluation.datasets.questions import Question
from evaluation.errors import BadDataset
from evaluation.tasks.multi_label import MultiLabelled

Array = np.ndarray[Any, Any]


class _Ranked(NamedTuple):
    """One class's questions in the order of their scores.

    Attributes:
        level: [questions], which of the different scores each has, counted from the lowest.
        present: [questions], whether the label says so.
    """

    level: Array
    present: Array

    def auroc(self, counts: Array) -> float:
        """The share of pairs in the right order, equal scores by half; NaN where there is no pair."""
        with_it = np.bincount(self.level, counts * self.present)
        without = np.bincount(self.level, counts * ~self.present)
        pairs = with_it.sum() * without.sum()
        below = np.cumsum(without) - without
        return float(with_it @ (below + without / 2) / pairs) if pairs else float("nan")


@dataclass
class Ranking:
    """Probabilities of one version held against what is there."""

    _scores: list[Array] = field(default_factory=list)
    _present: list[Array] = field(default_factory=list)
    _labels: tuple[str, ...] = ()
    _ready: list[_Ranked] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """One, the mean over classes."""
        return ("AUROC",)

    def add(self, question: Question, truth: Any, said: Any) -> None:
        """One answer; BadDataset where the labels are not those of the model's classes."""
        assert isinstance(truth, MultiLabelled)
        assert isinstance(said, MultiLabelled)
        if len(truth.guesses) != len(said.guesses):
            raise BadDataset(
                f"the labels of {question.name} are about {len(truth.guesses)} classes, but the model gives "
                f"{len(said.guesses)}; name its classes, in its order, as task.labels in models.yaml"
            )
        self._scores.append(np.array([guess.score for guess in said.guesses]))
        self._present.append(np.array([guess.present for guess in truth.guesses]))
        self._labels, self._ready = tuple(guess.label for guess in said.guesses), None

    def __len__(self) -> int:
        """Answers."""
        return len(self._scores)

    def values(self) -> Array:
        """The mean over the classes that some questions have and some have not."""
        return _mean([value for _, value in self._by_class()])

    def drawn(self, counts: Array) -> Array:
        """The same as if each had been asked so many times."""
        return _mean([each.auroc(counts) for each in self._ranked])

    def per_class(self) -> Mapping[str, float]:
        """Of each class that some questions have and some have not."""
        return dict(self._by_class())

    def _by_class(self) -> Iterator[tuple[str, float]]:
        columns = zip(self._labels, np.array(self._present).T, np.array(self._scores).T)
        for label, present, scores in columns:
            if 0 < present.sum() < len(present):
                yield label, float(roc_auc_score(present, scores))

    @property
    def _ranked(self) -> list[_Ranked]:
        if self._ready is None:
            columns = zip(np.array(self._present).T, np.array(self._scores).T)
            self._ready = [_Ranked(np.unique(scores, return_inverse=True)[1], there) for there, scores in columns]
        return self._ready


def _mean(values: list[float]) -> Array:
    told = [value for value in values if not np.isnan(value)]
    return np.array([np.mean(told) if told else np.nan])
