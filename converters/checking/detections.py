"""Which detection of one answer is which of another, picture by picture of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from evaluation.metrics import matching

Array = np.ndarray[Any, Any]
Pairs = list[tuple[Array, Array]]

BOXES, CLASSES = "detection_boxes", "detection_classes"


def pairs(got: Mapping[str, Array], wanted: Mapping[str, Array]) -> Pairs | None:
    """For every picture, the places of detections in both answers that are the same; None where it is no detector's."""
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
    ours, theirs = matching.pairs(wanted, wanted_classes, got, got_classes)
    return theirs, ours
