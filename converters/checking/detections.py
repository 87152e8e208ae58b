"""Which detection of one answer is which of another, as those of close scores change places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, Any]
Pairs = list[tuple[Array, Array]]

BOXES, CLASSES = "detection_boxes", "detection_classes"
# how much of their common area two boxes of one thing share at least
_SAME: Final = 0.5


def pairs(got: Mapping[str, Array], wanted: Mapping[str, Array]) -> Pairs | None:
    """For every picture, the places of detections in both answers that are the same; None where it is no detector's.

    The same are two of one class whose boxes overlap by half, the best such pair for each in turn.
    """
    answers = (got, wanted)
    if not all(BOXES in each and CLASSES in each and each[BOXES].ndim == 3 for each in answers):
        return None
    if any(
        each[BOXES].shape != (*wanted[CLASSES].shape, 4) or got[CLASSES].shape != each[CLASSES].shape
        for each in answers
    ):
        return None
    return [_picture(*each) for each in zip(*(each[name] for name in (BOXES, CLASSES) for each in answers))]


def matched(got: Array, wanted: Array, found: Pairs) -> tuple[Array, Array]:
    """The rows of two outputs that belong together, of all pictures one after the other."""
    first, second = ([each[places[side]] for each, places in zip((got, wanted)[side], found)] for side in (0, 1))
    return np.concatenate(first), np.concatenate(second)


def _picture(got: Array, wanted: Array, got_classes: Array, wanted_classes: Array) -> tuple[Array, Array]:
    overlaps = np.where(got_classes[None] == wanted_classes[:, None], _overlaps(wanted, got), 0)
    found = []
    for place in range(len(wanted)):
        best = int(np.argmax(overlaps[place])) if overlaps.size else 0
        if overlaps[place, best] >= _SAME:
            found.append((best, place))
            overlaps[:, best] = 0
    places = np.array(found, int).reshape(-1, 2)
    return places[:, 0], places[:, 1]


def _overlaps(some: Array, others: Array) -> Array:
    """Intersection over union of every two boxes; 1 for boxes that are equal, empty ones too."""
    first, second = some[:, None].astype(np.float64), others[None].astype(np.float64)
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    common = np.prod(np.maximum(sides, 0), -1)
    union = _area(first) + _area(second) - common
    shares = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return np.where((first == second).all(-1), 1.0, shares)


def _area(boxes: Array) -> Array:
    return np.asarray(np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0), -1))
