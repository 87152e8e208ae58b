"""Whether two pictures show the same, told by the distance of their vectors, as LFW prescribes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve

from evaluation.datasets.questions import Dataset, Pair, Question
from evaluation.tasks.embedding import Embedded

Array = np.ndarray[Any, Any]

FAR: Final = 1e-3  # of a thousand pairs of others, one may pass for the same


class _Judged(NamedTuple):
    """Pairs in the order of their distances, [pairs]; ``origin`` is each one's place in the data set's order."""

    distance: Array
    same: Array
    fold: Array
    origin: Array


@dataclass
class Verification:
    """Vectors of one version held against pairs; those of which a picture could not be asked are left out."""

    dataset: Dataset
    _vectors: dict[int, Array] = field(default_factory=dict)
    _ready: _Judged | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Accuracy over ten folds, the share of the same that is told at a false alarm in a thousand, and AUC."""
        return ("accuracy", f"TAR@FAR={FAR:g}", "AUC")

    def add(self, question: Question, truth: Any, said: Any) -> None:
        """One picture's vector."""
        assert isinstance(said, Embedded)
        self._vectors[question.id] = said.vector.astype(np.float32)
        self._ready = None

    def __len__(self) -> int:
        """Pairs."""
        return len(self._judged.distance)

    def values(self) -> Array:
        """All three."""
        return self.drawn(np.ones(len(self), int))

    def drawn(self, counts: Array) -> Array:
        """The same as if each pair had been there so many times."""
        judged = self._judged
        weights = counts[judged.origin]
        if not 0 < (weights * judged.same).sum() < weights.sum():
            return np.full(len(self.names), np.nan)  # nothing to tell apart
        nearness = -judged.distance
        alarms, told, _ = roc_curve(judged.same, nearness, sample_weight=weights, drop_intermediate=False)
        at = float(told[alarms <= FAR].max())
        return np.array([_accuracy(judged, weights), at, roc_auc_score(judged.same, nearness, sample_weight=weights)])

    def per_class(self) -> Mapping[str, float]:
        """There are no classes."""
        return {}

    @property
    def _judged(self) -> _Judged:
        if self._ready is None:
            self._ready = _sorted([each for each in self.dataset.pairs if self._knows(each)], self._vectors)
        return self._ready

    def _knows(self, pair: Pair) -> bool:
        return pair.left in self._vectors and pair.right in self._vectors


def _sorted(pairs: Sequence[Pair], vectors: Mapping[int, Array]) -> _Judged:
    distance = np.array([np.linalg.norm(vectors[pair.left] - vectors[pair.right]) for pair in pairs])
    order = np.argsort(distance, kind="stable")
    same, fold = np.array([pair.same for pair in pairs], bool), np.array([pair.fold for pair in pairs], int)
    return _Judged(distance[order], same[order], fold[order], order)


def _accuracy(judged: _Judged, weights: Array) -> float:
    """The mean over the folds, each judged by the threshold that is best on all the others; NaN of one fold alone."""
    there, found = weights > 0, []
    for fold in np.unique(judged.fold[there]):
        held, others = there & (judged.fold == fold), there & (judged.fold != fold)
        if others.any():
            threshold = _threshold(judged.distance[others], judged.same[others], weights[others])
            right = (judged.distance[held] <= threshold) == judged.same[held]
            found.append(float(np.average(right, weights=weights[held])))
    return float(np.mean(found)) if found else float("nan")


def _threshold(distance: Array, same: Array, weights: Array) -> float:
    """The distance up to which pairs are best taken for the same: half way to the next, the lowest of equals."""
    gained = np.cumsum(weights * np.where(same, 1, -1))
    # equal distances can only be told apart from others together
    last = np.append(np.diff(distance) > 0, True)
    best = int(np.argmax(np.where(last, gained, -np.inf)))
    if gained[best] <= 0:
        return float(distance[0]) - 1
    return float((distance[best] + distance[min(best + 1, len(distance) - 1)]) / 2)
