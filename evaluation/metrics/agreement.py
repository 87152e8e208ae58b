"""How far two versions say the same about one question, whatever is right: in the terms of each task."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any, Final, NamedTuple

import numpy as np

from evaluation.metrics import matching
from evaluation.tasks.classification import Classified, Guess
from evaluation.tasks.detection import Detected, Detection
from evaluation.tasks.embedding import Embedded
from evaluation.tasks.multi_label import MultiLabelled

Array = np.ndarray[Any, Any]

AGREE_SCORE: Final = 0.5  # what scores less is not shown to anybody


class Agreed(NamedTuple):
    """How much of what both say is the same: ``same`` of ``total``."""

    same: float
    total: float


@singledispatch
def agreed(ours: Any, theirs: Any) -> Agreed:
    """What two answers of one type have in common.

    Detections of score 0.5 or more: those with a partner of the same class whose box overlaps by half, of all of both.
    Classification: whether the likeliest class is the same. Multi-label: classes that both find present or both absent.
    Embedding: the cosine, where it is above 0.
    """
    raise TypeError(f"answers of type {type(ours).__name__} cannot be held against each other")


@agreed.register
def _(ours: Detected, theirs: Detected) -> Agreed:
    first, second = shown(ours.detections), shown(theirs.detections)
    return Agreed(2 * len(paired(first, second)[0]), len(first) + len(second))


@agreed.register
def _(ours: Classified, theirs: Classified) -> Agreed:
    return Agreed(ours.guesses[0].number == theirs.guesses[0].number, 1)


@agreed.register
def _(ours: MultiLabelled, theirs: MultiLabelled) -> Agreed:
    return Agreed(sum(a.present == b.present for a, b in zip(ours.guesses, theirs.guesses)), len(ours.guesses))


@agreed.register
def _(ours: Embedded, theirs: Embedded) -> Agreed:
    return Agreed(max(0.0, cosine(ours.vector, theirs.vector)), 1)


@singledispatch
def apart(ours: Any, theirs: Any) -> float:
    """How far two answers are apart, from 0 for the same to 1, so that the worst can be looked at first.

    Detections: 1 for each that only one shows, the difference of scores or the missing overlap of the others, on
    average. Classification: half for another likeliest class, and half of what the probabilities differ. Multi-label:
    the largest difference of any class. Embedding: half of what the cosine is below 1.
    """
    raise TypeError(f"answers of type {type(ours).__name__} cannot be held against each other")


@apart.register
def _(ours: Detected, theirs: Detected) -> float:
    first, second = shown(ours.detections), shown(theirs.detections)
    left, right = paired(first, second)
    total = len(first) + len(second) - len(left)
    moved = [
        max(abs(a.score - b.score), 1 - _iou(a, b)) for a, b in ((first[n], second[m]) for n, m in zip(left, right))
    ]
    return (total - len(left) + sum(moved)) / total if total else 0.0


@apart.register
def _(ours: Classified, theirs: Classified) -> float:
    first, second = ({guess.number: guess.score for guess in each.guesses} for each in (ours, theirs))
    differing = sum(abs(first.get(number, 0.0) - second.get(number, 0.0)) for number in {*first, *second})
    return (agreed(ours, theirs).same == 0) / 2 + min(1.0, differing / 2) / 2


@apart.register
def _(ours: MultiLabelled, theirs: MultiLabelled) -> float:
    return max((_differing(a, b) for a, b in zip(ours.guesses, theirs.guesses)), default=0.0)


@apart.register
def _(ours: Embedded, theirs: Embedded) -> float:
    return (1 - cosine(ours.vector, theirs.vector)) / 2


def agreement(reference: Sequence[Sequence[Detection]], other: Sequence[Sequence[Detection]]) -> float:
    """How far two detectors show the same in the same pictures, from 0 to 1 (1 when neither shows anything)."""
    found = [agreed(Detected(tuple(ours)), Detected(tuple(theirs))) for ours, theirs in zip(reference, other)]
    total = sum(each.total for each in found)
    return sum(each.same for each in found) / total if total else 1.0


def shown(detections: Sequence[Detection]) -> list[Detection]:
    """The detections a user would be shown: those of score 0.5 or more, best first."""
    return sorted((each for each in detections if each.score >= AGREE_SCORE), key=lambda each: -each.score)


def paired(ours: Sequence[Detection], theirs: Sequence[Detection]) -> tuple[Array, Array]:
    """The places of detections in both that are the same."""
    (boxes, classes), (others, other_classes) = (
        (np.array([each.box for each in side], float).reshape(-1, 4), np.array([each.number for each in side], int))
        for side in (ours, theirs)
    )
    return matching.pairs(boxes, classes, others, other_classes)


def cosine(one: Array, other: Array) -> float:
    """Of the angle between two vectors; 1 where both are zero, 0 where one is."""
    if np.array_equal(one, other):
        return 1.0  # not less by rounding
    first, second = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    if not lengths:
        return 0.0
    return float(np.clip(first @ second / lengths, -1, 1))


def _iou(one: Detection, other: Detection) -> float:
    return float(matching.overlaps(np.array([one.box]), np.array([other.box]))[0, 0])


def _differing(one: Guess, other: Guess) -> float:
    return abs(one.score - other.score)
