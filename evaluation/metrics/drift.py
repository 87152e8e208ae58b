"""How far the numbers of two versions are apart, output by output; of detectors, box by box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evaluation.metrics import agreement
from evaluation.tasks.detection import Detected, Detection

Array = np.ndarray[Any, Any]

# what is compared of two detections that are the same
SCORE, POSITION = "score", "position"


@dataclass
class Apart:
    """Of one output, over all questions so far.

    Attributes:
        largest: absolute difference.
        cosine: the smallest of any question.
    """

    largest: float = 0.0
    cosine: float = 1.0
    _sum: float = 0.0
    _count: int = 0

    @property
    def mean(self) -> float:
        """Absolute difference."""
        return self._sum / self._count if self._count else 0.0

    def add(self, ours: Array, theirs: Array) -> None:
        """One question's numbers, in one shape."""
        if not ours.size:
            return
        off = np.abs(theirs.astype(np.float64) - ours.astype(np.float64))
        self.largest = max(self.largest, float(off.max()))
        self.cosine = min(self.cosine, agreement.cosine(ours, theirs))
        self._sum, self._count = self._sum + float(off.sum()), self._count + off.size


@dataclass
class Drifting:
    """Every output of one version against the reference."""

    outputs: dict[str, Apart] = field(default_factory=dict)

    def add(self, ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> None:
        """One question's outputs, as they came; another shape counts as numbers that are missing, which are 0."""
        for name, array in ours.items():
            if array.dtype.kind not in "OSUb" and name in theirs:
                self.outputs.setdefault(name, Apart()).add(*_of_one_shape(array, theirs[name]))

    def add_detected(self, ours: Detected, theirs: Detected) -> None:
        """One picture's detections: what the reference shows, and where the same is, whatever the version scores it."""
        shown = agreement.shown(ours.detections)
        left, right = agreement.paired(shown, theirs.detections)
        first, second = [shown[n] for n in left], [theirs.detections[n] for n in right]
        for name, values in ((SCORE, _scores), (POSITION, _edges)):
            self.outputs.setdefault(name, Apart()).add(values(first), values(second))


def _of_one_shape(ours: Array, theirs: Array) -> tuple[Array, Array]:
    if ours.shape == theirs.shape:
        return ours, theirs
    first, second = ours.ravel(), theirs.ravel()
    size = max(first.size, second.size)
    return np.pad(first, (0, size - first.size)), np.pad(second, (0, size - second.size))


def _scores(detections: list[Detection]) -> Array:
    return np.array([each.score for each in detections], float)


def _edges(detections: list[Detection]) -> Array:
    """In pixels."""
    return np.array([each.box for each in detections], float)
